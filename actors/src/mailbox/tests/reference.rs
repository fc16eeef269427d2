//! The specification of a mailbox, as simple as possible: one list of queued messages, no batch, no
//! locks.

use super::checked::{Got, Outcome, Rejected};
use crate::exit::ExitReason;
use crate::mailbox::{Interest, OverflowPolicy};

/// The settings: the capacity, what an end does to queued messages, and what happens when they
/// exceed the capacity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) capacity: usize,
    pub(super) discard: bool,
    pub(super) overflow: OverflowPolicy,
}

/// The result of an end.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct DetachResult {
    pub(super) lost_in_flight: u64,
    pub(super) dead: Vec<u32>,
}

/// A message that was accepted: its sequence number and itself.
type Accepted = (u64, u32);

/// The number of ends that a mailbox remembers.
const MAX_LOST_RANGES: usize = 8;

pub(super) struct Reference {
    pub(super) rules: Rules,
    pub(super) open: bool,
    pub(super) attached: Option<u32>,
    latest: u32,
    pub(super) waiting: Vec<Accepted>,
    in_flight: Option<Accepted>,
    signals: Vec<String>,
    killed: bool,
    /// The tickets and messages of the waiters. There is no message if only a permit is wanted.
    pub(super) waiters: Vec<(u64, Option<u32>)>,
    next_ticket: u64,
    outcomes: Vec<(u64, Result<u64, u32>)>,
    /// The tickets whose permit was granted (`true`) or refused (`false`).
    pub(super) permit_outcomes: Vec<(u64, bool)>,
    /// The number of reserved places.
    pub(super) reserved: usize,
    accepted: u64,
    /// The number of messages that were discarded on arrival.
    pub(super) discarded: u64,
    /// The sequence numbers of evicted messages.
    pub(super) evicted: Vec<u64>,
    handled: Vec<Accepted>,
    lost: Vec<u32>,
    pub(super) dead: Vec<u32>,
    /// The sequence numbers that were settled since the latest incarnation attached.
    pub(super) settled: Vec<u64>,
    lost_ranges: Vec<(Vec<u64>, String)>,
    ending: bool,
    /// A signal ended the running user code.
    interrupted: bool,
    /// The event for which the consumer is parked, if it is parked.
    pub(super) parked_on: Option<Interest>,
    /// The last poll of the consumer returned nothing.
    is_parked_on_mailbox: bool,
}

impl Reference {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            open: false,
            attached: None,
            latest: 0,
            waiting: Vec::new(),
            in_flight: None,
            signals: Vec::new(),
            killed: false,
            waiters: Vec::new(),
            next_ticket: 0,
            outcomes: Vec::new(),
            permit_outcomes: Vec::new(),
            reserved: 0,
            accepted: 0,
            discarded: 0,
            evicted: Vec::new(),
            handled: Vec::new(),
            lost: Vec::new(),
            dead: Vec::new(),
            settled: Vec::new(),
            lost_ranges: Vec::new(),
            ending: false,
            interrupted: false,
            parked_on: None,
            is_parked_on_mailbox: false,
        }
    }

    pub(super) fn push(&mut self, message: u32) -> Result<u64, Rejected> {
        if !self.open {
            return Err(Rejected::Closed(message));
        }
        if !self.waiters.is_empty() || !self.has_room() {
            return Err(Rejected::Full(message));
        }
        Ok(self.accept(message))
    }

    pub(super) fn push_or_wait(&mut self, message: u32) -> Result<Result<u64, u64>, u32> {
        match self.push(message) {
            Ok(sequence) => Ok(Ok(sequence)),
            Err(Rejected::Closed(message)) => Err(message),
            Err(Rejected::Full(message)) => Ok(Err(self.wait_for_room(Some(message)))),
        }
    }

    pub(super) fn wait_for_room(&mut self, message: Option<u32>) -> u64 {
        self.waiters.push((self.next_ticket, message));
        self.next_ticket += 1;
        self.admit();
        self.next_ticket - 1
    }

    pub(super) fn ticket_outcome(&mut self, ticket: u64) -> Option<Result<u64, u32>> {
        let at = self.outcomes.iter().position(|(each, _)| *each == ticket)?;
        Some(self.outcomes.remove(at).1)
    }

    pub(super) fn cancel_ticket(&mut self, ticket: u64) -> Option<u32> {
        if let Some(outcome) = self.ticket_outcome(ticket) {
            return outcome.err();
        }
        let at = self.waiters.iter().position(|(each, _)| *each == ticket)?;
        self.waiters.remove(at).1
    }

    /// Returns what an incarnation receives next. Waiting senders are admitted.
    pub(super) fn next(&mut self, incarnation: u32) -> Got {
        let next = self.next_taken(incarnation);
        self.admit();
        next
    }

    /// Returns what an incarnation receives next.
    pub(super) fn next_taken(&mut self, incarnation: u32) -> Got {
        if self.attached != Some(incarnation) {
            return Got::Detached;
        }
        self.ack(incarnation);
        self.parked_on = None;
        self.is_parked_on_mailbox = false;
        if self.killed {
            return Got::Killed;
        }
        if !self.signals.is_empty() {
            return Got::Signal(self.signals.remove(0));
        }
        if self.waiting.is_empty() {
            self.parked_on = Some(Interest::Messages);
            self.is_parked_on_mailbox = true;
            return Got::Nothing;
        }
        let (sequence, message) = self.waiting.remove(0);
        self.in_flight = Some((sequence, message));
        Got::Message(message)
    }

    pub(super) fn ack(&mut self, incarnation: u32) {
        if self.attached == Some(incarnation) {
            if let Some((sequence, message)) = self.in_flight.take() {
                self.settled.push(sequence);
                self.handled.push((sequence, message));
            }
        }
    }

    pub(super) fn inside(&mut self, incarnation: u32, interest: Interest) -> Got {
        if self.attached != Some(incarnation) {
            return Got::Detached;
        }
        if self.is_parked_on_mailbox {
            return Got::Nothing;
        }
        if self.killed {
            return Got::Killed;
        }
        if interest >= Interest::Signals && !self.signals.is_empty() {
            self.interrupted = true;
            return Got::Signal(self.signals.remove(0));
        }
        self.parked_on = Some(interest);
        self.admit();
        Got::Nothing
    }

    pub(super) fn stop(&mut self, note: &str) -> bool {
        if self.attached.is_some() {
            self.signals.push(ExitReason::shutdown_with(note).to_string());
        }
        self.attached.is_some()
    }

    pub(super) fn kill(&mut self) -> bool {
        self.killed = self.attached.is_some();
        self.killed
    }

    pub(super) fn mark_ending(&mut self, incarnation: u32) {
        self.ending |= self.attached == Some(incarnation);
    }

    /// The incarnation keeps the messages `behind` the one in flight.
    pub(super) fn detach(
        &mut self,
        incarnation: u32,
        reason: &ExitReason,
        behind: usize,
    ) -> Option<DetachResult> {
        if self.attached != Some(incarnation) {
            return None;
        }
        let lost_in_flight = self.end(reason, behind);
        let dead = if self.rules.discard { self.dead_letter_all(reason) } else { Vec::new() };
        self.admit();
        Some(DetachResult { lost_in_flight, dead })
    }

    pub(super) fn close(&mut self, reason: &ExitReason, behind: usize) -> Option<DetachResult> {
        if !self.open {
            return None;
        }
        let lost_in_flight = self.end(reason, behind);
        self.open = false;
        let dead = self.dead_letter_all(reason);
        for (ticket, message) in self.waiters.drain(..) {
            match message {
                Some(message) => self.outcomes.push((ticket, Err(message))),
                None => self.permit_outcomes.push((ticket, false)),
            }
        }
        Some(DetachResult { lost_in_flight, dead })
    }

    pub(super) fn open(&mut self) {
        self.open = true;
    }

    pub(super) fn attach(&mut self) -> Option<u32> {
        if !self.open || self.attached.is_some() {
            return None;
        }
        self.latest += 1;
        self.attached = Some(self.latest);
        self.settled.clear();
        self.attached
    }

    pub(super) fn outcome(&self, sequence: u64) -> Outcome {
        if self.is_evicted(sequence) {
            return Outcome::Evicted;
        }
        let waits = self.waiting.iter().chain(&self.in_flight).any(|(each, _)| *each == sequence);
        if waits || (self.ending && self.settled.contains(&sequence)) {
            return Outcome::Pending;
        }
        let remembered = &self.lost_ranges[self.lost_ranges.len().saturating_sub(MAX_LOST_RANGES)..];
        // If its end is forgotten, the next one is taken for it.
        match remembered.iter().find(|(lost, _)| lost.iter().any(|last| sequence <= *last)) {
            Some((_, reason)) => Outcome::Lost(reason.clone()),
            None => Outcome::Handled,
        }
    }

    /// Returns the counters: accepted, handled, lost in flight, dead, queued.
    pub(super) fn accounts(&self) -> [u64; 5] {
        let queued = self.waiting.len() + usize::from(self.in_flight.is_some());
        let [lost, dead] = [&self.lost, &self.dead].map(|list| list.len() as u64);
        [self.total_accepted(), self.handled.len() as u64, lost, dead, queued as u64]
    }

    /// Returns the number of accepted messages, with a sequence number or without.
    pub(super) fn total_accepted(&self) -> u64 {
        self.accepted + self.discarded
    }

    /// Returns every accepted message, in whatever state it is.
    pub(super) fn all_messages(&self) -> Vec<u32> {
        let numbered = self.waiting.iter().chain(&self.in_flight).chain(&self.handled);
        numbered.map(|(_, message)| message).chain(&self.lost).chain(&self.dead).copied().collect()
    }

    /// Returns the sequence numbers of the handled messages, in the order in which they were
    /// handled.
    pub(super) fn handled(&self) -> Vec<u64> {
        self.handled.iter().map(|(sequence, _)| *sequence).collect()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn latest_incarnation(&self) -> u32 {
        self.latest
    }

    pub(super) fn attached_incarnation(&self) -> Option<u32> {
        self.attached
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() + self.reserved < self.rules.capacity
    }

    pub(super) fn accept(&mut self, message: u32) -> u64 {
        self.accepted += 1;
        self.waiting.push((self.accepted, message));
        self.accepted
    }

    pub(super) fn admit(&mut self) {
        while self.has_room() && !self.waiters.is_empty() {
            let (ticket, message) = self.waiters.remove(0);
            if let Some(message) = message {
                let sequence = self.accept(message);
                self.outcomes.push((ticket, Ok(sequence)));
            } else {
                self.reserved += 1;
                self.permit_outcomes.push((ticket, true));
            }
        }
    }

    fn end(&mut self, reason: &ExitReason, behind: usize) -> u64 {
        let is_lost = std::mem::take(&mut self.interrupted) || reason.is_abnormal();
        let mut lost: Vec<Accepted> = Vec::new();
        lost.extend(if is_lost { self.in_flight.take() } else { None });
        lost.extend(self.waiting.drain(..behind));
        if let Some(incarnation) = self.attached {
            self.ack(incarnation);
            self.settled.extend(lost.iter().map(|(sequence, _)| *sequence));
            self.record_lost(self.settled.clone(), reason);
            self.attached = None;
        }
        self.lost.extend(lost.iter().map(|(_, message)| *message));
        self.signals.clear();
        self.killed = false;
        self.ending = false;
        self.parked_on = None;
        self.is_parked_on_mailbox = false;
        lost.len() as u64
    }

    fn dead_letter_all(&mut self, reason: &ExitReason) -> Vec<u32> {
        let (sequences, messages): (Vec<u64>, Vec<u32>) = self.waiting.drain(..).unzip();
        self.record_lost(sequences, reason);
        self.dead.extend(&messages);
        messages
    }

    fn record_lost(&mut self, sequences: Vec<u64>, reason: &ExitReason) {
        if !sequences.is_empty() {
            self.lost_ranges.push((sequences, reason.to_string()));
        }
    }
}
