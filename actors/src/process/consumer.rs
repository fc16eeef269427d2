//! The end of a mailbox that one incarnation holds for as long as it lives.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::report::{IncarnationExit, Parent, ExitNotifier};
use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{ignore_panic, run_elsewhere};
use crate::log::EndKind;
use crate::mailbox::NextEvent;
use crate::control::{InspectState, ControlSignal};
use crate::pid::Pid;
use crate::system::{LifecycleEvent, System};

/// How many messages an incarnation handles before it lets its neighbours run. Tokio's own budget is as large.
const BUDGET: u32 = 128;

/// What an incarnation has to act on next.
#[derive(Debug)]
#[non_exhaustive]
pub enum MailboxEvent<M> {
    /// It was told to stop, ahead of all messages.
    Stop(ExitReason),
    /// A message, which now is the incarnation's.
    Message(M),
    /// It was killed: it should [end](MailboxConsumer::end) at once.
    Killed,
    /// Its mailbox was taken away from it. There is nothing more for it to do.
    Detached,
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum StartPhase {
    /// It is complete when the init returns.
    Init,
    /// The init runs, and wants it to be complete only when the actor says so.
    InitForLater,
    /// The init has returned, and the actor has not said so yet.
    Later,
    /// It is complete.
    Started,
}

/// The end of a mailbox that one incarnation holds.
///
/// Dropped without a word, which is what happens when a runtime goes away, it ends the incarnation as killed.
pub struct MailboxConsumer<M: Send + 'static> {
    process: Arc<Process<M>>,
    system: System,
    incarnation: u32,
    budget: u32,
    progress: StartPhase,
    /// Set once it was told to stop. Nothing suspends it from then on, so that it can come to its
    /// end.
    stopping: bool,
    host_logs_end: bool,
    reporter: Option<ExitNotifier>,
}

impl<M: Send + 'static> MailboxConsumer<M> {
    pub(super) const fn new(
        process: Arc<Process<M>>,
        system: System,
        incarnation: u32,
        reporter: ExitNotifier,
    ) -> Self {
        Self {
            process,
            system,
            incarnation,
            budget: BUDGET,
            progress: StartPhase::Init,
            stopping: false,
            host_logs_end: false,
            reporter: Some(reporter),
        }
    }

    /// This incarnation.
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

    /// Says that the start succeeded; not if the mailbox was taken away meanwhile.
    pub fn started(&mut self) {
        if self.is_attached() {
            self.complete_start();
        }
    }

    fn complete_start(&mut self) {
        self.progress = StartPhase::Started;
        let pid = self.pid();
        self.process.publish(|label| LifecycleEvent::Started { pid, label });
        if let Some(reporter) = &mut self.reporter {
            // It wakes whoever waits for the start.
            ignore_panic(|| reporter.started());
        }
    }

    /// Puts off the end of the start, from when the init returns to when [`ready`](Self::ready) is called; in an init only.
    pub(crate) fn defer_ready(&mut self) {
        if self.progress == StartPhase::Init {
            self.progress = StartPhase::InitForLater;
        }
    }

    /// Says that the start succeeded, if that was put off. In the init that put it off, this takes that back.
    pub(crate) fn ready(&mut self) {
        match self.progress {
            StartPhase::InitForLater => self.progress = StartPhase::Init,
            StartPhase::Later => self.started(),
            StartPhase::Init | StartPhase::Started => {}
        }
    }

    /// The init returned: says that the start succeeded, unless that was put off.
    pub(crate) fn init_returned(&mut self) {
        if !self.is_attached() {
            return;
        }
        // What it does from now on is another thing, should anybody look as soon as it is told of the start.
        self.process.activity.begin_step();
        if self.progress == StartPhase::InitForLater {
            self.progress = StartPhase::Later;
        } else {
            self.complete_start();
        }
    }

    /// The incarnation is about to end: a start that is not complete by now has failed.
    pub(crate) fn mark_ending(&mut self) {
        if self.progress == StartPhase::Later {
            self.progress = StartPhase::Init;
        }
    }

    /// What is next; to ask says that the message before it was handled. Wakes the task when there is something.
    ///
    /// After 128 messages in a row it is pending once, so that neighbours and timers get their turn. Exit signals of anybody
    /// but the owner do not disturb it: a host is not linked to anybody.
    ///
    /// While it is [suspended](crate::ActorHandle::suspend), messages wait and stops act. A host that
    /// does something besides its messages asks whether it [is](Self::is_suspended) after every
    /// call.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<MailboxEvent<M>> {
        loop {
            let next = if self.is_suspended() { self.poll_signal(cx) } else { self.poll_mailbox(cx) };
            match next {
                Poll::Ready(NextEvent::Signal(order)) => {
                    if let Some(reason) = self.handle_control(order) {
                        return Poll::Ready(MailboxEvent::Stop(reason));
                    }
                }
                Poll::Ready(NextEvent::Message(message)) => return Poll::Ready(MailboxEvent::Message(message)),
                Poll::Ready(NextEvent::Killed) => return Poll::Ready(MailboxEvent::Killed),
                Poll::Ready(NextEvent::Detached) => return Poll::Ready(MailboxEvent::Detached),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Acts on a signal as a host does. Returns the reason if it is a stop.
    pub(super) fn handle_control(&mut self, order: ControlSignal) -> Option<ExitReason> {
        match order {
            ControlSignal::Stop(reason) => {
                self.begin_stop();
                return Some(reason);
            }
            ControlSignal::Suspend if !self.stopping => self.process.activity.suspend(),
            ControlSignal::Resume => self.process.resume(),
            ControlSignal::Inspect(look) => offer_nothing(look),
            ControlSignal::Suspend | ControlSignal::Exit(_) | ControlSignal::Down { .. } => {}
        }
        None
    }

    /// Returns `true` while messages are to wait: see [`ActorHandle::suspend`](crate::ActorHandle::suspend).
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.process.activity.is_suspended()
    }

    /// Ends a suspension, and ignores those that come later: it is on its way to its end, for which
    /// it may need messages.
    pub fn begin_stop(&mut self) {
        self.stopping = true;
        self.process.resume();
    }

    /// What is next of the mailbox, whatever it is.
    #[inline]
    pub(crate) fn poll_mailbox(&mut self, cx: &mut Context<'_>) -> Poll<NextEvent<M>> {
        if self.is_exhausted(cx) {
            return Poll::Pending;
        }
        let next = self.process.queue.poll_next(self.incarnation, cx);
        self.charge_budget(next)
    }

    /// The next message of those that were taken out of the mailbox already, if nothing comes before it.
    #[inline]
    pub(crate) fn try_next_message(&mut self) -> Option<M> {
        if self.budget == 0 {
            return None;
        }
        let message = self.process.queue.take(self.incarnation)?;
        self.process.activity.begin_step();
        self.budget -= 1;
        Some(message)
    }

    /// The next signal; messages wait.
    pub(crate) fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<NextEvent<M>> {
        if self.is_exhausted(cx) {
            return Poll::Pending;
        }
        self.handled();
        let next = self.process.queue.poll_signal(self.incarnation, cx.waker());
        self.charge_budget(next)
    }

    /// Returns how many things it may still do before its neighbours have their turn.
    pub(crate) const fn budget(&self) -> u32 {
        self.budget
    }

    /// Sets the budget back to what it was before a look at the mailbox.
    pub(crate) const fn set_budget(&mut self, budget: u32) {
        self.budget = budget;
    }

    /// Begins to act on something that did not come through the mailbox; not if the mailbox was taken away.
    pub(crate) fn begin_self_message(&mut self) -> bool {
        if !self.process.queue.mark_awake(self.incarnation) {
            return false;
        }
        self.process.activity.begin_step();
        self.budget = self.budget.saturating_sub(1);
        true
    }

    /// Begins to act on another thing within the same handler; not if something more urgent waits, it has had its turn, or the mailbox was
    /// taken away.
    pub(crate) fn consume_budget(&mut self) -> bool {
        if self.budget == 0 || self.process.queue.has_signal() || !self.is_attached() {
            return false;
        }
        self.process.activity.begin_step();
        self.budget -= 1;
        true
    }

    /// Whether it has had its turn. Then it lets its neighbours have theirs, and goes on at once.
    #[inline]
    pub(crate) fn is_exhausted(&mut self, cx: &Context<'_>) -> bool {
        if self.budget > 0 {
            return false;
        }
        self.budget = BUDGET;
        // Whoever is kept from it now is not kept by this one; nor does one that has lost its mailbox speak for the next.
        if self.process.queue.ack(self.incarnation) {
            self.process.activity.mark_idle();
        }
        cx.waker().wake_by_ref();
        true
    }

    #[inline]
    fn charge_budget(&mut self, next: Poll<NextEvent<M>>) -> Poll<NextEvent<M>> {
        match next {
            Poll::Ready(NextEvent::Detached) => {}
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

    /// Says that the message in hand was handled, without asking for another: an end that follows does not lose it.
    pub fn handled(&mut self) {
        self.process.queue.ack(self.incarnation);
    }

    /// Has the end of this incarnation logged at debug level only, whatever its reason: the host logs
    /// what led to it. A supervisor that ends does so because of children, which have lines of their own.
    pub const fn set_host_logs_end(&mut self) {
        self.host_logs_end = true;
    }

    /// Ends the incarnation: first everybody who waits for it is told, then the parent, who may start the next one.
    /// An incarnation whose mailbox was taken away has ended before and says nothing.
    pub fn end(mut self, reason: ExitReason) {
        self.finish(reason, false);
    }

    fn finish(&mut self, reason: ExitReason, is_dropped: bool) {
        let Some(reporter) = self.reporter.take() else { return };
        let started = self.progress == StartPhase::Started;
        let kind = match started {
            _ if is_dropped => EndKind::RuntimeGone,
            _ if self.host_logs_end => EndKind::LoggedByHost,
            true => EndKind::Started,
            false => EndKind::StartFailed,
        };
        let remains = if reporter.is_supervised() {
            self.process.detach(self.incarnation, &reason, kind)
        } else {
            self.process.detach_and_close(self.incarnation, &reason, kind)
        };
        let Some(remains) = remains else { return };
        let end = IncarnationExit { pid: self.pid(), reason, started, dropped: remains.dropped };
        ignore_panic(|| reporter.ended(end));
        self.process.queue.end_reported();
        // Last: it may take its time, and by now everything that concerns others is done.
        drop(remains);
    }

    /// Whether the mailbox was not taken away from it.
    pub(crate) fn is_attached(&self) -> bool {
        self.process.queue.served_by() == Some(self.incarnation)
    }

    /// Returns the parent that is told of its end, if there is one.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<dyn Parent>> {
        match &self.reporter {
            Some(ExitNotifier::Parent(parent, _)) => Some(parent),
            _ => None,
        }
    }

    /// The system that it lives in.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }
}

/// Answers a look at a host, which has no state to offer. The closure that was to look is a user's: it is dropped in a
/// task of its own, because a host may be a supervisor.
fn offer_nothing(InspectState(look): InspectState) {
    run_elsewhere(|| look(None));
}

impl<M: Send + 'static> Drop for MailboxConsumer<M> {
    fn drop(&mut self) {
        self.finish(ExitReason::Killed, true);
    }
}

impl<M: Send + 'static> std::fmt::Debug for MailboxConsumer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment").field("pid", &self.pid()).finish_non_exhaustive()
    }
}
