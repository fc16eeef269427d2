//! What can be done with a process without knowing its messages.

use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::task;

use crate::control::ControlSignal;
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::log::LogQueue;
use crate::mailbox::{ExitCallback, ExitHook, Traffic};
use crate::pid::Pid;
use crate::relations::Relations;
use crate::signal::MonitorId;
use crate::sync::Mutex;

/// Whether anybody serves an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProcessState {
    /// An incarnation lives: it starts, works or waits.
    Alive(Pid),
    /// Between two incarnations, or before the first: messages queue.
    Pending,
    /// Nobody lives and nobody is due: messages are refused.
    Closed,
}

/// The suspensions of the live incarnation, for supervisors that watch it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Suspensions {
    /// `true` while it is [suspended](crate::ActorHandle::suspend).
    pub is_suspended: bool,
    /// How often it was resumed.
    pub resumptions: u32,
    /// How long ago it was resumed last. Means nothing if it never was.
    pub resumed_for: Duration,
}

impl ProcessState {
    /// The incarnation that lives, if one does.
    #[must_use]
    pub const fn pid(self) -> Option<Pid> {
        match self {
            Self::Alive(pid) => Some(pid),
            Self::Pending | Self::Closed => None,
        }
    }
}

/// The links and monitors of the live incarnation; none until there are some.
pub(crate) type RelationsSlot = Option<Box<Relations<dyn AnyProcess>>>;

/// What one process keeps of others, under its lock. Of the locks of an actor this is the first.
pub(crate) type RelationsLock = Mutex<RelationsSlot>;

/// What the live incarnation has to do with others, and what it does just now.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessFlags {
    pub(crate) links: Vec<Pid>,
    pub(crate) monitors: Vec<MonitorId>,
    pub(crate) trap_exits: bool,
    pub(crate) suspended: bool,
    pub(crate) busy_for: Option<Duration>,
}

impl dyn AnyProcess {
    /// The newest incarnation, living or not, if there was one.
    pub(crate) fn newest_pid(&self) -> Option<Pid> {
        let newest = self.latest_incarnation();
        (newest > 0).then(|| Pid::new(self.identity(), newest))
    }
}

/// What the start of a process waits for, and what the process is called before its first start.
#[derive(Default)]
pub(crate) struct StartOrder {
    /// The id in the spec of the process. Errors name the process by it until its first start.
    pub(crate) id: Option<Arc<str>>,
    /// What starts it.
    pub(crate) supervisor: Option<Weak<dyn AnyProcess>>,
    /// The child whose start it waits for, if it is a supervisor.
    pub(crate) awaited: Option<Weak<dyn AnyProcess>>,
}

/// What one process keeps of that; none outside trees. No other lock is taken under this one.
pub(crate) type StartOrderSlot = Mutex<Option<Box<StartOrder>>>;

/// What a process has done. Two that are equal say that it stayed idle in between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Work {
    pub(crate) traffic: Traffic,
    /// How many things its incarnations have begun.
    pub(crate) begun: u32,
}

pub(crate) trait AnyProcess: Send + Sync {
    /// The process itself, for who knows its messages.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// The name of the type of its messages.
    fn message_type(&self) -> &'static str;
    fn label(&self) -> Option<Arc<str>>;
    fn state(&self) -> ProcessState;
    fn counters(&self) -> MessageStats;
    /// The number of the identity; 0 before it is first opened.
    fn identity(&self) -> u64;
    /// Which system it belongs to, to be compared; none before it is first opened.
    fn system_key(&self) -> Option<usize>;
    /// The log queue of its system; none before it is first opened.
    fn log(&self) -> Option<LogQueue>;
    fn latest_incarnation(&self) -> u32;
    fn flags(&self) -> ProcessFlags;
    fn suspensions(&self) -> Suspensions;
    /// Which incarnation has been seen at what it does now, and for how long.
    fn busy_for(&self) -> Option<(Pid, Duration)>;

    /// Puts a signal to the incarnation that lives; to `meant` or to nobody, if that is given. Whether it was put.
    fn order(&self, meant: Option<u32>, order: ControlSignal) -> bool;
    fn kill(&self) -> bool;
    /// Refuses messages, and stops the incarnation that lives when it has handled those that are queued. Whether it is told.
    fn drain(&self, reason: ExitReason) -> bool;

    fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback>;
    fn unwatch(&self, id: u64);
    fn watchers(&self) -> usize;
    fn names(&self) -> Vec<Cow<'static, str>>;
    fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook>;
    fn remove_close_hook(&self, number: u64) -> bool;
    fn has_close_hook(&self, number: u64) -> bool;
    fn pending_restart(&self) -> Option<(ExitReason, Duration)>;

    /// Completes when it is idle; otherwise `waker` is woken when that may be so.
    fn poll_idle(&self, waker: &Waker) -> Poll<Work>;

    fn start_order(&self) -> &StartOrderSlot;
    /// Returns `true` if no incarnation lives and one is due.
    fn is_vacant(&self) -> bool;
    /// Returns `true` if the incarnation that lives runs in this task.
    fn is_run_by(&self, task: task::Id) -> bool;
    /// Wakes the task of the incarnation that lives, if it waits for something in its start.
    fn poke(&self);

    fn relations(&self) -> &RelationsLock;
    /// The other end of a link has ended: a signal, if the link is still there.
    fn link_ended(&self, incarnation: u32, to: Pid, reason: &ExitReason);
}
