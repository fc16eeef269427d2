//! What everybody who knows an actor shares.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::task;

use super::activity::Activity;
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::foreign::drop_each;
use crate::label::Label;
use crate::log::LogQueue;
use crate::mailbox::{ExitHook, MailboxConfig, Mailbox, ExitCallback};
use crate::control::ControlSignal;
use crate::pid::Pid;
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::system::{DeadLetter, DeadLetterReason, LifecycleEvent, SlotIndex, System};
use crate::any_process::{AnyProcess, ProcessFlags, RelationsLock, ProcessState, StartOrderSlot, Suspensions, Work};

/// One actor, whichever incarnation of it lives: its mailbox, and where it belongs.
pub(crate) struct Process<M: Send + 'static> {
    pub(crate) queue: Mailbox<M>,
    pub(crate) activity: Activity,
    pub(super) relations: RelationsLock,
    start_order: StartOrderSlot,
    registration: OnceLock<Registration>,
    /// Nothing owns it, so that nothing can start it again once it is closed.
    disowned: AtomicBool,
}

/// Where a process belongs. It has no home, and a closed mailbox, until it is first opened.
pub(crate) struct Registration {
    pub(crate) system: System,
    pub(crate) label: Label,
    number: u64,
    place: SlotIndex,
}

impl<M: Send + 'static> Process<M> {
    pub(crate) fn new(settings: MailboxConfig) -> Arc<Self> {
        Arc::new(Self {
            queue: Mailbox::new(settings),
            activity: Activity::new(),
            relations: Mutex::new(None),
            start_order: Mutex::new(None),
            registration: OnceLock::new(),
            disowned: AtomicBool::new(false),
        })
    }

    /// Settles in a system, if it has not done so before.
    pub(crate) fn register(self: &Arc<Self>, system: &System, label: impl FnOnce() -> Label) -> &Registration {
        self.registration.get_or_init(|| {
            let number = system.next_number();
            let this: Weak<Self> = Arc::downgrade(self);
            self.queue.set_default_capacity(system.capacity());
            Registration { system: system.clone(), label: label(), number, place: system.register(number, this) }
        })
    }

    /// Begins to count for how long this incarnation is at what it does now.
    pub(crate) fn observe(&self, incarnation: u32) {
        self.activity.observe(incarnation, || self.age());
    }

    /// Ends a suspension of the incarnation that lives.
    pub(crate) fn resume(&self) {
        self.activity.resume(|| self.age());
    }

    /// For how long its system has been there.
    pub(super) fn age(&self) -> Duration {
        self.home().map_or(Duration::ZERO, |home| home.system.age())
    }

    pub(crate) fn home(&self) -> Option<&Registration> {
        self.registration.get()
    }

    pub(crate) fn pid_of(&self, incarnation: u32) -> Pid {
        Pid::new(self.home().map_or(0, |home| home.number), incarnation)
    }

    /// Says that nothing owns it any more: once it is closed, it stays so.
    pub(crate) fn disown(&self) {
        self.disowned.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if it is closed and nothing can open it again.
    pub(super) fn is_gone(&self) -> bool {
        self.disowned.load(Ordering::Relaxed) && self.queue.is_closed()
    }

    pub(crate) fn publish(&self, event: impl FnOnce(Arc<str>) -> LifecycleEvent) {
        if let Some(home) = self.home() {
            home.system.publish(|| event(home.label.to_shared()));
        }
    }

    pub(super) fn dead_letter(&self, target: Pid, reason: impl FnOnce() -> DeadLetterReason) {
        let Some(home) = self.home() else { return };
        home.system.publish_dead_letter(|| DeadLetter {
            target,
            label: home.label.to_shared(),
            message_type: type_name::<M>(),
            reason: reason(),
        });
    }
}

impl<M: Send + 'static> AnyProcess for Process<M> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn message_type(&self) -> &'static str {
        type_name::<M>()
    }

    fn label(&self) -> Option<Arc<str>> {
        self.home().map(|home| home.label.to_shared())
    }

    fn state(&self) -> ProcessState {
        match self.queue.served_by() {
            Some(incarnation) => ProcessState::Alive(self.pid_of(incarnation)),
            None if self.queue.is_closed() => ProcessState::Closed,
            None => ProcessState::Pending,
        }
    }

    fn counters(&self) -> MessageStats {
        self.queue.counters()
    }

    fn identity(&self) -> u64 {
        self.home().map_or(0, |home| home.number)
    }

    fn system_key(&self) -> Option<usize> {
        self.home().map(|home| home.system.key())
    }

    fn log(&self) -> Option<LogQueue> {
        self.home().map(|home| home.system.log().clone())
    }

    fn latest_incarnation(&self) -> u32 {
        self.queue.latest_incarnation()
    }

    fn flags(&self) -> ProcessFlags {
        if self.queue.served_by().is_none() {
            return ProcessFlags::default();
        }
        ProcessFlags {
            links: self.linked(),
            monitors: self.monitoring(),
            trap_exits: self.activity.is_trapping(),
            suspended: self.activity.is_suspended(),
            busy_for: self.busy_for().map(|(_, time)| time),
        }
    }

    fn suspensions(&self) -> Suspensions {
        self.activity.suspensions(|| self.age())
    }

    fn busy_for(&self) -> Option<(Pid, Duration)> {
        // What most are, at no more cost than this.
        if self.activity.is_idle() {
            return None;
        }
        let incarnation = self.queue.served_by()?;
        let time = self.activity.busy_for(incarnation, || self.age())?;
        Some((self.pid_of(incarnation), time))
    }

    fn drain(&self, reason: ExitReason) -> bool {
        // Messages would wait while it is suspended.
        if self.activity.is_suspended() {
            self.order(None, ControlSignal::Resume);
        }
        let told = self.queue.drain(reason);
        let is_told = told.is_ok();
        drop_each(told.err());
        is_told
    }

    fn order(&self, meant: Option<u32>, mut order: ControlSignal) -> bool {
        if let ControlSignal::Exit(exit) = &mut order {
            self.resolve_source(exit);
        }
        self.queue.signal(meant, order)
    }

    fn kill(&self) -> bool {
        self.queue.kill()
    }

    fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback> {
        self.queue.watch(watcher)
    }

    fn unwatch(&self, id: u64) {
        self.queue.unwatch(id);
    }

    fn watchers(&self) -> usize {
        self.queue.watchers()
    }

    fn names(&self) -> Vec<Cow<'static, str>> {
        self.queue.names()
    }

    fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook> {
        self.queue.hook(hook)
    }

    fn remove_close_hook(&self, number: u64) -> bool {
        self.queue.remove_close_hook(number).is_some()
    }

    fn has_close_hook(&self, number: u64) -> bool {
        self.queue.has_close_hook(number)
    }

    fn pending_restart(&self) -> Option<(ExitReason, Duration)> {
        let outage = self.queue.pending_restart()?;
        Some((outage.reason, outage.until.saturating_sub(self.age())))
    }

    fn poll_idle(&self, waker: &Waker) -> Poll<Work> {
        self.queue.poll_idle(waker).map(|traffic| Work { traffic, begun: self.activity.begun() })
    }

    fn start_order(&self) -> &StartOrderSlot {
        &self.start_order
    }

    fn is_vacant(&self) -> bool {
        self.queue.is_vacant()
    }

    fn is_run_by(&self, task: task::Id) -> bool {
        self.queue.is_run_by(task)
    }

    fn poke(&self) {
        self.queue.poke();
    }

    fn relations(&self) -> &RelationsLock {
        &self.relations
    }

    fn link_ended(&self, incarnation: u32, to: Pid, reason: &ExitReason) {
        self.on_link_exit(incarnation, to, reason);
    }
}

impl<M: Send + 'static> Drop for Process<M> {
    /// Nobody holds an address and nobody serves it: what still waits goes with it, on the books.
    fn drop(&mut self) {
        self.close(&ExitReason::NoProcess);
        if let Some(home) = self.registration.get() {
            home.system.unregister(home.place, self.queue.counters());
        }
    }
}
