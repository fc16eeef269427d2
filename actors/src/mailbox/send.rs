//! The senders' operations: enqueue messages and signals, and reserve places for messages that are
//! sent later.

use std::task::Waker;

use tokio::task;

use super::senders::Sender;
use super::shared::{Mailbox, SENDERS_WAITING, SIGNAL};
use super::state::{Interest, MailboxState, Phase};
use super::wait_queue::TicketOutcome;
use crate::control::ControlSignal;
use crate::foreign::wake_each;
use crate::sync::MutexGuard;

/// A message that was not accepted, and why.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum PushError<M> {
    /// There is no room now.
    Full(M),
    /// The mailbox is closed.
    Closed(M),
    /// The sender would wait for itself.
    WouldDeadlock(M),
}

impl<M> PushError<M> {
    /// Returns the same error with another message.
    pub(crate) fn map<T>(self, other: impl FnOnce(M) -> T) -> PushError<T> {
        match self {
            Self::Full(message) => PushError::Full(other(message)),
            Self::Closed(message) => PushError::Closed(other(message)),
            Self::WouldDeadlock(message) => PushError::WouldDeadlock(other(message)),
        }
    }
}

/// The state of a sender that may wait for room.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Admission<T> {
    /// Its message was accepted, with this sequence number, or a place is reserved.
    Granted(T),
    /// It waits, with this ticket.
    Waiting(u64),
}

/// No incarnation is attached, or not the expected one.
pub(crate) struct NotDelivered;

/// What a sender waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WaitsFor {
    /// Room in the mailbox, if there is none.
    Room,
    /// Room in the mailbox, and then the reply.
    Answer,
}

impl<M> Mailbox<M> {
    /// Enqueues a message if it is known that there is room, and returns it otherwise. Returns its
    /// sequence number.
    // Most messages come this way, so it is compiled into the code of the sender.
    #[inline]
    pub(crate) fn try_push(&self, message: M) -> Result<u64, M> {
        let state = self.state.lock();
        if state.messages.len() >= state.admits {
            return Err(message);
        }
        Ok(Self::accept_and_wake(state, message))
    }

    /// Enqueues the message of a call like [`try_push`](Self::try_push), if it is also known that
    /// `caller` may wait for the reply. Checks what [`push_or_wait`](Self::push_or_wait) checks.
    #[inline]
    pub(crate) fn try_push_call(&self, caller: Option<task::Id>, message: M) -> Result<u64, M> {
        let state = self.state.lock();
        let is_served = state.phase == Phase::Attached && !state.is_run_by(caller);
        if state.messages.len() >= state.admits || !is_served {
            return Err(message);
        }
        Ok(Self::accept_and_wake(state, message))
    }

    /// Enqueues a message if there is room and no sender waits for it. Returns its sequence number.
    pub(crate) fn push(&self, message: M) -> Result<u64, PushError<M>> {
        let mut sender = Sender::current();
        self.push_locked(self.state.lock(), message, &mut sender)
    }

    /// Enqueues a message like [`push`](Self::push), without the span of the sender.
    pub(crate) fn push_unlinked(&self, message: M) -> Result<u64, PushError<M>> {
        self.push_locked(self.state.lock(), message, &mut Sender::unlinked())
    }

    fn push_locked(
        &self,
        mut state: MutexGuard<'_, MailboxState<M>>,
        message: M,
        sender: &mut Sender,
    ) -> Result<u64, PushError<M>> {
        match self.check_room(&mut state) {
            Ok(()) => {
                sender.accept(&mut state);
                Ok(Self::accept_and_wake(state, message))
            }
            Err(refused) => Err(refused.map(|()| message)),
        }
    }

    /// Checks that there is room for one more message and that no sender waits for it. Finds how
    /// far the queue may grow without this check.
    fn check_room(&self, state: &mut MailboxState<M>) -> Result<(), PushError<()>> {
        if state.messages.len() < state.admits {
            Ok(())
        } else if state.refuses() {
            Err(PushError::Closed(()))
        } else if state.has_waiters() || !self.has_room(state) {
            Err(PushError::Full(()))
        } else if state.keeps_senders() || state.wants_stamp() {
            Ok(())
        } else {
            state.admits = state.limit - state.reserved() - self.taken_out(&self.batch.lock());
            Ok(())
        }
    }

    /// Reserves a place, if there is room and no sender waits for it.
    pub(crate) fn try_reserve(&self) -> Result<(), PushError<()>> {
        self.reserve_locked(&mut self.state.lock())
    }

    fn reserve_locked(&self, state: &mut MailboxState<M>) -> Result<(), PushError<()>> {
        self.check_room(state)?;
        state.reserve();
        Ok(())
    }

    /// Enqueues a message like [`push`](Self::push). If `caller` is set, that task will wait for
    /// the reply: the message is refused if that task itself would have to reply, and returned as
    /// full if no incarnation is attached yet.
    fn push_from(
        &self,
        caller: Option<task::Id>,
        message: M,
        sender: &mut Sender,
    ) -> Result<u64, PushError<M>> {
        let state = self.state.lock();
        if state.is_run_by(caller) {
            return Err(PushError::WouldDeadlock(message));
        }
        if caller.is_some() && state.phase == Phase::Detached {
            return Err(PushError::Full(message));
        }
        self.push_locked(state, message, sender)
    }

    /// Enqueues a message for which there is a place, and wakes the consumer. Returns its sequence
    /// number.
    #[inline(always)]
    fn accept_and_wake(mut state: MutexGuard<'_, MailboxState<M>>, message: M) -> u64 {
        let sequence = state.accept(message);
        if state.wake_on == Interest::Messages {
            wake_consumer(state);
        }
        sequence
    }

    /// Enqueues a message, or joins the wait queue. Refused if the calling task would wait for
    /// itself. The mailbox checks this for the attached incarnation, and `is_circular` for one that
    /// is yet to start.
    pub(crate) fn push_or_wait(
        &self,
        message: M,
        waits_for: WaitsFor,
        is_circular: impl FnOnce() -> bool,
        waker: &Waker,
    ) -> Result<Admission<u64>, PushError<M>> {
        let caller = if waits_for == WaitsFor::Answer { task::try_id() } else { None };
        let mut sender = Sender::current();
        let message = match self.push_from(caller, message, &mut sender) {
            Err(PushError::Full(message)) => message,
            pushed => return pushed.map(Admission::Granted),
        };
        if is_circular() {
            return Err(PushError::WouldDeadlock(message));
        }
        let mut state = self.state.lock();
        match self.check_room(&mut state) {
            Ok(()) => {
                sender.accept(&mut state);
                Ok(Admission::Granted(Self::accept_and_wake(state, message)))
            }
            Err(PushError::Full(())) if state.is_run_by(task::try_id()) => {
                Err(PushError::WouldDeadlock(message))
            }
            Err(PushError::Full(())) => Ok(self.wait(state, Some(message), Some(&mut sender), waker)),
            Err(refused) => Err(refused.map(|()| message)),
        }
    }

    /// Reserves a place, or joins the wait queue. Refused as by
    /// [`push_or_wait`](Self::push_or_wait).
    pub(crate) fn reserve_or_wait(
        &self,
        is_circular: impl FnOnce() -> bool,
        waker: &Waker,
    ) -> Result<Admission<()>, PushError<()>> {
        match self.try_reserve() {
            Err(PushError::Full(())) if is_circular() => return Err(PushError::WouldDeadlock(())),
            Err(PushError::Full(())) => {}
            reserved => return reserved.map(Admission::Granted),
        }
        let mut state = self.state.lock();
        match self.reserve_locked(&mut state) {
            Err(PushError::Full(())) if state.is_run_by(task::try_id()) => Err(PushError::WouldDeadlock(())),
            Err(PushError::Full(())) => Ok(self.wait(state, None, None, waker)),
            reserved => reserved.map(Admission::Granted),
        }
    }

    /// Joins the wait queue, with a message or for a permit.
    ///
    /// The flag is set before the batch is read (invariant 6). If the consumer frees the last place
    /// before that, this finds it. If it does so later, it sees the flag.
    fn wait<T>(
        &self,
        mut state: MutexGuard<'_, MailboxState<M>>,
        message: Option<M>,
        sender: Option<&mut Sender>,
        waker: &Waker,
    ) -> Admission<T> {
        let ticket = state.cold_or_init().room_or_init().waiters.enqueue(message, waker.clone());
        if let Some(sender) = sender {
            sender.wait(&mut state, ticket);
        }
        state.admits = 0;
        self.flags.set(SENDERS_WAITING);
        let admitted = self.admit(&mut state, None);
        wake_all(state, admitted);
        Admission::Waiting(ticket)
    }

    /// Returns the outcome of a ticket, or `None` while it waits. Then `waker` is woken on a
    /// change.
    pub(crate) fn poll_ticket(&self, ticket: u64, waker: &Waker) -> Option<TicketOutcome<M>> {
        let mut state = self.state.lock();
        let outcome = state.cold_or_init().room_or_init().waiters.poll_ticket(ticket, waker);
        let sender = if outcome.is_some() { state.cancel_sender(ticket) } else { None };
        drop(state);
        drop(sender);
        outcome
    }

    /// Removes a message from the wait queue and returns it, unless it was accepted before.
    pub(crate) fn cancel(&self, ticket: u64) -> Option<M> {
        match self.cancel_ticket(ticket)? {
            TicketOutcome::Refused(message) => message,
            TicketOutcome::Accepted(_) | TicketOutcome::Reserved => None,
        }
    }

    /// Removes a ticket from the wait queue. Returns its outcome, or `None` if there is no such
    /// ticket any more.
    pub(crate) fn cancel_ticket(&self, ticket: u64) -> Option<TicketOutcome<M>> {
        let mut state = self.state.lock();
        let outcome = state.cold_or_init().room_or_init().waiters.cancel(ticket);
        let sender = state.cancel_sender(ticket);
        drop(state);
        drop(sender);
        outcome
    }

    /// Cancels a reservation that waits. Releases its place if it was granted meanwhile.
    pub(crate) fn cancel_reserve(&self, ticket: u64) {
        if matches!(self.cancel_ticket(ticket), Some(TicketOutcome::Reserved)) {
            self.release_permit();
        }
    }

    /// Releases a reserved place. The first waiter gets it.
    pub(crate) fn release_permit(&self) {
        let mut state = self.state.lock();
        state.cold_or_init().room_or_init().reserved -= 1;
        let admitted = self.admit(&mut state, None);
        wake_all(state, admitted);
    }

    /// Enqueues a message in its reserved place. Returns the message if the mailbox is closed. The
    /// reservation ends in both cases.
    pub(crate) fn send_reserved(&self, message: M) -> Result<u64, M> {
        let mut sender = Sender::current();
        let mut state = self.state.lock();
        state.cold_or_init().room_or_init().reserved -= 1;
        if state.refuses() {
            return Err(message);
        }
        sender.accept(&mut state);
        Ok(Self::accept_and_wake(state, message))
    }

    /// Admits waiting senders while there is room. Returns their wakers. `batch_len` is the length
    /// of the batch, if the caller knows it. A caller that holds the batch lock must pass it.
    pub(super) fn admit(&self, state: &mut MailboxState<M>, batch_len: Option<usize>) -> Vec<Waker> {
        let mut admitted = Vec::new();
        if !self.flags.has(SENDERS_WAITING) {
            return admitted;
        }
        while state.has_waiters() && self.fits(state, batch_len) {
            admitted.extend(state.admit_next_waiter());
        }
        if !state.has_waiters() {
            self.flags.clear(SENDERS_WAITING);
        }
        admitted
    }

    fn fits(&self, state: &MailboxState<M>, batch_len: Option<usize>) -> bool {
        match batch_len {
            Some(batch) => state.messages.len() + state.reserved() + batch < state.limit,
            None => self.has_room(state),
        }
    }

    /// Enqueues a signal for the attached incarnation, if it is the expected one. Returns `true` if
    /// it was enqueued.
    pub(crate) fn signal(&self, expected: Option<u32>, signal: ControlSignal) -> bool {
        match self.enqueue_signal(expected, signal) {
            Ok(waker) => wake(waker),
            Err(NotDelivered) => return false,
        }
        true
    }

    /// Enqueues a signal for a caller that holds a lock. The caller wakes the returned waker once
    /// it holds none.
    pub(crate) fn enqueue_signal(
        &self,
        expected: Option<u32>,
        signal: ControlSignal,
    ) -> Result<Option<Waker>, NotDelivered> {
        let mut state = self.state.lock();
        let receiver = state
            .attached_incarnation()
            .filter(|attached| expected.is_none_or(|expected| expected == *attached));
        if receiver.is_none() {
            drop(state);
            drop(signal);
            return Err(NotDelivered);
        }
        // A handler is woken only by a signal that may end it.
        let interest =
            if matches!(signal, ControlSignal::Exit(_)) { Interest::Exits } else { Interest::Signals };
        state.push_signal(signal);
        self.flags.set(SIGNAL);
        Ok(state.take_waker_if(interest))
    }
}

/// Wakes the consumer, if it is to be woken.
#[inline]
pub(crate) fn wake(consumer: Option<Waker>) {
    if let Some(waker) = consumer {
        waker.wake();
    }
}

/// Wakes the consumer, which waits for messages.
#[inline(never)]
fn wake_consumer<M>(mut state: MutexGuard<'_, MailboxState<M>>) {
    let waker = state.take_waker_if(Interest::Messages);
    drop(state);
    wake(waker);
}

/// Wakes the admitted senders, and the consumer if one of them brought a message. A consumer that
/// is parked on messages has left none behind.
fn wake_all<M>(mut state: MutexGuard<'_, MailboxState<M>>, admitted: Vec<Waker>) {
    let consumer = if state.messages.is_empty() { None } else { state.take_waker_if(Interest::Messages) };
    drop(state);
    wake_each(admitted.into_iter().chain(consumer));
}
