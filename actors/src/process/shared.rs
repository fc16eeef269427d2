//! The part of an actor that all its handles share.

use std::any::{Any, type_name};
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::task;

use super::activity::Activity;
use super::start_order;
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::foreign::drop_each;
use crate::label::Label;
use crate::log::LogQueue;
use crate::mailbox::{AnyMailbox, Mailbox, MailboxConfig};
use crate::pid::Pid;
use crate::sync::{Mutex, OnceLock};
use crate::system::{
    AnyProcess, DeadLetter, DeadLetterReason, LifecycleEvent, LifecycleState, ProcessInfo, ProcessState,
    RelationsLock, SlotIndex, StartOrderSlot, Suspensions, System, Work,
};
use crate::target::Target;

/// One actor with all its incarnations: its mailbox, and its registration in a system.
pub(crate) struct Process<M: Send + 'static> {
    pub(crate) queue: Mailbox<M>,
    pub(crate) activity: Activity,
    pub(super) relations: RelationsLock,
    start_order: StartOrderSlot,
    registration: OnceLock<Registration>,
}

/// The registration of a process in a system. A process has none, and its mailbox is closed, until
/// it is first opened.
pub(crate) struct Registration {
    pub(crate) system: System,
    pub(crate) label: Label,
    number: u64,
    slot: SlotIndex,
}

impl<M: Send + 'static> Process<M> {
    pub(crate) fn new(settings: MailboxConfig) -> Arc<Self> {
        Arc::new(Self {
            queue: Mailbox::new(settings),
            activity: Activity::default(),
            relations: Mutex::new(None),
            start_order: Mutex::default(),
            registration: OnceLock::new(),
        })
    }

    /// Registers the process in a system, unless it is registered already.
    pub(crate) fn register(
        self: &Arc<Self>,
        system: &System,
        label: impl FnOnce() -> Label,
    ) -> &Registration {
        if let Some(registration) = self.registration.get() {
            return registration;
        }
        let registration = self.registration.get_or_init(|| {
            let number = system.next_number();
            let this: Weak<Self> = Arc::downgrade(self);
            self.queue.set_default_capacity(system.capacity());
            Registration {
                system: system.clone(),
                label: label(),
                number,
                slot: system.table().register(number, this),
            }
        });
        start_order::remove_id(&**self);
        registration
    }

    /// Starts the observation of the current step of this incarnation.
    pub(crate) fn observe(&self, incarnation: u32) {
        self.activity.observe(incarnation, || self.age());
    }

    /// Records that this incarnation makes progress, unless it has ended.
    pub(crate) fn ping(&self, incarnation: u32) {
        self.activity.ping(incarnation, || self.age());
    }

    /// Suspends the running incarnation, unless it drains: its queued messages must be handled.
    pub(crate) fn suspend(&self) {
        // Checked afterwards: a drain that begins between the two finds the suspension and ends it.
        self.activity.suspend();
        if self.queue.is_draining() {
            self.resume();
        }
    }

    /// Ends a suspension of the running incarnation.
    pub(crate) fn resume(&self) {
        self.activity.resume(|| self.age());
    }

    /// Returns the time since the start of its system.
    pub(super) fn age(&self) -> Duration {
        self.registration().map_or(Duration::ZERO, |registration| registration.system.age())
    }

    pub(crate) fn registration(&self) -> Option<&Registration> {
        self.registration.get()
    }

    pub(crate) fn pid_of(&self, incarnation: u32) -> Pid {
        Pid::new(self.registration().map_or(0, |registration| registration.number), incarnation)
    }

    /// Marks the process as unowned: once it is closed, it stays closed.
    pub(crate) fn mark_unowned(&self) {
        self.queue.mark_unowned();
    }

    /// Returns this process as the target of an `N`, which is its message or a part of it.
    pub(crate) fn target<N>(&self) -> Target {
        self.target_of(type_name::<N>())
    }

    /// Records and publishes a lifecycle event.
    pub(crate) fn publish(&self, state: LifecycleState, event: impl FnOnce(Arc<str>) -> LifecycleEvent) {
        self.activity.record_lifecycle(state);
        if let Some(registration) = self.registration() {
            registration.system.publish(|| event(registration.label.to_shared()));
        }
    }

    /// Publishes a dead letter. It has a number if the actor keeps such letters.
    pub(super) fn dead_letter(
        &self,
        target: Pid,
        number: Option<u64>,
        reason: impl FnOnce() -> DeadLetterReason,
    ) {
        let Some(registration) = self.registration() else { return };
        registration.system.publish_dead_letter(|| DeadLetter {
            target,
            label: registration.label.to_shared(),
            message_type: type_name::<M>(),
            reason: reason(),
            number,
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

    fn mailbox(&self) -> &dyn AnyMailbox {
        &self.queue
    }

    fn system_key(&self) -> Option<usize> {
        self.registration().map(|registration| registration.system.key())
    }

    fn log(&self) -> Option<&LogQueue> {
        self.registration().map(|registration| registration.system.log())
    }

    #[cold]
    fn target_of(&self, message_type: &'static str) -> Target {
        // Read first: it is removed once the process is registered.
        let id = start_order::id(self).map(Label::from);
        let label = self.registration().map(|registration| registration.label.clone()).or(id);
        Target::new(label, message_type, self.queue.is_gone())
    }

    fn label(&self) -> Option<Arc<str>> {
        self.registration().map(|registration| registration.label.to_shared())
    }

    fn state(&self) -> ProcessState {
        match self.queue.attached_incarnation() {
            Some(incarnation) => ProcessState::Alive(self.pid_of(incarnation)),
            None if self.queue.is_closed() => ProcessState::Closed,
            None => ProcessState::Pending,
        }
    }

    fn identity(&self) -> u64 {
        self.registration().map_or(0, |registration| registration.number)
    }

    fn info(&self) -> ProcessInfo {
        let state = self.state();
        let is_attached = state.pid().is_some();
        let relations = self.relations.lock().as_ref().filter(|_| is_attached).map(|own| own.list());
        let (links, monitors) = relations.unwrap_or_default();
        ProcessInfo {
            label: AnyProcess::label(self),
            names: self.queue.names(),
            state,
            identity: AnyProcess::identity(self),
            incarnation: self.queue.latest_incarnation(),
            lifecycle: self.activity.lifecycle(AnyProcess::identity(self)),
            counters: self.queue.counters(),
            busy_for: self.busy_for().map(|(_, time)| time),
            suspended: is_attached && self.activity.is_suspended(),
            trap_exits: is_attached && self.activity.is_trapping(),
            links,
            monitors,
            monitored_by: self.queue.watchers(),
        }
    }

    fn suspensions(&self) -> Suspensions {
        self.activity.suspensions(|| self.age())
    }

    fn busy_for(&self) -> Option<(Pid, Duration)> {
        // The fast path: most incarnations are idle.
        if self.activity.is_idle() {
            return None;
        }
        let incarnation = self.queue.attached_incarnation()?;
        let time = self.activity.busy_for(incarnation, || self.age())?;
        Some((self.pid_of(incarnation), time))
    }

    fn ping(&self, incarnation: u32) {
        self.ping(incarnation);
    }

    fn last_ping(&self) -> Option<Duration> {
        self.activity.last_ping(|| self.age())
    }

    fn drain(&self, reason: ExitReason) -> bool {
        let result = self.queue.drain(reason);
        let is_draining = result.is_ok();
        // A suspended incarnation would leave the queued messages unhandled. Checked afterwards,
        // because a suspension that begins later is ignored.
        if is_draining && self.activity.is_suspended() {
            self.send_control(None, ControlSignal::Resume);
        }
        drop_each(result.err());
        is_draining
    }

    fn send_control(&self, expected: Option<u32>, mut signal: ControlSignal) -> bool {
        if let ControlSignal::Exit(exit) = &mut signal {
            self.resolve_source(exit);
        }
        self.queue.signal(expected, signal)
    }

    fn pending_restart(&self) -> Option<(ExitReason, Duration)> {
        let pending = self.queue.pending_restart()?;
        Some((pending.reason, pending.until.saturating_sub(self.age())))
    }

    fn poll_idle(&self, waker: &Waker) -> Poll<Work> {
        self.queue.poll_idle(waker).map(|traffic| Work { traffic, steps: self.activity.steps() })
    }

    fn start_order(&self) -> &StartOrderSlot {
        &self.start_order
    }

    fn waits_for_this_task(&self) -> bool {
        task::try_id().is_some_and(|caller| self.queue.is_vacant() && start_order::waits_for(self, caller))
    }

    fn relations(&self) -> &RelationsLock {
        &self.relations
    }

    fn link_ended(&self, incarnation: u32, to: Pid, reason: &ExitReason) {
        self.on_link_exit(incarnation, to, reason);
    }
}

impl<M: Send + 'static> Drop for Process<M> {
    /// Closes the mailbox. No address and no incarnation is left, so queued messages become dead
    /// letters.
    fn drop(&mut self) {
        self.close(&ExitReason::NoProcess);
        if let Some(registration) = self.registration.get() {
            registration.system.table().unregister(registration.slot, self.queue.counters());
        }
    }
}
