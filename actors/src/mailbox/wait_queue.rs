//! The senders that wait for room, in the order in which they came.
//!
//! A waiter has a message, which moves into the queue when a place becomes free, or it wants only a
//! permit. A later sender never overtakes a waiter.
//!
//! A hundred thousand senders may wait, and one close notifies all of them at once. So each step
//! costs O(log n), amortised: tickets are ascending, and both maps are sorted by ticket.

use std::task::Waker;

use crate::seq_map::SeqMap;

/// The waiting senders, first come, first served.
pub(crate) struct WaitQueue<M> {
    next_ticket: u64,
    waiters: SeqMap<Waiter<M>>,
    /// The number of waiters that want only a permit.
    permits_wanted: usize,
    resolved: SeqMap<TicketOutcome<M>>,
}

struct Waiter<M> {
    ticket: u64,
    /// `None` if only a permit is wanted.
    message: Option<M>,
    waker: Waker,
}

/// The outcome of a wait for room.
pub(crate) enum TicketOutcome<M> {
    /// The message was accepted, with this sequence number.
    Accepted(u64),
    /// A place is reserved for the waiter now.
    Reserved,
    /// The mailbox was closed, or the wait was cancelled. Holds the message, if there is one.
    Refused(Option<M>),
}

impl<M> WaitQueue<M> {
    pub(crate) const fn new() -> Self {
        Self { next_ticket: 0, waiters: SeqMap::new(), permits_wanted: 0, resolved: SeqMap::new() }
    }

    /// Returns `true` if no sender waits. Outcomes may still wait to be polled.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(crate) fn enqueue(&mut self, message: Option<M>, waker: Waker) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.permits_wanted += usize::from(message.is_none());
        self.waiters.insert(ticket, Waiter { ticket, message, waker });
        ticket
    }

    /// Admits the first waiter: passes its ticket and message to `accept`, or grants its permit.
    /// Returns its waker.
    pub(crate) fn admit_next(&mut self, accept: impl FnOnce(u64, M) -> u64) -> Option<Waker> {
        let first = self.waiters.first()?.ticket;
        let entry = self.remove(first)?;
        let ticket = entry.ticket;
        let outcome = entry
            .message
            .map_or(TicketOutcome::Reserved, |message| TicketOutcome::Accepted(accept(ticket, message)));
        self.resolved.insert(ticket, outcome);
        Some(entry.waker)
    }

    /// Returns `true` if the first waiter wants only a permit.
    pub(crate) fn front_wants_permit(&self) -> bool {
        self.waiters.first().is_some_and(|entry| entry.message.is_none())
    }

    /// Returns the number of waiters that want only a permit.
    pub(crate) const fn permits_wanted(&self) -> usize {
        self.permits_wanted
    }

    /// Refuses every waiter and returns their wakers. Each waiter gets its message back when it
    /// polls.
    pub(crate) fn refuse_all(&mut self) -> Vec<Waker> {
        self.permits_wanted = 0;
        let mut wakers = Vec::with_capacity(self.waiters.len());
        for (ticket, entry) in std::mem::take(&mut self.waiters).into_values() {
            self.resolved.insert(ticket, TicketOutcome::Refused(entry.message));
            wakers.push(entry.waker);
        }
        wakers
    }

    /// Takes the outcome of a ticket. While the ticket waits, stores `waker` and returns `None`.
    pub(crate) fn poll_ticket(&mut self, ticket: u64, waker: &Waker) -> Option<TicketOutcome<M>> {
        let outcome = self.resolved.remove(ticket);
        if outcome.is_none() {
            if let Some(entry) = self.waiters.get_mut(ticket) {
                entry.waker.clone_from(waker);
            }
        }
        outcome
    }

    /// Cancels a ticket. Returns its outcome, or `None` if there is no such ticket any more.
    pub(crate) fn cancel(&mut self, ticket: u64) -> Option<TicketOutcome<M>> {
        let outcome = self.resolved.remove(ticket);
        outcome.or_else(|| self.remove(ticket).map(|entry| TicketOutcome::Refused(entry.message)))
    }

    /// Removes a waiter.
    fn remove(&mut self, ticket: u64) -> Option<Waiter<M>> {
        let entry = self.waiters.remove(ticket)?;
        self.permits_wanted -= usize::from(entry.message.is_none());
        Some(entry)
    }
}
