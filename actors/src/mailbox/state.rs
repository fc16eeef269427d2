//! The state under the senders' lock: the queue, the phase, and when the consumer is woken.

use std::task::Waker;

use tokio::task;

use super::cold::{ColdState, LostRange, SignalQueue};
use crate::control::ControlSignal;
use crate::exit::ExitReason;

/// The phase of the mailbox. The phases up to `Draining` refuse messages.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// No incarnation is attached, and none will follow.
    Closed,
    /// No incarnation is attached, because the last one was drained. The mailbox is closed next, or
    /// opened for the next incarnation.
    Drained,
    /// The latest incarnation is attached and stops once it has handled the queued messages.
    Draining,
    /// No incarnation is attached, but one will follow: the first start, a restart, or a restart of
    /// a supervisor above is pending.
    Detached,
    /// The latest incarnation is attached.
    Attached,
}

/// The event that wakes a parked consumer. Each level includes the levels before it: a consumer
/// that waits for messages is woken by signals too.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Interest {
    /// No event: it is awake.
    Nothing,
    /// A kill: it runs user code that only a kill ends.
    Kill,
    /// Exit signals: it runs a handler, which an exit signal may end.
    Exits,
    /// All signals: it is starting, and a stop may end it.
    Signals,
    /// Messages: it is idle.
    Messages,
}

/// What happened to an accepted message whose reply was dropped.
pub(crate) enum MessageOutcome {
    /// It is queued or being handled, or its incarnation is ending.
    Pending,
    /// Its handler returned, and the incarnation runs on.
    Handled,
    /// It was lost for this reason: in flight, or with a reply that its incarnation kept, or before
    /// it reached an incarnation.
    Lost(ExitReason),
    /// It was evicted to make room for a newer message.
    Evicted,
}

/// The state under the senders' lock.
pub(crate) struct MailboxState<M> {
    pub(crate) phase: Phase,
    /// The number of the latest incarnation, attached or not.
    pub(crate) incarnation: u32,
    /// The number of messages that had settled when the latest incarnation attached.
    pub(crate) first_sequence: u64,
    /// The task of the attached incarnation, if it is known.
    pub(crate) task: Option<task::Id>,
    /// The incarnation is ending: the replies that it kept are being dropped.
    pub(crate) is_ending: bool,
    /// Nothing owns the mailbox: once it is closed, nothing can open it again.
    pub(crate) is_unowned: bool,
    pub(crate) wake_on: Interest,
    /// The init or handler must be polled again: a condition that it waits for may have changed.
    pub(crate) is_poked: bool,
    /// A signal ended the running user code: the message in flight is lost, whatever the reason.
    pub(crate) is_interrupted: bool,
    /// The number of incarnations whose end was not reported completely yet.
    pub(crate) unreported_ends: u32,
    pub(crate) waker: Option<Waker>,
    /// In the order in which they were accepted.
    pub(crate) messages: Vec<M>,
    /// The number of messages that may be queued, batch and reserved places included.
    pub(crate) limit: usize,
    /// The length up to which the queue grows without a check for room. It is 0 if messages are
    /// refused, or if senders wait or places were reserved since the last check.
    pub(crate) admits: usize,
    /// Queue and batch were swapped since the consumer last parked. So either buffer may be large
    /// although it is empty.
    pub(crate) swapped: bool,
    pub(crate) accepted: u64,
    /// The number of messages counted as handled under this lock.
    pub(crate) handled: u64,
    /// The first queued signal, if it came while none was queued. It is kept apart because most
    /// incarnations get one signal, their stop.
    first_signal: Option<ControlSignal>,
    cold: Option<Box<ColdState<M>>>,
}

impl<M> MailboxState<M> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            phase: Phase::Closed,
            incarnation: 0,
            first_sequence: 0,
            task: None,
            is_ending: false,
            is_unowned: false,
            wake_on: Interest::Nothing,
            is_poked: false,
            is_interrupted: false,
            unreported_ends: 0,
            waker: None,
            messages: Vec::new(),
            limit,
            admits: 0,
            swapped: false,
            accepted: 0,
            handled: 0,
            first_signal: None,
            cold: None,
        }
    }

    /// Enqueues a message and returns its sequence number, counted from 1.
    #[inline]
    pub(crate) fn accept(&mut self, message: M) -> u64 {
        self.messages.push(message);
        self.accepted += 1;
        self.accepted
    }

    pub(crate) fn cold(&self) -> Option<&ColdState<M>> {
        self.cold.as_deref()
    }

    pub(crate) fn cold_mut(&mut self) -> Option<&mut ColdState<M>> {
        self.cold.as_deref_mut()
    }

    pub(crate) fn cold_or_init(&mut self) -> &mut ColdState<M> {
        self.cold.get_or_insert_default()
    }

    /// Returns the attached incarnation, if there is one.
    pub(crate) fn attached_incarnation(&self) -> Option<u32> {
        matches!(self.phase, Phase::Attached | Phase::Draining).then_some(self.incarnation)
    }

    /// Returns `true` if messages are refused.
    pub(crate) fn refuses(&self) -> bool {
        self.phase <= Phase::Draining
    }

    /// Takes the pending stop of a draining mailbox. The caller has found the mailbox empty.
    pub(crate) fn take_stop(&mut self) -> Option<ControlSignal> {
        if self.phase != Phase::Draining {
            return None;
        }
        self.cold_mut()?.stop_when_empty.take().map(ControlSignal::Stop)
    }

    /// Enqueues a signal.
    pub(crate) fn push_signal(&mut self, signal: ControlSignal) {
        if self.has_signals() {
            self.cold_or_init().signals.push(signal);
        } else {
            self.first_signal = Some(signal);
        }
    }

    /// Removes the first signal that is `wanted`.
    pub(crate) fn remove_signal(&mut self, wanted: impl Fn(&ControlSignal) -> bool) -> Option<ControlSignal> {
        if self.first_signal.as_ref().is_some_and(&wanted) {
            return self.first_signal.take();
        }
        self.cold_mut()?.signals.remove_first(wanted)
    }

    /// Removes all signals that are `unwanted`.
    pub(crate) fn remove_signals(&mut self, unwanted: impl Fn(&ControlSignal) -> bool) -> Vec<ControlSignal> {
        let first = self.first_signal.take_if(|signal| unwanted(signal));
        let others = self.cold_mut().map(|cold| cold.signals.remove_all(unwanted));
        first.into_iter().chain(others.into_iter().flatten()).collect()
    }

    pub(crate) fn has_signals(&self) -> bool {
        self.first_signal.is_some() || self.cold().is_some_and(|cold| !cold.signals.is_empty())
    }

    /// Takes all signals: the first one, and the others.
    pub(crate) fn take_signals(&mut self) -> (Option<ControlSignal>, SignalQueue) {
        let others = self.cold_mut().map(|cold| cold.signals.take());
        (self.first_signal.take(), others.unwrap_or_default())
    }

    /// Returns `true` if `caller` is the task of the attached incarnation. While such a caller
    /// waits, no message is taken out.
    pub(crate) fn is_run_by(&self, caller: Option<task::Id>) -> bool {
        caller.is_some() && self.task == caller
    }

    /// Counts messages that were lost in flight.
    pub(crate) fn count_lost(&mut self, messages: u64) {
        if messages > 0 {
            self.cold_or_init().not_handled.lost += messages;
        }
    }

    /// Counts messages that no incarnation will handle.
    pub(crate) fn count_dead(&mut self, messages: u64) {
        if messages > 0 {
            self.cold_or_init().not_handled.dead += messages;
        }
    }

    /// Returns `true` if senders wait for room.
    pub(crate) fn has_waiters(&self) -> bool {
        self.cold().and_then(ColdState::room).is_some_and(|room| !room.waiters.is_empty())
    }

    /// Returns the number of reserved places.
    pub(crate) fn reserved(&self) -> usize {
        self.cold().and_then(ColdState::room).map_or(0, |room| room.reserved)
    }

    /// Reserves a place.
    pub(crate) fn reserve(&mut self) {
        self.cold_or_init().room_or_init().reserved += 1;
        self.admits = 0;
    }

    /// Admits the first waiter: enqueues its message, or reserves its place. Returns its waker.
    pub(crate) fn admit_next_waiter(&mut self) -> Option<Waker> {
        let (messages, accepted) = (&mut self.messages, &mut self.accepted);
        let before = *accepted;
        let cold = self.cold.as_deref_mut()?;
        let mut observed = cold.observed.take();
        let admitted = cold.room_mut().and_then(|room| {
            room.reserved += usize::from(room.waiters.front_wants_permit());
            room.waiters.admit_next(|ticket, message| {
                messages.push(message);
                *accepted += 1;
                if let Some(senders) = observed.as_mut().and_then(|observed| observed.senders.as_mut()) {
                    senders.admit(ticket, *accepted);
                }
                *accepted
            })
        });
        (cold.observed, self.admits) = (observed, 0);
        if self.accepted > before {
            self.stamp(self.accepted);
        }
        admitted
    }

    /// Takes the waker of the consumer if it waits for this event.
    pub(crate) fn take_waker_if(&mut self, at_least: Interest) -> Option<Waker> {
        if self.wake_on < at_least {
            return None;
        }
        self.wake_on = Interest::Nothing;
        self.waker.take()
    }

    /// Records why messages were lost, for their callers. Returns the oldest range if it was pushed
    /// out. The caller drops it outside the locks.
    #[must_use]
    pub(crate) fn record_lost(&mut self, first: u64, last: u64, reason: &ExitReason) -> Option<LostRange> {
        if first <= last { self.cold_or_init().not_handled.record_lost(last, reason) } else { None }
    }

    /// Settles the messages that were evicted behind the one in flight, which has settled now.
    pub(crate) fn settle_evicted(&mut self) {
        if let Some(cold) = self.cold.as_deref_mut() {
            cold.not_handled.settle_evicted();
        }
    }

    /// Returns the outcome of message `sequence`, where all messages up to `settled` have settled
    /// (invariant 3). An eviction is known at once, even before the message in flight ahead of it
    /// settles.
    pub(crate) fn outcome(&self, sequence: u64, settled: u64) -> MessageOutcome {
        let not_handled = self.cold().map(|cold| &cold.not_handled);
        if not_handled.is_some_and(|not_handled| not_handled.is_evicted(sequence)) {
            return MessageOutcome::Evicted;
        }
        if sequence > settled || (self.is_ending && sequence > self.first_sequence) {
            return MessageOutcome::Pending;
        }
        match not_handled.and_then(|not_handled| not_handled.reason(sequence)) {
            Some(reason) => MessageOutcome::Lost(reason.clone()),
            None => MessageOutcome::Handled,
        }
    }
}
