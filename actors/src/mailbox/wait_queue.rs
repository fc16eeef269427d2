//! Those who wait for room: senders, whose messages wait here and move into the lane as places become free, and those who
//! only want a place. They wait in the order in which they came, so that nobody who comes later gets ahead.
//!
//! A hundred thousand senders may wait, and all of them are told of an end at once. So each step costs O(log n), amortised:
//! tickets are given in order, and both maps are sorted by them.

use std::task::Waker;

use crate::seq_map::SeqMap;

/// The senders that wait, first come first.
pub(crate) struct WaitQueue<M> {
    next_ticket: u64,
    waiters: SeqMap<Entry<M>>,
    /// How many in line want a place and nothing else.
    places_wanted: usize,
    resolved: SeqMap<TicketOutcome<M>>,
}

struct Entry<M> {
    ticket: u64,
    /// None if it is only a place that is wanted.
    message: Option<M>,
    waker: Waker,
}

/// What became of somebody who waited for room.
pub(crate) enum TicketOutcome<M> {
    /// The message was accepted, with this sequence number.
    Accepted(u64),
    /// There is a place now, kept for whoever waited.
    Reserved,
    /// The mailbox was closed, or whoever waited has left before it was his turn: the message, if there is one.
    Refused(Option<M>),
}

impl<M> WaitQueue<M> {
    pub(crate) const fn new() -> Self {
        Self { next_ticket: 0, waiters: SeqMap::new(), places_wanted: 0, resolved: SeqMap::new() }
    }

    /// Nobody stands in line (outcomes may still wait to be collected).
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(crate) fn enqueue(&mut self, message: Option<M>, waker: Waker) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.places_wanted += usize::from(message.is_none());
        self.waiters.insert(ticket, Entry { ticket, message, waker });
        ticket
    }

    /// The first in line; its message goes where `accept` puts it, or its place is kept.
    pub(crate) fn admit_next(&mut self, accept: impl FnOnce(M) -> u64) -> Option<Waker> {
        let first = self.waiters.first()?.ticket;
        let entry = self.take(first)?;
        let outcome =
            entry.message.map_or(TicketOutcome::Reserved, |message| TicketOutcome::Accepted(accept(message)));
        self.resolved.insert(entry.ticket, outcome);
        Some(entry.waker)
    }

    /// Whether the first in line wants a place and nothing else.
    pub(crate) fn front_wants_permit(&self) -> bool {
        self.waiters.first().is_some_and(|entry| entry.message.is_none())
    }

    /// How many in line want a place and nothing else.
    pub(crate) const fn places_wanted(&self) -> usize {
        self.places_wanted
    }

    /// Sends everybody in line away, each with its message.
    pub(crate) fn refuse_all(&mut self) -> Vec<Waker> {
        self.places_wanted = 0;
        let mut wakers = Vec::with_capacity(self.waiters.len());
        for (ticket, entry) in std::mem::take(&mut self.waiters).into_values() {
            self.resolved.insert(ticket, TicketOutcome::Refused(entry.message));
            wakers.push(entry.waker);
        }
        wakers
    }

    /// The outcome of a ticket, or none while it stands in line, to be told through `waker`.
    pub(crate) fn poll_ticket(&mut self, ticket: u64, waker: &Waker) -> Option<TicketOutcome<M>> {
        let outcome = self.resolved.remove(ticket);
        if outcome.is_none() {
            if let Some(entry) = self.waiters.get_mut(ticket) {
                entry.waker.clone_from(waker);
            }
        }
        outcome
    }

    /// Leaves the line: what it leaves with. None if there is no such ticket any more.
    pub(crate) fn cancel(&mut self, ticket: u64) -> Option<TicketOutcome<M>> {
        let outcome = self.resolved.remove(ticket);
        outcome.or_else(|| self.take(ticket).map(|entry| TicketOutcome::Refused(entry.message)))
    }

    /// Takes an entry out of the line.
    fn take(&mut self, ticket: u64) -> Option<Entry<M>> {
        let entry = self.waiters.remove(ticket)?;
        self.places_wanted -= usize::from(entry.message.is_none());
        Some(entry)
    }
}
