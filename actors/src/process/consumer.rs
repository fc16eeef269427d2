//! The consumer side of a mailbox, which one incarnation holds.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::ending::DeferredDrop;
use super::report::{ExitNotifier, IncarnationExit, Parent};
use super::shared::Process;
use crate::control::{ControlSignal, InspectState};
use crate::exit::ExitReason;
use crate::foreign::{ignore_panic, run_elsewhere};
use crate::log::EndKind;
use crate::mailbox::{AnyMailbox, Event, Interest, Taken};
use crate::pid::Pid;
use crate::system::{LifecycleEvent, LifecycleState, System};

/// The number of messages that an incarnation handles before it yields. Tokio's own budget is as
/// large.
const BUDGET: u8 = 128;

/// What an incarnation must act on next.
#[derive(Debug)]
#[non_exhaustive]
pub enum MailboxEvent<M> {
    /// The incarnation was told to stop. This goes before all messages.
    Stop(ExitReason),
    /// A message. It is in flight now.
    Message(M),
    /// The incarnation was killed. It should [end](MailboxConsumer::end) at once.
    Killed,
    /// The mailbox was taken away from the incarnation. Nothing is left to do.
    Detached,
}

/// The progress of a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum StartPhase {
    /// The init runs. The start is complete when it returns.
    Init,
    /// The init runs. The start is complete when the actor reports that it is ready.
    InitDeferred,
    /// The init has returned. The actor has not reported yet that it is ready.
    AwaitingReady,
    /// The start is complete.
    Started,
}

/// The consumer side of a mailbox, which one incarnation holds.
///
/// A drop without [`end`](Self::end), as at the shutdown of a runtime, ends the incarnation as
/// killed.
pub struct MailboxConsumer<M: Send + 'static> {
    process: Arc<Process<M>>,
    system: System,
    incarnation: u32,
    budget: u8,
    start_phase: StartPhase,
    /// Set once the incarnation was told to stop. Later suspensions are ignored, so that it can
    /// come to its end.
    stopping: bool,
    host_logs_end: bool,
    notifier: Option<ExitNotifier>,
}

impl<M: Send + 'static> MailboxConsumer<M> {
    pub(super) const fn new(
        process: Arc<Process<M>>,
        system: System,
        incarnation: u32,
        notifier: ExitNotifier,
    ) -> Self {
        Self {
            process,
            system,
            incarnation,
            budget: BUDGET,
            start_phase: StartPhase::Init,
            stopping: false,
            host_logs_end: false,
            notifier: Some(notifier),
        }
    }

    /// Returns the pid of this incarnation.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid_of(self.incarnation)
    }

    pub(crate) const fn process(&self) -> &Arc<Process<M>> {
        &self.process
    }

    pub(crate) const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Reports that the start succeeded. Does nothing if the mailbox was taken away.
    pub fn started(&mut self) {
        if self.is_attached() {
            self.complete_start();
        }
    }

    fn complete_start(&mut self) {
        self.start_phase = StartPhase::Started;
        let pid = self.pid();
        self.process.publish(LifecycleState::Started(pid), |label| LifecycleEvent::Started { pid, label });
        if let Some(notifier) = &mut self.notifier {
            // This wakes the task that waits for the start.
            ignore_panic(|| notifier.started());
        }
    }

    /// Defers the completion of the start until [`ready`](Self::ready) is called. Has an effect in
    /// an init only.
    pub(crate) fn defer_ready(&mut self) {
        if self.start_phase == StartPhase::Init {
            self.start_phase = StartPhase::InitDeferred;
        }
    }

    /// Reports that the start succeeded, if it was deferred. In the init that deferred it, it
    /// cancels the deferral.
    pub(crate) fn ready(&mut self) {
        match self.start_phase {
            StartPhase::InitDeferred => self.start_phase = StartPhase::Init,
            StartPhase::AwaitingReady => self.started(),
            StartPhase::Init | StartPhase::Started => {}
        }
    }

    /// Handles the return of the init: reports that the start succeeded, unless it was deferred.
    pub(crate) fn init_returned(&mut self) {
        if !self.is_attached() {
            return;
        }
        // A new step, for an observer that checks as soon as it is notified of the start.
        self.process.activity.begin_step();
        if self.start_phase == StartPhase::InitDeferred {
            self.start_phase = StartPhase::AwaitingReady;
        } else {
            self.complete_start();
        }
    }

    /// Marks the incarnation as ending: a start that is not complete by now has failed.
    pub(crate) fn mark_ending(&mut self) {
        if self.start_phase == StartPhase::AwaitingReady {
            self.start_phase = StartPhase::Init;
        }
    }

    /// Returns the next event. Counts the previous message as handled. Wakes the task when there is
    /// an event.
    ///
    /// After 128 messages in a row it is pending once, so that other tasks and timers can run. Exit
    /// signals have no effect: a host is not linked to any process.
    ///
    /// While the incarnation is [suspended](crate::ActorHandle::suspend), messages wait, and a stop
    /// is delivered. A host that does other work besides its messages checks
    /// [`is_suspended`](Self::is_suspended) after every call.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<MailboxEvent<M>> {
        loop {
            let next = self.poll_one(cx);
            if let Some(next) = self.host_event(next) {
                return next;
            }
        }
    }

    /// Returns what a host must act on. Returns `None` for a signal on which the consumer itself
    /// has acted.
    pub(super) fn host_event<T>(&mut self, event: Poll<Event<T>>) -> Option<Poll<MailboxEvent<T>>> {
        let Poll::Ready(event) = event else { return Some(Poll::Pending) };
        let event = match event {
            Event::Signal(signal) => MailboxEvent::Stop(self.handle_control(signal)?),
            Event::Message(message) => MailboxEvent::Message(message),
            Event::Killed => MailboxEvent::Killed,
            Event::Detached => MailboxEvent::Detached,
        };
        Some(Poll::Ready(event))
    }

    /// Acts on a control signal as a host does. Returns the reason if the signal is a stop.
    fn handle_control(&mut self, signal: ControlSignal) -> Option<ExitReason> {
        match signal {
            ControlSignal::Stop(reason) => {
                self.begin_stop();
                return Some(reason);
            }
            ControlSignal::Suspend if !self.stopping => self.process.suspend(),
            ControlSignal::Resume => self.process.resume(),
            ControlSignal::Inspect(inspect) => inspect_without_state(inspect),
            ControlSignal::Suspend | ControlSignal::Exit(_) | ControlSignal::Down { .. } => {}
        }
        None
    }

    /// Returns `true` while the incarnation is [suspended](crate::ActorHandle::suspend), and
    /// messages must wait.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.process.activity.is_suspended()
    }

    /// Ends a suspension and ignores later ones. The incarnation is stopping, and may need messages
    /// for that.
    pub fn begin_stop(&mut self) {
        self.stopping = true;
        self.process.resume();
    }

    /// Returns the next of the messages that were taken, if nothing goes before it and the budget
    /// is not used up.
    #[inline]
    pub(crate) fn next_taken(&mut self, taken: &mut Taken<'_, M>) -> Option<M> {
        if self.budget == 0 {
            return None;
        }
        let message = taken.next()?;
        self.process.activity.begin_step();
        self.budget -= 1;
        Some(message)
    }

    /// Returns the next event of the mailbox, of any kind. Takes one message, and none while the
    /// incarnation is suspended.
    pub(crate) fn poll_one(&mut self, cx: &Context<'_>) -> Poll<Event<M>> {
        if self.is_exhausted(cx) {
            return Poll::Pending;
        }
        let interest = if self.is_suspended() { Interest::Signals } else { Interest::Messages };
        let next = self.process.queue.poll(self.incarnation, interest, cx.waker());
        self.charge_budget(next)
    }

    /// Returns the same as [`poll_one`](Self::poll_one). Several messages may be taken at once.
    pub(crate) fn poll_several(&mut self, taken: &mut Taken<'_, M>, cx: &Context<'_>) -> Poll<Event<M>> {
        if self.is_suspended() {
            return self.poll_one(cx);
        }
        if self.is_exhausted(cx) {
            return Poll::Pending;
        }
        let next = taken.poll(cx.waker());
        self.charge_budget(next)
    }

    /// Returns how many events the incarnation may handle before it yields.
    pub(crate) const fn budget(&self) -> u8 {
        self.budget
    }

    /// Restores the budget to its value before a check of the mailbox.
    pub(crate) const fn set_budget(&mut self, budget: u8) {
        self.budget = budget;
    }

    /// Begins to act on a message that did not come through the mailbox. Returns `false` if the
    /// mailbox was taken away.
    pub(crate) fn begin_self_message(&mut self) -> bool {
        if !self.process.queue.mark_awake(self.incarnation) {
            return false;
        }
        self.process.activity.begin_step();
        self.budget = self.budget.saturating_sub(1);
        true
    }

    /// Begins another step within the same handler. Returns `false` if a signal is pending, the
    /// budget is used up, or the mailbox was taken away.
    pub(crate) fn consume_budget(&mut self) -> bool {
        if self.budget == 0 || self.process.queue.has_signal() || !self.is_attached() {
            return false;
        }
        self.process.activity.begin_step();
        self.budget -= 1;
        true
    }

    /// Returns `true` if the budget is used up. Then the task yields once and is woken at once.
    #[inline]
    pub(crate) fn is_exhausted(&mut self, cx: &Context<'_>) -> bool {
        if self.budget > 0 {
            return false;
        }
        self.budget = BUDGET;
        // While it yields, it delays no message, so it is idle. An incarnation that has lost its
        // mailbox must not mark its successor as idle.
        if self.process.queue.ack(self.incarnation) {
            self.process.activity.mark_idle();
        }
        cx.waker().wake_by_ref();
        true
    }

    fn charge_budget(&mut self, next: Poll<Event<M>>) -> Poll<Event<M>> {
        match next {
            Poll::Ready(Event::Detached) => {}
            Poll::Ready(_) => {
                self.process.activity.begin_step();
                self.budget -= 1;
            }
            Poll::Pending => {
                self.process.activity.mark_idle();
                self.budget = BUDGET;
            }
        }
        next
    }

    /// Counts the message in flight as handled, without taking another. An end that follows does
    /// not lose it.
    pub fn handled(&mut self) {
        self.process.queue.ack(self.incarnation);
    }

    /// Makes the end of this incarnation log at debug level only, whatever its reason, because the
    /// host logs the cause. A supervisor ends because of children, whose ends are logged.
    pub const fn set_host_logs_end(&mut self) {
        self.host_logs_end = true;
    }

    /// Ends the incarnation. Does nothing if the mailbox was taken away, because that was its end.
    ///
    /// # Ordering
    ///
    /// Callers, links and monitors are notified first, then the parent, which may start the next
    /// incarnation.
    pub fn end(mut self, reason: ExitReason) {
        self.finish(reason, false);
    }

    fn finish(&mut self, reason: ExitReason, is_dropped: bool) {
        let Some(notifier) = self.notifier.take() else { return };
        // A callback may have ended without another poll: an init panics before there is a future,
        // and a runtime is shut down. While it is attached, one load finds that there is none.
        if self.process.queue.may_be_observed(self.incarnation) {
            self.process.end_callback(self.incarnation);
        }
        let started = self.start_phase == StartPhase::Started;
        let kind = match started {
            _ if is_dropped => EndKind::RuntimeGone,
            _ if self.host_logs_end => EndKind::LoggedByHost,
            true => EndKind::Started,
            false => EndKind::StartFailed,
        };
        let is_last = !notifier.is_supervised();
        let mut deferred = DeferredDrop::new();
        if !self.process.end(self.incarnation, &reason, kind, is_last, &mut deferred) {
            return;
        }
        let end = IncarnationExit { pid: self.pid(), reason, started, dropped: deferred.dropped };
        ignore_panic(|| notifier.ended(end));
        self.process.queue.end_reported();
        // Last, because it may take long. By now every notification was sent.
        drop(deferred);
    }

    /// Returns `true` if the mailbox was not taken away.
    pub(crate) fn is_attached(&self) -> bool {
        self.process.queue.attached_incarnation() == Some(self.incarnation)
    }

    /// Returns the parent that is notified of the end, if there is one.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<dyn Parent>> {
        match &self.notifier {
            Some(ExitNotifier::Parent(parent, _)) => Some(parent),
            _ => None,
        }
    }

    /// Returns the system of the actor.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }
}

/// Answers an inspection of a host, which has no state to show. The closure belongs to a user. It
/// runs and is dropped in a task of its own, because a host may be a supervisor.
fn inspect_without_state(InspectState(inspect): InspectState) {
    run_elsewhere(|| inspect(None));
}

impl<M: Send + 'static> Drop for MailboxConsumer<M> {
    fn drop(&mut self) {
        self.finish(ExitReason::Killed, true);
    }
}

impl<M: Send + 'static> std::fmt::Debug for MailboxConsumer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailboxConsumer").field("pid", &self.pid()).finish_non_exhaustive()
    }
}
