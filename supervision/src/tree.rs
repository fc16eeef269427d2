//! A tree at one moment, for people and for tests.

use std::fmt;
use std::sync::Arc;

use perennial_actors::{Handle, Pid};

use crate::policy::ChildKind;

/// What a child is doing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ChildState {
    /// Nobody serves it and nobody is due to: it ended for good, or was stopped. OTP's `undefined`.
    Stopped,
    /// It is down, and its turn to be started is still to come.
    Waiting,
    /// Its init runs.
    Starting,
    /// It serves its mailbox.
    Running,
    /// It ended, or a start of it failed, and it is due to be started again. OTP's `restarting`.
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

/// A supervisor or an actor and everything below it, as it was at one moment.
///
/// Displayed, it is drawn:
///
/// ```text
/// app  running <1.1>
/// ├─ counter  running <2.3>, 2 restarts
/// └─ workers  running <3.1>
///    └─ first  restarting
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tree {
    /// Its id among its siblings.
    pub id: Arc<str>,
    /// What it is.
    pub kind: ChildKind,
    /// What it is doing.
    pub state: ChildState,
    /// Its live incarnation.
    pub pid: Option<Pid>,
    /// How often its supervisor has restarted it, counted from that supervisor's own start.
    pub restarts: u64,
    /// The means to stop, kill and watch it.
    pub handle: Handle,
    /// Its children in start order.
    pub children: Vec<Self>,
}

impl Tree {
    /// The descendant at a path of ids, none of them this one's: `tree.at(["workers", "first"])`.
    #[must_use]
    pub fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |node, id| node.children.iter().find(|child| *child.id == *id))
    }

    /// This and everything below it, parents first, in start order.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let node = stack.pop()?;
            stack.extend(node.children.iter().rev());
            Some(node)
        })
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        write!(f, "{}  {}", self.id, self.state)?;
        if let Some(pid) = self.pid {
            write!(f, " {pid}")?;
        }
        match self.restarts {
            0 => writeln!(f)?,
            1 => writeln!(f, ", 1 restart")?,
            n => writeln!(f, ", {n} restarts")?,
        }
        for (index, child) in self.children.iter().enumerate() {
            let (branch, below) =
                if index + 1 == self.children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            write!(f, "{indent}{branch}")?;
            child.draw(f, &format!("{indent}{below}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw(f, "")
    }
}

/// A child that did not stop in the time it was given.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Straggler {
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
#[non_exhaustive]
pub struct ChildInfo {
    /// Its id among its siblings; of a dynamic supervisor's child, what its spec calls it.
    pub id: Arc<str>,
    /// What it is.
    pub kind: ChildKind,
    /// What it is doing.
    pub state: ChildState,
    /// Its newest incarnation, unless it is stopped. Of one that is being restarted, that is the one that ended.
    pub pid: Option<Pid>,
    /// How often its supervisor has restarted it, counted from that supervisor's own start.
    pub restarts: u64,
}

/// How many children a supervisor has. OTP's `count_children`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChildCounts {
    /// All of them, running or not.
    pub specs: usize,
    /// Those that have an incarnation: not the stopped, and not the restarting.
    pub active: usize,
    /// Those that are supervisors, running or not.
    pub supervisors: usize,
    /// Those that are not, running or not.
    pub workers: usize,
}
