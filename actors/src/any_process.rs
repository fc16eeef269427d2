//! The operations on a process that do not depend on its message type.

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

/// The state of an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProcessState {
    /// An incarnation is attached: it starts, works or waits.
    Alive(Pid),
    /// No incarnation is attached, but one will follow: the first, or the next. Messages are
    /// queued.
    Pending,
    /// No incarnation is attached, and none will follow. Messages are refused.
    Closed,
}

/// The suspensions of the attached incarnation, for supervisors that check its liveness.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Suspensions {
    /// `true` while it is [suspended](crate::ActorHandle::suspend).
    pub is_suspended: bool,
    /// The number of resumptions.
    pub resumptions: u32,
    /// The time since the last resumption. It means nothing if there was none.
    pub resumed_for: Duration,
}

impl ProcessState {
    /// Returns the attached incarnation, if there is one.
    #[must_use]
    pub const fn pid(self) -> Option<Pid> {
        match self {
            Self::Alive(pid) => Some(pid),
            Self::Pending | Self::Closed => None,
        }
    }
}

/// The links and monitors of the attached incarnation. `None` until there are some.
pub(crate) type RelationsSlot = Option<Box<Relations<dyn AnyProcess>>>;

/// The lock of the relations of one process. It comes first in the lock order of an actor.
pub(crate) type RelationsLock = Mutex<RelationsSlot>;

/// The relations and flags of the attached incarnation, and how long it has been busy.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessFlags {
    pub(crate) links: Vec<Pid>,
    pub(crate) monitors: Vec<MonitorId>,
    pub(crate) trap_exits: bool,
    pub(crate) suspended: bool,
    pub(crate) busy_for: Option<Duration>,
}

impl dyn AnyProcess {
    /// Returns the latest incarnation, attached or not, if there was one.
    pub(crate) fn latest_pid(&self) -> Option<Pid> {
        let latest = self.latest_incarnation();
        (latest > 0).then(|| Pid::new(self.identity(), latest))
    }
}

/// The process that the start of a process waits for, and its id before the first start.
#[derive(Default)]
pub(crate) struct StartOrder {
    /// The id in the spec of the process. Errors name the process by it until its first start.
    pub(crate) id: Option<Arc<str>>,
    /// The supervisor that starts it.
    pub(crate) supervisor: Option<Weak<dyn AnyProcess>>,
    /// The child whose start it waits for, if it is a supervisor.
    pub(crate) awaited: Option<Weak<dyn AnyProcess>>,
}

/// The start order of one process. `None` outside of trees. No other lock is taken under this one.
pub(crate) type StartOrderSlot = Mutex<Option<Box<StartOrder>>>;

/// What a process has done so far. Two equal values mean that it stayed idle in between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Work {
    pub(crate) traffic: Traffic,
    /// The number of steps that its incarnations have begun.
    pub(crate) steps: u32,
}

/// A process of any message type.
pub(crate) trait AnyProcess: Send + Sync {
    /// Returns the process as `Any`, for a caller that knows its message type.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// Returns the name of its message type.
    fn message_type(&self) -> &'static str;
    fn label(&self) -> Option<Arc<str>>;
    fn state(&self) -> ProcessState;
    fn counters(&self) -> MessageStats;
    /// Returns the number of the identity, or 0 before it is first opened.
    fn identity(&self) -> u64;
    /// Returns a key that identifies its system, or `None` before it is first opened.
    fn system_key(&self) -> Option<usize>;
    /// Returns the log queue of its system, or `None` before it is first opened.
    fn log(&self) -> Option<LogQueue>;
    fn latest_incarnation(&self) -> u32;
    fn flags(&self) -> ProcessFlags;
    fn suspensions(&self) -> Suspensions;
    /// Returns the attached incarnation, and how long its current step has been observed. `None` if
    /// it is idle.
    fn busy_for(&self) -> Option<(Pid, Duration)>;

    /// Sends a control signal to the attached incarnation, or only to `expected` if it is set.
    /// Returns `true` if the signal was enqueued.
    fn send_control(&self, expected: Option<u32>, signal: ControlSignal) -> bool;
    fn kill(&self) -> bool;
    /// Drains the mailbox: messages are refused, and the attached incarnation stops once it has
    /// handled the queued ones. Returns `true` if one is attached and was not draining already.
    fn drain(&self, reason: ExitReason) -> bool;

    fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback>;
    fn unwatch(&self, id: u64);
    fn watchers(&self) -> usize;
    fn names(&self) -> Vec<Cow<'static, str>>;
    fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook>;
    fn remove_close_hook(&self, number: u64) -> bool;
    fn has_close_hook(&self, number: u64) -> bool;
    fn pending_restart(&self) -> Option<(ExitReason, Duration)>;

    /// Resolves if the process is idle. Otherwise `waker` is woken when that may be so.
    fn poll_idle(&self, waker: &Waker) -> Poll<Work>;

    fn start_order(&self) -> &StartOrderSlot;
    /// Returns `true` if no incarnation is attached and one will follow.
    fn is_vacant(&self) -> bool;
    /// Returns `true` if the attached incarnation runs in this task.
    fn is_run_by(&self, task: task::Id) -> bool;
    /// Wakes the task of the attached incarnation, if it waits inside its init or a handler.
    fn poke(&self);

    fn relations(&self) -> &RelationsLock;
    /// Notifies the process that the other end of a link has ended: enqueues a signal, if the link
    /// still exists.
    fn link_ended(&self, incarnation: u32, to: Pid, reason: &ExitReason);
}
