//! The consumer's operations: take the next event, or wait for it.

use std::task::{Poll, Waker};

use super::shared::{EVICTED, KILL, Mailbox, OUTCOME_WAITERS, SENDERS_WAITING, SIGNAL};
use super::state::{Interest, MailboxState, Phase};
use crate::control::ControlSignal;
use crate::foreign::wake_each;
use crate::sync::Ordering;

/// The number of messages for which an idle mailbox keeps memory.
const KEEP: usize = 64;

/// What an incarnation must act on next.
#[derive(Debug)]
pub(crate) enum Event<T> {
    /// A signal, ahead of all messages.
    Signal(ControlSignal),
    /// A message, which is in flight now, or `()` if it was left in the mailbox.
    Message(T),
    /// The incarnation was killed.
    Killed,
    /// The mailbox was taken away from this incarnation.
    Detached,
}

impl<M> Mailbox<M> {
    /// Returns the next event for an incarnation that is between two messages, and counts the
    /// previous message as handled. Parks if there is nothing. With less than
    /// [`Interest::Messages`], messages wait.
    pub(crate) fn poll(&self, incarnation: u32, interest: Interest, waker: &Waker) -> Poll<Event<M>> {
        self.poll_with(incarnation, interest, waker, Self::next_message, |_, _| false)
    }

    /// Does the same as [`poll`](Self::poll) for the usual case: the next event is a message, or
    /// there is none and nothing else has to be done. Returns `None` in all other cases.
    #[inline]
    pub(super) fn poll_quiet(&self, incarnation: u32, waker: &Waker) -> Option<Poll<M>> {
        let mut state = self.state.lock();
        if !self.flags.is_clear(incarnation) {
            return None;
        }
        let next = if state.messages.is_empty() && self.batch_len.load(Ordering::Relaxed) == 0 {
            if state.phase != Phase::Attached || state.swapped || state.messages.capacity() > KEEP {
                return None;
            }
            state.handled += self.swap_taken(0);
            register_waker(&mut state, waker, Interest::Messages);
            self.parked_incarnation.store(incarnation, Ordering::Relaxed);
            Poll::Pending
        } else {
            state.handled += self.swap_taken(0);
            self.parked_incarnation.store(0, Ordering::Relaxed);
            Poll::Ready(self.next_message(&mut state)?)
        };
        Some(next)
    }

    /// Returns the next event like [`poll`](Self::poll), but leaves a message in the mailbox, for
    /// [`try_recv`](Self::try_recv).
    ///
    /// This is for an incarnation whose messages are handled by code with its own loop. A message
    /// that was handed to such a loop too early would be lost with it. The peeking side wakes the
    /// taking side, which wakes it again when it is done. They never run at once.
    pub(crate) fn poll_peek(&self, incarnation: u32, interest: Interest, waker: &Waker) -> Poll<Event<()>> {
        let peek = |queue: &Self, state: &mut MailboxState<M>| {
            let waits = queue.batch_len.load(Ordering::Relaxed) > 0 || !state.messages.is_empty();
            waits.then_some(())
        };
        self.poll_with(incarnation, interest, waker, peek, |_, _| false)
    }

    /// Returns the next event. `take` looks for a message. `defer` decides whether senders that
    /// wait are admitted later. It gets the number of free places and the capacity, and is called
    /// only if the batch is not empty.
    #[inline(never)]
    pub(super) fn poll_with<T>(
        &self,
        incarnation: u32,
        interest: Interest,
        waker: &Waker,
        take: impl FnOnce(&Self, &mut MailboxState<M>) -> Option<T>,
        defer: impl FnOnce(usize, usize) -> bool,
    ) -> Poll<Event<T>> {
        let Some(mut state) = self.lock_attached(incarnation) else { return Poll::Ready(Event::Detached) };
        state.handled += self.swap_taken(0);
        let mut wakers = Vec::new();
        let mut event = if self.flags.has(SIGNAL | KILL | OUTCOME_WAITERS | EVICTED) {
            self.next_urgent(&mut state, &mut wakers)
        } else {
            None
        };
        if event.is_none() && interest == Interest::Messages {
            event =
                take(self, &mut state).map(Event::Message).or_else(|| state.take_stop().map(Event::Signal));
        }
        if self.flags.has(SENDERS_WAITING) {
            let may_defer = matches!(event, Some(Event::Message(_)));
            if !(may_defer && self.defers(&state, defer)) {
                wakers.extend(self.admit(&mut state, None));
            }
        }
        if event.is_none() {
            if interest == Interest::Messages {
                self.shrink(&mut state);
                wakers.append(&mut self.take_idle_wakers(&mut state));
            }
            register_waker(&mut state, waker, interest);
        }
        self.parked_incarnation.store(if event.is_none() { incarnation } else { 0 }, Ordering::Relaxed);
        drop(state);
        if !wakers.is_empty() {
            wake_each(wakers);
        }
        event.map_or(Poll::Pending, Poll::Ready)
    }

    fn defers(&self, state: &MailboxState<M>, defer: impl FnOnce(usize, usize) -> bool) -> bool {
        let batch = self.batch_len.load(Ordering::Relaxed);
        let taken = batch + state.messages.len() + state.reserved();
        batch > 0 && defer(state.limit.saturating_sub(taken), state.limit)
    }

    /// Returns the event that goes before all messages, if there is one.
    fn next_urgent<T>(&self, state: &mut MailboxState<M>, wakers: &mut Vec<Waker>) -> Option<Event<T>> {
        self.settle_evicted(state);
        *wakers = self.take_outcome_wakers(state);
        if self.flags.has(KILL) {
            Some(Event::Killed)
        } else {
            self.remove_signal(state, |_| true).map(Event::Signal)
        }
    }

    /// Takes the next message and puts it in flight. It comes from the batch, or else from the
    /// queue, whose rest is the next batch.
    #[inline]
    pub(super) fn next_message(&self, state: &mut MailboxState<M>) -> Option<M> {
        let message = self.next_of_batch().or_else(|| {
            if state.messages.len() < 2 {
                return state.messages.pop();
            }
            let mut batch = self.batch.lock();
            batch.fill(&mut state.messages);
            let message = batch.messages.pop();
            self.batch_len.store(batch.len(), Ordering::Relaxed);
            // The batch takes the room now that the queue took.
            state.admits = state.admits.saturating_sub(batch.len());
            state.swapped = true;
            message
        })?;
        self.swap_taken(1);
        Some(message)
    }

    #[inline]
    fn next_of_batch(&self) -> Option<M> {
        if self.batch_len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut batch = self.batch.lock();
        let message = batch.messages.pop();
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        message
    }

    /// Takes the next message and puts it in flight, unless a signal goes first. Counts the
    /// previous message as handled.
    pub(crate) fn try_recv(&self, incarnation: u32) -> Option<M> {
        let mut state = self.lock_attached(incarnation).filter(|_| !self.has_signal())?;
        let mut wakers = self.settle_previous(&mut state);
        let message = self.next_message(&mut state);
        wakers.extend(self.admit(&mut state, None));
        drop(state);
        wake_each(wakers);
        message
    }

    /// Returns the event that ends the running user code of an incarnation, or waits for one, with
    /// an interest below [`Interest::Messages`]. Does nothing if the incarnation is parked on its
    /// mailbox. Wakes the task at once if its code must be polled again.
    ///
    /// Signals that `ends` does not accept stay queued. The message in flight is lost with the
    /// incarnation, whatever the reason, because its handler does not return.
    pub(crate) fn poll_inside(
        &self,
        incarnation: u32,
        interest: Interest,
        ends: impl Fn(&ControlSignal) -> bool,
        waker: &Waker,
    ) -> Poll<Event<()>> {
        if self.parked_incarnation.load(Ordering::Relaxed) == incarnation {
            return Poll::Pending;
        }
        let Some(mut state) = self.lock_attached(incarnation) else { return Poll::Ready(Event::Detached) };
        if self.flags.has(KILL) {
            return Poll::Ready(Event::Killed);
        }
        if interest >= Interest::Exits && self.flags.has(SIGNAL) {
            if let Some(signal) = self.remove_signal(&mut state, ends) {
                state.is_interrupted |=
                    interest == Interest::Exits || matches!(signal, ControlSignal::Stop(_));
                return Poll::Ready(Event::Signal(signal));
            }
        }
        register_waker(&mut state, waker, interest);
        let is_poked = std::mem::take(&mut state.is_poked);
        // The message in flight may have been taken without a lock.
        let mut wakers = self.admit(&mut state, None);
        wakers.extend(self.take_outcome_wakers(&mut state));
        drop(state);
        wake_each(wakers);
        if is_poked {
            waker.wake_by_ref();
        }
        Poll::Pending
    }

    /// Counts the message in flight as handled, and admits the senders whose admission was
    /// deferred. Returns `false` if the incarnation is not attached any more.
    pub(crate) fn ack(&self, incarnation: u32) -> bool {
        let Some(mut state) = self.lock_attached(incarnation) else { return false };
        state.handled += self.swap_taken(0);
        let admitted = self.admit(&mut state, None);
        drop(state);
        wake_each(admitted);
        true
    }

    /// Sets the number of messages that the incarnation has taken, and returns the previous one.
    /// The caller holds a lock under which it verified that the incarnation is attached.
    #[inline]
    pub(super) fn swap_taken(&self, messages: u8) -> u64 {
        // Not one atomic step, and need not be: no other thread writes meanwhile.
        let before = self.taken.load(Ordering::Relaxed);
        self.taken.store(messages, Ordering::Relaxed);
        u64::from(before)
    }

    /// Counts the message in flight as handled. Returns the wakers of the tasks whose awaited
    /// outcome is decided by that.
    fn settle_previous(&self, state: &mut MailboxState<M>) -> Vec<Waker> {
        state.handled += self.swap_taken(0);
        self.settle_evicted(state);
        self.take_outcome_wakers(state)
    }

    /// Settles the messages that were evicted behind the one in flight, which has settled now.
    fn settle_evicted(&self, state: &mut MailboxState<M>) {
        if self.flags.has(EVICTED) {
            state.settle_evicted();
            self.flags.clear(EVICTED);
        }
    }

    /// Takes the wakers of the tasks whose awaited outcome is decided by now.
    fn take_outcome_wakers(&self, state: &mut MailboxState<M>) -> Vec<Waker> {
        if !self.flags.has(OUTCOME_WAITERS) {
            return Vec::new();
        }
        let up_to = self.settled(state, &self.batch.lock());
        self.settled_up_to(state, up_to)
    }

    /// Takes the outcome wakers up to a message, for a caller that knows how many have settled.
    pub(super) fn settled_up_to(&self, state: &mut MailboxState<M>, up_to: u64) -> Vec<Waker> {
        let Some(cold) = state.cold_mut() else { return Vec::new() };
        let decided = cold.outcomes.take_up_to(up_to);
        if cold.outcomes.is_empty() {
            self.flags.clear(OUTCOME_WAITERS);
        }
        decided
    }

    /// Removes the first signal that is `wanted`.
    fn remove_signal(
        &self,
        state: &mut MailboxState<M>,
        wanted: impl Fn(&ControlSignal) -> bool,
    ) -> Option<ControlSignal> {
        let signal = state.remove_signal(wanted);
        if !state.has_signals() {
            self.flags.clear(SIGNAL);
        }
        signal
    }

    /// Removes queued signals that the incarnation does not want any more. The caller drops them
    /// outside the lock.
    pub(crate) fn retract_signals(
        &self,
        incarnation: u32,
        unwanted: impl Fn(&ControlSignal) -> bool,
    ) -> Vec<ControlSignal> {
        let Some(mut state) = self.lock_attached(incarnation) else { return Vec::new() };
        let retracted = state.remove_signals(unwanted);
        if !state.has_signals() {
            self.flags.clear(SIGNAL);
        }
        retracted
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
    #[inline]
    pub(crate) fn has_signal(&self) -> bool {
        self.flags.has(SIGNAL | KILL)
    }

    /// Releases the memory of a past burst, so that an idle actor is small. Both queues are empty,
    /// and so is the wait queue, because no sender waits while there is room (invariant 7).
    fn shrink(&self, state: &mut MailboxState<M>) {
        shrink(&mut state.messages);
        if std::mem::take(&mut state.swapped) {
            shrink(&mut self.batch.lock().messages);
        }
    }
}

pub(super) fn register_waker<M>(state: &mut MailboxState<M>, waker: &Waker, interest: Interest) {
    match &mut state.waker {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
    state.wake_on = interest;
}

fn shrink<M>(queue: &mut Vec<M>) {
    if queue.capacity() > KEEP {
        *queue = Vec::new();
    }
}
