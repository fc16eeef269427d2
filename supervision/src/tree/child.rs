//! What a supervisor tells of a child.

use std::fmt;
use std::sync::Arc;

use perennial_actors::Pid;

use crate::policy::ChildKind;

/// What a child is doing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ChildState {
    /// Nobody serves it and nobody is due to: it ended for good, or was stopped. OTP's `undefined`.
    Stopped,
    /// It is down, and its turn to be started is still to come.
    Waiting,
    /// Its init runs, in the first start of its supervisor or in a start by hand.
    Starting,
    /// It serves its mailbox.
    Running,
    /// It ended, or a start of it failed, and it is due to be started again. OTP's `restart`.
    /// This holds until it runs again, also while its init runs, in a restart of its own or of a group.
    Restarting,
    /// It was told to stop.
    Stopping,
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
        })
    }
}

/// A child that did not stop in the time it was given.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UnstoppedChild {
    /// Where it stands: the ids from the root down, with slashes.
    pub path: Arc<str>,
    /// Whether it did not even die when it was killed, because it never awaits, and runs on without its mailbox.
    pub abandoned: bool,
}

/// What came of the start of a child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChildStart {
    /// It has started: its incarnation, which may have ended by now.
    Started(Pid),
    /// It declined, with [`ExitReason::Ignore`](perennial_actors::ExitReason::Ignore). It stays down if its supervisor keeps it: not
    /// if it is temporary, or dynamic.
    Ignored,
}

impl ChildStart {
    /// The incarnation that has started.
    #[must_use]
    pub const fn pid(self) -> Option<Pid> {
        match self {
            Self::Started(pid) => Some(pid),
            Self::Ignored => None,
        }
    }
}

/// A child as its supervisor knows it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its id among its siblings; of a dynamic supervisor's child, what its spec calls it.
    pub id: Arc<str>,
    /// What it is.
    pub kind: ChildKind,
    /// What it is doing.
    pub state: ChildState,
    /// Its newest incarnation, unless it is stopped or waiting. Of one that is being restarted,
    /// that is the one that ended.
    pub pid: Option<Pid>,
    /// How often its supervisor has restarted it, counted from that supervisor's own start.
    pub restarts: u64,
}

/// How many children a supervisor has. OTP's `count_children`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChildCounts {
    /// All of them, running or not.
    pub specs: usize,
    /// Those that are starting, running or stopping. Not those that are stopped, waiting or
    /// restarting.
    pub active: usize,
    /// Those that are supervisors, running or not.
    pub supervisors: usize,
    /// Those that are not, running or not.
    pub workers: usize,
}

/// How often it was restarted, if it was.
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
