//! The senders' side: messages and signals come in.

use std::task::Waker;

use tokio::task;

use super::shared::{KILL, Mailbox, SENDERS_WAITING, SIGNAL};
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
    /// Nobody is due to work through the mailbox.
    Closed(M),
    /// The sender would wait for itself.
    WouldDeadlock(M),
}

impl<M> PushError<M> {
    /// The same of something else.
    pub(crate) fn map<T>(self, other: impl FnOnce(M) -> T) -> PushError<T> {
        match self {
            Self::Full(message) => PushError::Full(other(message)),
            Self::Closed(message) => PushError::Closed(other(message)),
            Self::WouldDeadlock(message) => PushError::WouldDeadlock(other(message)),
        }
    }
}

/// What a sender waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WaitsFor {
    /// For room, if there is none.
    Room,
    /// For room, and then for an answer.
    Answer,
}

impl<M> Mailbox<M> {
    /// Takes a message in if there is room and nobody stands in line for it; its sequence number.
    pub(crate) fn push(&self, message: M) -> Result<u64, PushError<M>> {
        self.push_under(self.state.lock(), message)
    }

    fn push_under(&self, lanes: MutexGuard<'_, MailboxState<M>>, message: M) -> Result<u64, PushError<M>> {
        if lanes.refuses() {
            return Err(PushError::Closed(message));
        }
        if lanes.has_line() || !self.has_room(&lanes) {
            return Err(PushError::Full(message));
        }
        Ok(Self::take_in(lanes, message))
    }

    /// The same for a task that waits for the answer, if one is named: refused if that task itself would have to give it, and not
    /// taken in yet if there is no incarnation to do so.
    fn push_from(&self, caller: Option<task::Id>, message: M) -> Result<u64, PushError<M>> {
        let lanes = self.state.lock();
        if lanes.is_run_by(caller) {
            return Err(PushError::WouldDeadlock(message));
        }
        if caller.is_some() && lanes.service == Phase::Detached {
            return Err(PushError::Full(message));
        }
        self.push_under(lanes, message)
    }

    /// Takes a message in for which there is a place; its sequence number.
    pub(super) fn take_in(mut lanes: MutexGuard<'_, MailboxState<M>>, message: M) -> u64 {
        let sequence = lanes.accept(message);
        let waker = lanes.take_waker_if(Interest::Messages);
        drop(lanes);
        if let Some(waker) = waker {
            waker.wake();
        }
        sequence
    }

    /// Takes a message in, or lets it stand in line for room: then the ticket. Refused if the task that asks would wait for itself:
    /// the mailbox sees that of its incarnation, and asks `is_circular` about the incarnation that is due.
    ///
    /// The line's bit is set before the batch is looked at (invariant 6). If the consumer frees the last place in between,
    /// the second look finds it; if it does so later, it sees the bit.
    pub(crate) fn push_or_wait(
        &self,
        message: M,
        waits_for: WaitsFor,
        is_circular: impl FnOnce() -> bool,
        waker: &Waker,
    ) -> Result<Result<u64, u64>, PushError<M>> {
        let caller = if waits_for == WaitsFor::Answer { task::try_id() } else { None };
        let message = match self.push_from(caller, message) {
            Ok(sequence) => return Ok(Ok(sequence)),
            Err(PushError::Full(message)) => message,
            Err(refused) => return Err(refused),
        };
        if is_circular() {
            return Err(PushError::WouldDeadlock(message));
        }
        let message = match self.push(message) {
            Ok(sequence) => return Ok(Ok(sequence)),
            Err(PushError::Full(message)) => message,
            Err(refused) => return Err(refused),
        };
        let mut lanes = self.state.lock();
        if lanes.refuses() {
            return Err(PushError::Closed(message));
        }
        if lanes.is_run_by(task::try_id()) {
            return Err(PushError::WouldDeadlock(message));
        }
        let ticket = lanes.cold_or_init().waiting.enqueue(Some(message), waker.clone());
        self.attention.set(SENDERS_WAITING);
        let admitted = self.admit(&mut lanes, None);
        wake_all(lanes, admitted);
        Ok(Err(ticket))
    }

    /// What became of a message in line; while it stands there, `waker` is told of a change.
    pub(crate) fn poll_ticket(&self, ticket: u64, waker: &Waker) -> Option<TicketOutcome<M>> {
        let mut lanes = self.state.lock();
        lanes.cold_or_init().waiting.poll_ticket(ticket, waker)
    }

    /// Takes a message out of the line, unless it was accepted before.
    pub(crate) fn cancel(&self, ticket: u64) -> Option<M> {
        let mut lanes = self.state.lock();
        match lanes.cold_or_init().waiting.cancel(ticket) {
            Some(TicketOutcome::Refused(message)) => message,
            Some(TicketOutcome::Accepted(_) | TicketOutcome::Reserved) | None => None,
        }
    }

    /// Lets those in line in, as far as there is room; the wakers of those who got in. `batch_len` is the length
    /// of the batch if its lock is held.
    pub(super) fn admit(&self, lanes: &mut MailboxState<M>, batch_len: Option<usize>) -> Vec<Waker> {
        let mut admitted = Vec::new();
        if !self.attention.has(SENDERS_WAITING) {
            return admitted;
        }
        while lanes.has_line() && self.fits(lanes, batch_len) {
            admitted.extend(lanes.advance_line());
        }
        if !lanes.has_line() {
            self.attention.clear(SENDERS_WAITING);
        }
        admitted
    }

    fn fits(&self, lanes: &MailboxState<M>, batch_len: Option<usize>) -> bool {
        match batch_len {
            Some(batch) => lanes.messages.len() + lanes.reserved() + batch < lanes.limit,
            None => self.has_room(lanes),
        }
    }

    /// Puts a signal to the incarnation that is attached, if it is the one meant; tells whether there is one.
    pub(crate) fn signal(&self, meant: Option<u32>, signal: ControlSignal) -> bool {
        let delivered = self.put_signal(meant, signal);
        let told = delivered.is_some();
        if let Some(waker) = delivered.flatten() {
            waker.wake();
        }
        told
    }

    /// The same, for a caller that holds a lock: it wakes the waker once it holds none.
    #[must_use]
    pub(crate) fn put_signal(&self, meant: Option<u32>, signal: ControlSignal) -> Option<Option<Waker>> {
        let mut lanes = self.state.lock();
        let reached = lanes.served_by().filter(|living| meant.is_none_or(|meant| meant == *living));
        if reached.is_none() {
            drop(lanes);
            drop(signal);
            return None;
        }
        // A handler is woken by those only that may end it.
        let concerned =
            if matches!(signal, ControlSignal::Exit(_)) { Interest::Exits } else { Interest::Signals };
        lanes.cold_or_init().signals.push_back(signal);
        self.attention.set(SIGNAL);
        Some(lanes.take_waker_if(concerned))
    }

    /// Tells the incarnation that is attached to die at its next await; tells whether there is one.
    pub(crate) fn kill(&self) -> bool {
        let mut lanes = self.state.lock();
        if lanes.served_by().is_none() {
            return false;
        }
        self.attention.set(KILL);
        let waker = lanes.take_waker_if(Interest::Kill);
        drop(lanes);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

/// Wakes those who got in, and the consumer if any of them has brought a message: one that sleeps over messages has left none.
pub(super) fn wake_all<M>(mut lanes: MutexGuard<'_, MailboxState<M>>, admitted: Vec<Waker>) {
    let consumer = if lanes.messages.is_empty() { None } else { lanes.take_waker_if(Interest::Messages) };
    drop(lanes);
    wake_each(admitted.into_iter().chain(consumer));
}
