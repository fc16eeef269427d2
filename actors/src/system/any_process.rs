//! A process without its message type, and what processes keep of each other: links, monitors, and
//! the order of their starts.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::events::LifecycleState;
use crate::control::{ControlSignal, ExitSource};
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::log::LogQueue;
use crate::mailbox::{AnyMailbox, Traffic};
use crate::pid::Pid;
use crate::signal::MonitorId;
use crate::sync::Mutex;
use crate::target::Target;

/// The state of an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// The links and monitors of one incarnation, as it keeps them itself.
///
/// A link has two ends. Each of the two processes keeps one, under its own lock. A link and an
/// unlink take both locks at once, so that half a link is never visible, and two concurrent calls
/// cannot interleave. An exit takes the locks one after the other: first that of the incarnation,
/// then, one by one, those of the linked processes.
///
/// The end that an incarnation keeps itself decides whether it is notified. A signal is enqueued
/// under the same lock under which an unlink removes the end, so no signal comes after an unlink.
#[derive(Default)]
pub(crate) struct Relations {
    links: BTreeMap<Pid, Arc<dyn AnyProcess>>,
    /// The process that started this one, linked. It stays set when that link is removed.
    parent: Option<Pid>,
    monitors: BTreeMap<MonitorId, MonitorSlot>,
}

/// A monitor of the incarnation.
pub(crate) enum MonitorSlot {
    /// It is about to be set.
    Reserved,
    /// It is set: the target, and the number of the watcher there.
    Set(Arc<dyn AnyProcess>, u64),
}

impl MonitorSlot {
    /// Removes the monitor from its target. Must be called under no lock.
    pub(crate) fn unwatch(self) {
        if let Self::Set(target, watcher) = self {
            target.mailbox().unwatch(watcher);
        }
    }
}

impl Relations {
    /// Adds the end of a link, unless it exists.
    pub(crate) fn add_link(&mut self, to: Pid, other: Arc<dyn AnyProcess>) {
        self.links.entry(to).or_insert(other);
    }

    /// Sets the linked process that started this one.
    pub(crate) fn set_parent(&mut self, parent: Pid) {
        self.parent = Some(parent);
    }

    pub(crate) fn is_linked(&self, to: Pid) -> bool {
        self.links.contains_key(&to)
    }

    /// Removes and returns the ends of all links to incarnations of one identity.
    #[must_use]
    pub(crate) fn take_links(&mut self, identity: u64) -> Vec<Arc<dyn AnyProcess>> {
        let all = Pid::new(identity, 0)..=Pid::new(identity, u32::MAX);
        let pids: Vec<Pid> = self.links.range(all).map(|(pid, _)| *pid).collect();
        pids.into_iter().filter_map(|pid| self.links.remove(&pid)).collect()
    }

    /// Removes and returns the end of a link. The caller drops it outside the lock.
    #[must_use]
    pub(crate) fn take_link(&mut self, to: Pid) -> Option<Arc<dyn AnyProcess>> {
        self.links.remove(&to)
    }

    /// Returns the source of an exit signal from `from`. The parent stays the parent if the link is
    /// made once more, from either side, and if it sends the signal explicitly: OTP identifies a
    /// parent by its pid alone.
    pub(crate) fn source_of(&self, from: Pid) -> ExitSource {
        if self.parent == Some(from) { ExitSource::Parent } else { ExitSource::Other }
    }

    /// Adds a monitor that is about to be set.
    pub(crate) fn reserve_monitor(&mut self, monitor: MonitorId) {
        self.monitors.insert(monitor, MonitorSlot::Reserved);
    }

    /// Completes a monitor that was set. Returns it if it was notified or removed before.
    pub(crate) fn set_monitor(&mut self, monitor: MonitorId, monitored: MonitorSlot) -> Option<MonitorSlot> {
        let Some(slot) = self.monitors.get_mut(&monitor) else { return Some(monitored) };
        *slot = monitored;
        None
    }

    /// Removes and returns a monitor, if there is such a monitor.
    pub(crate) fn take_monitor(&mut self, monitor: MonitorId) -> Option<MonitorSlot> {
        self.monitors.remove(&monitor)
    }

    /// Returns the linked pids and the monitors.
    pub(crate) fn list(&self) -> (Vec<Pid>, Vec<MonitorId>) {
        (self.links.keys().copied().collect(), self.monitors.keys().copied().collect())
    }

    /// Returns all links and monitors, once the incarnation has ended.
    pub(crate) fn into_parts(
        self,
    ) -> (BTreeMap<Pid, Arc<dyn AnyProcess>>, impl Iterator<Item = MonitorSlot>) {
        (self.links, self.monitors.into_values())
    }
}

/// The links and monitors of the attached incarnation. `None` until there are some.
pub(crate) type RelationsSlot = Option<Box<Relations>>;

/// The lock of the relations of one process. It comes first in the lock order of an actor.
pub(crate) type RelationsLock = Mutex<RelationsSlot>;

/// A snapshot of one actor. OTP's `process_info`.
///
/// Reading it needs no help of the actor, so it works for an actor that hangs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// The path in the tree, or the type; `None` before the first start.
    pub label: Option<Arc<str>>,
    /// The names of the actor.
    pub names: Vec<Cow<'static, str>>,
    /// The state, with the running incarnation.
    pub state: ProcessState,
    /// The number of the identity, as in [`Pid::identity`]; 0 before it is first opened.
    pub identity: u64,
    /// The number of the latest incarnation, running or not; 0 if there was none.
    pub incarnation: u32,
    /// The last lifecycle event. An incarnation is starting if it is attached and its start is not
    /// the last event.
    pub lifecycle: LifecycleState,
    /// The message counts of the mailbox.
    pub counters: MessageStats,
    /// How long the current handler has been observed running, or `None` if the actor is idle.
    ///
    /// Observation starts at the handler's first await or at the first read while it runs. The
    /// value never exceeds the true running time. For a handler that blocks its thread, it counts
    /// from the first read. It is the value of
    /// [`ActorHandle::busy_for`](crate::ActorHandle::busy_for).
    pub busy_for: Option<Duration>,
    /// `true` if the actor is [suspended](crate::ActorHandle::suspend).
    pub suspended: bool,
    /// `true` if the actor [traps exits](crate::Context::trap_exits).
    pub trap_exits: bool,
    /// The incarnations that are linked to the running one.
    pub links: Vec<Pid>,
    /// The monitors that the running incarnation has set.
    pub monitors: Vec<MonitorId>,
    /// The number of monitors on this actor.
    pub monitored_by: usize,
}

impl dyn AnyProcess {
    /// Returns the latest incarnation, attached or not, if there was one.
    pub(crate) fn latest_pid(&self) -> Option<Pid> {
        let latest = self.mailbox().latest_incarnation();
        (latest > 0).then(|| Pid::new(self.identity(), latest))
    }
}

/// The process that the start of a process waits for, and its id before the first start.
pub(crate) enum StartOrder {
    /// Only the supervisor is set, as for most children that were opened.
    Supervised(Weak<dyn AnyProcess>),
    /// `None` if nothing was set: the process is outside of trees.
    // Not a variant of its own, so that the enum is as small as the weak reference.
    Parts(Option<Box<StartOrderParts>>),
}

impl Default for StartOrder {
    fn default() -> Self {
        Self::Parts(None)
    }
}

/// The parts of a start order that may be set.
#[derive(Default)]
pub(crate) struct StartOrderParts {
    /// The id in the spec of the process. Errors name the process by it until its first start.
    pub(crate) id: Option<Arc<str>>,
    /// The supervisor that starts it.
    pub(crate) supervisor: Option<Weak<dyn AnyProcess>>,
    /// The child whose start it waits for, if it is a supervisor.
    pub(crate) awaited: Option<Weak<dyn AnyProcess>>,
}

impl StartOrder {
    /// Returns the supervisor, if it is set.
    pub(crate) fn supervisor(&self) -> Option<&Weak<dyn AnyProcess>> {
        match self {
            Self::Supervised(supervisor) => Some(supervisor),
            Self::Parts(parts) => parts.as_ref()?.supervisor.as_ref(),
        }
    }

    /// Returns the parts, if more than the supervisor is set.
    pub(crate) fn parts(&self) -> Option<&StartOrderParts> {
        if let Self::Parts(parts) = self { parts.as_deref() } else { None }
    }

    /// Takes the parts out. [`set`](Self::set) puts them back.
    pub(crate) fn take(&mut self) -> Box<StartOrderParts> {
        match std::mem::take(self) {
            Self::Supervised(supervisor) => {
                Box::new(StartOrderParts { supervisor: Some(supervisor), ..StartOrderParts::default() })
            }
            Self::Parts(parts) => parts.unwrap_or_default(),
        }
    }

    /// Sets the parts.
    pub(crate) fn set(&mut self, parts: Box<StartOrderParts>) {
        *self = match *parts {
            StartOrderParts { id: None, supervisor: None, awaited: None } => Self::Parts(None),
            StartOrderParts { id: None, supervisor: Some(supervisor), awaited: None } => {
                Self::Supervised(supervisor)
            }
            _ => Self::Parts(Some(parts)),
        };
    }
}

/// The start order of one process. No other lock is taken under this one.
pub(crate) type StartOrderSlot = Mutex<StartOrder>;

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
    fn mailbox(&self) -> &dyn AnyMailbox;
    /// Returns a key that identifies its system, or `None` before it is first opened.
    fn system_key(&self) -> Option<usize>;
    /// Returns the log queue of its system, or `None` before it is first opened.
    fn log(&self) -> Option<&LogQueue>;
    fn label(&self) -> Option<Arc<str>>;
    /// Returns the process as the target of a message of this type.
    fn target_of(&self, message_type: &'static str) -> Target;
    fn state(&self) -> ProcessState;
    /// Returns the number of the identity, or 0 before it is first opened.
    fn identity(&self) -> u64;
    fn info(&self) -> ProcessInfo;
    fn suspensions(&self) -> Suspensions;
    /// Returns the attached incarnation, and how long its current step has been observed. `None` if
    /// it is idle.
    fn busy_for(&self) -> Option<(Pid, Duration)>;
    /// Records that this incarnation makes progress, unless it has ended.
    fn ping(&self, incarnation: u32);
    /// Returns the time since the last ping of the attached incarnation, if it has pinged.
    fn last_ping(&self) -> Option<Duration>;
    fn pending_restart(&self) -> Option<(ExitReason, Duration)>;
    /// Resolves if the process is idle. Otherwise `waker` is woken when that may be so.
    fn poll_idle(&self, waker: &Waker) -> Poll<Work>;

    /// Sends a control signal to the attached incarnation, or only to `expected` if it is set.
    /// Returns `true` if the signal was enqueued.
    fn send_control(&self, expected: Option<u32>, signal: ControlSignal) -> bool;
    /// Drains the mailbox: messages are refused, and the attached incarnation stops once it has
    /// handled the queued ones. Returns `true` if one is attached and was not draining already.
    fn drain(&self, reason: ExitReason) -> bool;

    fn start_order(&self) -> &StartOrderSlot;
    /// Returns `true` if no incarnation is running, and the next one starts only after the calling
    /// code has returned.
    fn waits_for_this_task(&self) -> bool;

    fn relations(&self) -> &RelationsLock;
    /// Notifies the process that the other end of a link has ended: enqueues a signal, if the link
    /// still exists.
    fn link_ended(&self, incarnation: u32, to: Pid, reason: &ExitReason);
}
