//! What can be done with a process without knowing its messages.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::counters::Counters;
use crate::exit::ExitReason;
use crate::mailbox::{CloseHook, Watcher};
use crate::order::Order;
use crate::pid::Pid;
use crate::signal::MonitorId;

/// Whether anybody serves an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProcessState {
    /// An incarnation lives: it starts, works or waits.
    Alive(Pid),
    /// Between two incarnations, or before the first: messages queue.
    Due,
    /// Nobody lives and nobody is due: messages are refused.
    Closed,
}

impl ProcessState {
    /// The incarnation that lives, if one does.
    #[must_use]
    pub const fn pid(self) -> Option<Pid> {
        match self {
            Self::Alive(pid) => Some(pid),
            Self::Due | Self::Closed => None,
        }
    }
}

/// One end of a link, as one of the two incarnations keeps it.
pub(crate) struct Link {
    /// Which link it is: of two that were made for one pair, the later one has the higher stamp.
    pub(crate) stamp: u64,
    /// Whether it is made because the other one starts this one, linked.
    pub(crate) to_parent: bool,
    pub(crate) other: Arc<dyn AnyProcess>,
}

/// What the live incarnation has to do with others, and what it does just now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conduct {
    pub(crate) links: Vec<Pid>,
    pub(crate) monitors: Vec<MonitorId>,
    pub(crate) trapping: bool,
    pub(crate) suspended: bool,
    pub(crate) handling_for: Option<Duration>,
}

pub(crate) trait AnyProcess: Send + Sync {
    fn label(&self) -> Option<Arc<str>>;
    fn state(&self) -> ProcessState;
    fn counters(&self) -> Counters;
    /// The number of the identity; 0 before it is first opened.
    fn identity(&self) -> u64;
    /// Which system it belongs to, to be compared; none before it is first opened.
    fn system_key(&self) -> Option<usize>;
    fn newest(&self) -> u32;
    fn conduct(&self) -> Conduct;

    /// Puts a signal to the incarnation that lives; to `meant` or to nobody, if that is given. Whether it was put.
    fn order(&self, meant: Option<u32>, order: Order) -> bool;
    fn kill(&self) -> bool;

    fn watch(&self, watcher: Watcher) -> Result<u64, Watcher>;
    fn unwatch(&self, id: u64);
    fn watchers(&self) -> usize;
    fn names(&self) -> Vec<Cow<'static, str>>;
    fn on_close(&self, hook: CloseHook) -> Result<(), CloseHook>;

    /// Adds an end of a link, or renews it. False if this incarnation does not live any more.
    fn add_link(&self, incarnation: u32, to: Pid, link: Link) -> bool;
    /// Removes an end of a link, unless it was renewed since.
    fn remove_link(&self, incarnation: u32, to: Pid, stamp: u64);
    /// The other end of a link has ended: a signal, if the link is still there.
    fn link_ended(&self, incarnation: u32, to: Pid, reason: &ExitReason);
}
