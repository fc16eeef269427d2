//! The data that a supervisor returns about its children.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::Pid;

use crate::policy::ChildKind;

/// The state of a child.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ChildState {
    /// No incarnation runs and none is due: the child exited for good, or was stopped. OTP's
    /// `undefined`.
    Stopped,
    /// No incarnation runs. The child is due to start after other children.
    Waiting,
    /// Its `init` runs, in the first start of its supervisor or in a start by request.
    Starting,
    /// An incarnation runs.
    Running,
    /// The child exited or failed to start, and is due to start again. OTP's `restart`. The state
    /// lasts until the child runs again, including its `init`, in a restart of its own or of a
    /// group.
    Restarting,
    /// The child was asked to stop or killed, and has not exited yet.
    Stopping,
    /// No incarnation runs and none is due: the child was started as often as its
    /// [start limit](crate::Child::start_limit) allows. systemd's `failed`.
    Failed,
}

impl fmt::Display for ChildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
        })
    }
}

/// How far the stop of a child has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StopProgress {
    /// `true` if the child was killed. Until then it was only asked to stop.
    pub killed: bool,
    /// The time until the child is killed or, if it was killed, until it is abandoned. `None` is no
    /// limit.
    pub time_left: Option<Duration>,
}

/// A child that did not stop within its time.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UnstoppedChild {
    /// The path of the child: the ids from the root down, separated by slashes.
    pub path: Arc<str>,
    /// `true` if the child did not exit after a kill either, because it never awaits. It keeps
    /// running without its mailbox.
    pub abandoned: bool,
}

/// The outcome of a start of a child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChildStart {
    /// The child started as this incarnation, which may have exited meanwhile.
    Started(Pid),
    /// The child declined to start, with
    /// [`ExitReason::Ignore`](perennial_actors::ExitReason::Ignore). Its supervisor keeps it as a
    /// stopped child, unless the child is temporary or the supervisor is dynamic.
    Ignored,
}

impl ChildStart {
    /// Returns the incarnation that started, or `None` if the child declined.
    #[must_use]
    pub const fn pid(self) -> Option<Pid> {
        match self {
            Self::Started(pid) => Some(pid),
            Self::Ignored => None,
        }
    }
}

/// One child, as its supervisor knows it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChildInfo {
    /// The id. Ids are unique among siblings, except among the children of a dynamic supervisor.
    pub id: Arc<str>,
    /// The kind of the child: worker or supervisor.
    pub kind: ChildKind,
    /// Its state.
    pub state: ChildState,
    /// The latest incarnation, or `None` if the child is stopped, waiting or failed. For a child
    /// that is restarting it is the incarnation that exited.
    pub pid: Option<Pid>,
    /// How often its supervisor restarted it, counted from the start of that supervisor's
    /// incarnation.
    pub restarts: u64,
}

/// The number of children of a supervisor. OTP's `count_children`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChildCounts {
    /// All children, running or not.
    pub specs: usize,
    /// The children that are starting, running or stopping. Stopped, waiting and restarting
    /// children do not count.
    pub active: usize,
    /// The children that are supervisors, running or not.
    pub supervisors: usize,
    /// The children that are workers, running or not.
    pub workers: usize,
}

/// Displays the number of restarts, or nothing if it is zero.
pub(super) struct Restarts(pub(super) u64);

impl fmt::Display for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(", 1 restart"),
            n => write!(f, ", {n} restarts"),
        }
    }
}
