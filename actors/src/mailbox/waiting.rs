//! Those who wait for room: senders, whose messages wait here and move into the lane as places become free, and those who
//! only want a place. They wait in the order in which they came, so that nobody who comes later gets ahead.

use std::collections::VecDeque;
use std::task::Waker;

/// The senders that wait, first come first.
pub(crate) struct Waiting<M> {
    next_ticket: u64,
    line: VecDeque<Entry<M>>,
    settled: Vec<(u64, Outcome<M>)>,
}

struct Entry<M> {
    ticket: u64,
    /// None if it is only a place that is wanted.
    message: Option<M>,
    waker: Waker,
}

/// What became of somebody who waited for room.
pub(crate) enum Outcome<M> {
    /// The message was accepted, with this sequence number.
    Accepted(u64),
    /// There is a place now, kept for whoever waited.
    Reserved,
    /// The mailbox was closed, or whoever waited has left before it was his turn: the message, if there is one.
    Refused(Option<M>),
}

impl<M> Waiting<M> {
    pub(crate) const fn new() -> Self {
        Self { next_ticket: 0, line: VecDeque::new(), settled: Vec::new() }
    }

    /// Nobody stands in line (outcomes may still wait to be collected).
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(crate) fn join(&mut self, message: Option<M>, waker: Waker) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.line.push_back(Entry { ticket, message, waker });
        ticket
    }

    /// The first in line; its message goes where `accept` puts it, or its place is kept.
    pub(crate) fn advance(&mut self, accept: impl FnOnce(M) -> u64) -> Option<Waker> {
        let entry = self.line.pop_front()?;
        let outcome = entry.message.map_or(Outcome::Reserved, |message| Outcome::Accepted(accept(message)));
        self.settled.push((entry.ticket, outcome));
        Some(entry.waker)
    }

    /// Whether the first in line wants a place and nothing else.
    pub(crate) fn wants_place(&self) -> bool {
        self.line.front().is_some_and(|entry| entry.message.is_none())
    }

    /// How many in line want a place and nothing else.
    pub(crate) fn places_wanted(&self) -> usize {
        self.line.iter().filter(|entry| entry.message.is_none()).count()
    }

    /// Sends everybody in line away, each with its message.
    pub(crate) fn refuse_all(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::with_capacity(self.line.len());
        for entry in self.line.drain(..) {
            self.settled.push((entry.ticket, Outcome::Refused(entry.message)));
            wakers.push(entry.waker);
        }
        wakers
    }

    /// The outcome of a ticket, or none while it stands in line, to be told through `waker`.
    pub(crate) fn collect(&mut self, ticket: u64, waker: &Waker) -> Option<Outcome<M>> {
        if let Some(at) = self.settled.iter().position(|(settled, _)| *settled == ticket) {
            return Some(self.settled.swap_remove(at).1);
        }
        if let Some(at) = self.place(ticket) {
            self.line[at].waker.clone_from(waker);
        }
        None
    }

    /// Leaves the line: what it leaves with. None if there is no such ticket any more.
    pub(crate) fn leave(&mut self, ticket: u64) -> Option<Outcome<M>> {
        if let Some(at) = self.settled.iter().position(|(settled, _)| *settled == ticket) {
            return Some(self.settled.swap_remove(at).1);
        }
        let at = self.place(ticket)?;
        self.line.remove(at).map(|entry| Outcome::Refused(entry.message))
    }

    /// Where a ticket stands; the line is sorted, because tickets are given in order.
    fn place(&self, ticket: u64) -> Option<usize> {
        self.line.binary_search_by_key(&ticket, |entry| entry.ticket).ok()
    }
}
