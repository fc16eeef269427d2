//! The consumer's operations: take the next event, or wait for it.

use std::task::{Context, Poll, Waker};

use super::shared::{EVICTED, KILL, Mailbox, OUTCOME_WAITERS, SENDERS_WAITING, SIGNAL, settled_count};
use super::state::{Interest, MailboxState};
use crate::control::ControlSignal;
use crate::foreign::wake_each;
use crate::sync::Ordering;

/// What an incarnation must act on next.
#[derive(Debug)]
pub(crate) enum NextEvent<M> {
    /// A signal, ahead of all messages.
    Signal(ControlSignal),
    /// A message, which is in flight now.
    Message(M),
    /// The incarnation was killed.
    Killed,
    /// The mailbox was taken away from this incarnation.
    Detached,
}

/// The result of an attempt to park inside user code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ParkResult {
    /// The consumer is parked.
    Parked,
    /// There is a signal to act on, or the code must be polled again.
    Signalled,
    /// The incarnation was killed, or the mailbox was taken away from it.
    Ended,
}

impl<M> Mailbox<M> {
    /// Returns the next event. Counts the previous message as handled.
    // The path of a batched message is inlined into the code of the actor, so that the message is
    // not copied from call to call. These copies would cost more than all the rest. The rare part
    // stays out of line.
    #[inline]
    pub(crate) fn poll_next(&self, incarnation: u32, cx: &mut Context<'_>) -> Poll<NextEvent<M>> {
        match self.take(incarnation) {
            Some(message) => Poll::Ready(NextEvent::Message(message)),
            None => self.refill(incarnation, cx.waker()),
        }
    }

    /// Takes the next message of the batch, unless an event flag is set (invariant 6).
    #[inline]
    pub(crate) fn take(&self, incarnation: u32) -> Option<M> {
        // The consumer shortens the batch, and so does a sender that evicts the oldest message. In
        // both cases the consumer finds the batch empty and checks the state.
        if self.batch_len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut batch = self.batch.lock();
        if self.flags.any() || !batch.is_owned_by(incarnation) {
            return None;
        }
        let message = batch.messages.pop_front()?;
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        batch.handled += self.swap_in_flight(1);
        Some(message)
    }

    /// Checks everything: signals first, then the batch, then the queue. Parks if there is nothing.
    /// A nearly empty mailbox, as under calls, needs only the state lock.
    #[inline(never)]
    fn refill(&self, incarnation: u32, waker: &Waker) -> Poll<NextEvent<M>> {
        let Some(mut state) = self.lock_attached(incarnation) else {
            return Poll::Ready(NextEvent::Detached);
        };
        state.handled += self.swap_in_flight(0);
        let mut wakers = Vec::new();
        let urgent = if self.flags.any() { self.next_urgent(&mut state, &mut wakers) } else { None };
        let next = urgent
            .or_else(|| self.next_message(&mut state).map(NextEvent::Message))
            .or_else(|| state.take_stop().map(NextEvent::Signal));
        if self.flags.has(SENDERS_WAITING) {
            wakers.extend(self.admit(&mut state, Some(self.batch_len.load(Ordering::Relaxed))));
        }
        if next.is_none() {
            self.park(&mut state, waker);
            wakers.append(&mut self.take_idle_wakers(&mut state));
        }
        self.parked_incarnation.store(if next.is_none() { incarnation } else { 0 }, Ordering::Relaxed);
        drop(state);
        if !wakers.is_empty() {
            wake_each(wakers);
        }
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// Parks the consumer on an empty mailbox. Both queues are empty, and so is the wait queue,
    /// because no sender waits while there is room (invariant 7).
    pub(super) fn park(&self, state: &mut MailboxState<M>, waker: &Waker) {
        shrink(&mut state.messages);
        if std::mem::take(&mut state.swapped) {
            shrink(&mut self.batch.lock().messages);
        }
        register_waker(state, waker, Interest::Messages);
    }

    /// Returns the event that goes before all messages, if there is one.
    fn next_urgent(&self, state: &mut MailboxState<M>, wakers: &mut Vec<Waker>) -> Option<NextEvent<M>> {
        self.settle_evicted(state);
        *wakers = self.take_outcome_wakers(state);
        if self.flags.has(KILL) {
            Some(NextEvent::Killed)
        } else {
            self.next_signal(state).map(NextEvent::Signal)
        }
    }

    /// Takes the next message and puts it in flight. It comes from the batch, or else from the
    /// queue, whose rest is the next batch.
    pub(super) fn next_message(&self, state: &mut MailboxState<M>) -> Option<M> {
        let message = if self.batch_len.load(Ordering::Relaxed) == 0 {
            let message = state.messages.pop_front()?;
            if !state.messages.is_empty() {
                let mut batch = self.batch.lock();
                std::mem::swap(&mut state.messages, &mut batch.messages);
                self.batch_len.store(batch.len(), Ordering::Relaxed);
                state.swapped = true;
            }
            message
        } else {
            let mut batch = self.batch.lock();
            let message = batch.messages.pop_front()?;
            self.batch_len.store(batch.len(), Ordering::Relaxed);
            message
        };
        self.swap_in_flight(1);
        Some(message)
    }

    /// Counts the message in flight as handled. Returns `false` if the incarnation is not attached
    /// any more.
    pub(crate) fn ack(&self, incarnation: u32) -> bool {
        let mut batch = self.batch.lock();
        let attached = batch.is_owned_by(incarnation);
        if attached {
            batch.handled += self.swap_in_flight(0);
        }
        attached
    }

    /// Sets the in-flight count (0 or 1) and returns the previous one. The caller holds a lock
    /// under which it verified that the incarnation is attached.
    pub(super) fn swap_in_flight(&self, messages: u8) -> u64 {
        // Not one atomic step, and need not be: no other thread writes meanwhile.
        let before = self.in_flight.load(Ordering::Relaxed);
        self.in_flight.store(messages, Ordering::Relaxed);
        u64::from(before)
    }

    /// Counts the message in flight as handled. Returns the wakers of the tasks whose awaited
    /// outcome is decided by that.
    pub(super) fn settle_previous(&self, state: &mut MailboxState<M>) -> Vec<Waker> {
        state.handled += self.swap_in_flight(0);
        self.settle_evicted(state);
        self.take_outcome_wakers(state)
    }

    /// Settles the messages that were evicted behind the one in flight, which has settled now.
    pub(super) fn settle_evicted(&self, state: &mut MailboxState<M>) {
        if self.flags.has(EVICTED) {
            state.settle_evicted();
            self.flags.clear(EVICTED);
        }
    }

    /// Takes the wakers of the tasks whose awaited outcome is decided by now.
    pub(super) fn take_outcome_wakers(&self, state: &mut MailboxState<M>) -> Vec<Waker> {
        if !self.flags.has(OUTCOME_WAITERS) {
            return Vec::new();
        }
        let up_to = settled_count(state, &self.batch.lock());
        self.settled_up_to(state, up_to)
    }

    /// Takes the outcome wakers up to a message, for a caller that knows how many have settled.
    pub(super) fn settled_up_to(&self, state: &mut MailboxState<M>, up_to: u64) -> Vec<Waker> {
        let Some(cold) = state.cold_mut() else { return Vec::new() };
        let decided = cold.take_outcome_wakers(up_to);
        if cold.outcome_wakers.is_empty() {
            self.flags.clear(OUTCOME_WAITERS);
        }
        decided
    }

    fn next_signal(&self, state: &mut MailboxState<M>) -> Option<ControlSignal> {
        self.remove_signal(state, 0)
    }

    fn remove_signal(&self, state: &mut MailboxState<M>, at: usize) -> Option<ControlSignal> {
        let signals = &mut state.cold_mut()?.signals;
        let signal = signals.remove(at)?;
        if signals.is_empty() {
            self.flags.clear(SIGNAL);
        }
        Some(signal)
    }

    /// Parks inside user code, to be woken by a kill, and also by exit signals or all signals if
    /// `interest` says so. Does nothing if the consumer is parked on its mailbox. A queued signal
    /// prevents parking only if it is one to act on inside user code.
    pub(crate) fn park_in_handler(
        &self,
        incarnation: u32,
        interest: Interest,
        to_act_on: impl Fn(&ControlSignal) -> bool,
        waker: &Waker,
    ) -> ParkResult {
        if self.parked_incarnation.load(Ordering::Relaxed) == incarnation {
            return ParkResult::Parked;
        }
        let Some(mut state) = self.lock_attached(incarnation).filter(|_| !self.flags.has(KILL)) else {
            return ParkResult::Ended;
        };
        if std::mem::take(&mut state.is_poked)
            || (interest >= Interest::Exits && state.signals().any(to_act_on))
        {
            return ParkResult::Signalled;
        }
        register_waker(&mut state, waker, interest);
        ParkResult::Parked
    }

    /// Returns `true` if an incarnation is to be killed: this one, or its successor.
    pub(crate) fn is_killed(&self) -> bool {
        self.flags.has(KILL)
    }

    /// Takes the first signal that ends the running user code. The others stay queued.
    ///
    /// The message in flight is lost with the incarnation, whatever the reason, because its handler
    /// does not return.
    pub(crate) fn take_signal(
        &self,
        incarnation: u32,
        to_act_on: impl Fn(&ControlSignal) -> bool,
    ) -> Option<ControlSignal> {
        if !self.flags.has(SIGNAL) {
            return None;
        }
        let mut state = self.lock_attached(incarnation)?;
        let first = state.signals().position(to_act_on)?;
        state.is_interrupted = true;
        self.remove_signal(&mut state, first)
    }

    /// Removes queued signals that the incarnation does not want any more. The caller drops them
    /// outside the lock.
    pub(crate) fn retract_signals(
        &self,
        incarnation: u32,
        unwanted: impl Fn(&ControlSignal) -> bool,
    ) -> Vec<ControlSignal> {
        let Some(mut state) = self.lock_attached(incarnation) else { return Vec::new() };
        let Some(cold) = state.cold_mut() else { return Vec::new() };
        let (retracted, kept): (Vec<_>, _) =
            std::mem::take(&mut cold.signals).into_iter().partition(unwanted);
        cold.signals = kept.into();
        if cold.signals.is_empty() {
            self.flags.clear(SIGNAL);
        }
        retracted
    }

    /// Returns the next signal, for a consumer that takes no messages now. Parks on signals if
    /// there is none.
    pub(crate) fn poll_signal(&self, incarnation: u32, waker: &Waker) -> Poll<NextEvent<M>> {
        let Some(mut state) = self.lock_attached(incarnation) else {
            return Poll::Ready(NextEvent::Detached);
        };
        if self.flags.has(KILL) {
            return Poll::Ready(NextEvent::Killed);
        }
        if let Some(signal) = self.next_signal(&mut state) {
            self.parked_incarnation.store(0, Ordering::Relaxed);
            return Poll::Ready(NextEvent::Signal(signal));
        }
        register_waker(&mut state, waker, Interest::Signals);
        self.parked_incarnation.store(incarnation, Ordering::Relaxed);
        Poll::Pending
    }

    /// Marks the consumer as awake for a reason outside the mailbox, and counts the previous
    /// message as handled. Returns `false` if it is not attached any more.
    ///
    /// Tasks that wait for the outcome of that message are woken here, because it may be long until
    /// the consumer checks its mailbox again.
    pub(crate) fn mark_awake(&self, incarnation: u32) -> bool {
        let Some(mut state) = self.lock_attached(incarnation) else { return false };
        state.wake_on = Interest::Nothing;
        self.parked_incarnation.store(0, Ordering::Relaxed);
        let wakers = self.settle_previous(&mut state);
        drop(state);
        if !wakers.is_empty() {
            wake_each(wakers);
        }
        true
    }

    /// Returns `true` if a signal or a kill is pending.
    pub(crate) fn has_signal(&self) -> bool {
        self.flags.has(SIGNAL | KILL)
    }
}

pub(super) fn register_waker<M>(state: &mut MailboxState<M>, waker: &Waker, interest: Interest) {
    match &mut state.waker {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
    state.wake_on = interest;
}

/// Releases the memory of a past burst, so that an idle actor is small.
fn shrink<M>(queue: &mut std::collections::VecDeque<M>) {
    const KEEP: usize = 64;
    if queue.capacity() > KEEP {
        *queue = std::collections::VecDeque::new();
    }
}
