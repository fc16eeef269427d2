//! What a mailbox is supposed to do, said as simply as possible: one list of what waits, no lanes, no batch, no locks.

use super::checked::{Back, Became, Got};
use crate::exit::ExitReason;
use crate::mailbox::{Interest, OverflowPolicy, ParkResult};

/// What the mailbox does with a message that waits when an incarnation ends, how many may wait, and what goes when they do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) capacity: usize,
    pub(super) discard: bool,
    pub(super) overflow: OverflowPolicy,
}

/// What an end left over.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Remains {
    pub(super) lost_in_flight: bool,
    pub(super) dead: Vec<u32>,
}

/// A message that was accepted: its sequence number and itself.
type Accepted = (u64, u32);

/// How many ends a mailbox remembers.
const REMEMBERED: usize = 8;

pub(super) struct Reference {
    pub(super) rules: Rules,
    pub(super) open: bool,
    pub(super) served: Option<u32>,
    newest: u32,
    pub(super) waiting: Vec<Accepted>,
    in_hand: Option<Accepted>,
    signals: Vec<String>,
    killed: bool,
    /// Tickets and messages; no message if it is only a place that is wanted.
    pub(super) line: Vec<(u64, Option<u32>)>,
    next_ticket: u64,
    outcomes: Vec<(u64, Result<u64, u32>)>,
    /// Whether a place was kept.
    pub(super) place_outcomes: Vec<(u64, bool)>,
    /// How many places are kept.
    pub(super) kept: usize,
    accepted: u64,
    /// Dropped on their way in.
    pub(super) swallowed: u64,
    /// Dropped to make room.
    pub(super) dropped: Vec<u64>,
    handled: Vec<Accepted>,
    lost: Vec<u32>,
    pub(super) dead: Vec<u32>,
    /// What was settled since the newest incarnation began.
    pub(super) settled: Vec<u64>,
    losses: Vec<(Vec<u64>, String)>,
    ending: bool,
    /// What the consumer sleeps over, if it does.
    pub(super) asleep: Option<Interest>,
    /// The last thing that the consumer got was nothing.
    at_its_mailbox: bool,
}

impl Reference {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            open: false,
            served: None,
            newest: 0,
            waiting: Vec::new(),
            in_hand: None,
            signals: Vec::new(),
            killed: false,
            line: Vec::new(),
            next_ticket: 0,
            outcomes: Vec::new(),
            place_outcomes: Vec::new(),
            kept: 0,
            accepted: 0,
            swallowed: 0,
            dropped: Vec::new(),
            handled: Vec::new(),
            lost: Vec::new(),
            dead: Vec::new(),
            settled: Vec::new(),
            losses: Vec::new(),
            ending: false,
            asleep: None,
            at_its_mailbox: false,
        }
    }

    pub(super) fn push(&mut self, message: u32) -> Result<u64, Back> {
        if !self.open {
            return Err(Back::Closed(message));
        }
        if !self.line.is_empty() || !self.has_room() {
            return Err(Back::Full(message));
        }
        Ok(self.accept(message))
    }

    pub(super) fn join(&mut self, message: u32) -> Result<Result<u64, u64>, u32> {
        match self.push(message) {
            Ok(sequence) => Ok(Ok(sequence)),
            Err(Back::Closed(message)) => Err(message),
            Err(Back::Full(message)) => Ok(Err(self.stand_in_line(Some(message)))),
        }
    }

    pub(super) fn stand_in_line(&mut self, message: Option<u32>) -> u64 {
        self.line.push((self.next_ticket, message));
        self.next_ticket += 1;
        self.next_ticket - 1
    }

    pub(super) fn ask(&mut self, ticket: u64) -> Option<Result<u64, u32>> {
        let at = self.outcomes.iter().position(|(each, _)| *each == ticket)?;
        Some(self.outcomes.remove(at).1)
    }

    pub(super) fn leave(&mut self, ticket: u64) -> Option<u32> {
        if let Some(outcome) = self.ask(ticket) {
            return outcome.err();
        }
        let at = self.line.iter().position(|(each, _)| *each == ticket)?;
        self.line.remove(at).1
    }

    pub(super) fn next(&mut self, incarnation: u32) -> Got {
        if self.served != Some(incarnation) {
            return Got::Detached;
        }
        self.settle(incarnation);
        self.asleep = None;
        self.at_its_mailbox = false;
        if self.killed {
            return Got::Killed;
        }
        if !self.signals.is_empty() {
            return Got::Signal(self.signals.remove(0));
        }
        if self.waiting.is_empty() {
            self.asleep = Some(Interest::Messages);
            self.at_its_mailbox = true;
            return Got::Nothing;
        }
        let (sequence, message) = self.waiting.remove(0);
        self.in_hand = Some((sequence, message));
        self.let_in();
        Got::Message(message)
    }

    pub(super) fn settle(&mut self, incarnation: u32) {
        if self.served == Some(incarnation) {
            if let Some((sequence, message)) = self.in_hand.take() {
                self.settled.push(sequence);
                self.handled.push((sequence, message));
            }
        }
    }

    pub(super) fn sleep_inside(&mut self, incarnation: u32, interest: Interest) -> ParkResult {
        if self.served != Some(incarnation) {
            return ParkResult::Over;
        }
        if self.at_its_mailbox {
            return ParkResult::Asleep;
        }
        if self.killed {
            return ParkResult::Over;
        }
        if interest >= Interest::Signals && !self.signals.is_empty() {
            return ParkResult::Signalled;
        }
        self.asleep = Some(interest);
        ParkResult::Asleep
    }

    pub(super) fn stop(&mut self, note: &str) -> bool {
        if self.served.is_some() {
            self.signals.push(ExitReason::shutdown_with(note).to_string());
        }
        self.served.is_some()
    }

    pub(super) fn kill(&mut self) -> bool {
        self.killed = self.served.is_some();
        self.killed
    }

    pub(super) fn begin_end(&mut self, incarnation: u32) {
        self.ending |= self.served == Some(incarnation);
    }

    pub(super) fn detach(&mut self, incarnation: u32, reason: &ExitReason) -> Option<Remains> {
        if self.served != Some(incarnation) {
            return None;
        }
        let lost_in_flight = self.end(reason);
        let dead = if self.rules.discard { self.bury(reason) } else { Vec::new() };
        self.let_in();
        Some(Remains { lost_in_flight, dead })
    }

    pub(super) fn close(&mut self, reason: &ExitReason) -> Option<Remains> {
        if !self.open {
            return None;
        }
        let lost_in_flight = self.end(reason);
        self.open = false;
        let dead = self.bury(reason);
        for (ticket, message) in self.line.drain(..) {
            match message {
                Some(message) => self.outcomes.push((ticket, Err(message))),
                None => self.place_outcomes.push((ticket, false)),
            }
        }
        Some(Remains { lost_in_flight, dead })
    }

    pub(super) fn open(&mut self) {
        self.open = true;
    }

    pub(super) fn attach(&mut self) -> Option<u32> {
        if !self.open || self.served.is_some() {
            return None;
        }
        self.newest += 1;
        self.served = Some(self.newest);
        self.settled.clear();
        self.served
    }

    pub(super) fn became(&self, sequence: u64) -> Became {
        if self.is_dropped(sequence) {
            return Became::Dropped;
        }
        let waits = self.waiting.iter().chain(&self.in_hand).any(|(each, _)| *each == sequence);
        if waits || (self.ending && self.settled.contains(&sequence)) {
            return Became::Open;
        }
        let remembered = self.losses.iter().rev().take(REMEMBERED);
        match remembered.into_iter().find(|(lost, _)| lost.contains(&sequence)) {
            Some((_, reason)) => Became::Lost(reason.clone()),
            None => Became::Handled,
        }
    }

    /// As the accounts have it: accepted, handled, lost in flight, dead, queued.
    pub(super) fn accounts(&self) -> [u64; 5] {
        let queued = self.waiting.len() + usize::from(self.in_hand.is_some());
        let [lost, dead] = [&self.lost, &self.dead].map(|list| list.len() as u64);
        [self.taken(), self.handled.len() as u64, lost, dead, queued as u64]
    }

    /// How many were taken in, with a number or without.
    pub(super) fn taken(&self) -> u64 {
        self.accepted + self.swallowed
    }

    /// Every message that was accepted, wherever it is now.
    pub(super) fn everywhere(&self) -> Vec<u32> {
        let numbered = self.waiting.iter().chain(&self.in_hand).chain(&self.handled);
        numbered.map(|(_, message)| message).chain(&self.lost).chain(&self.dead).copied().collect()
    }

    /// The numbers of what was handled, in that order.
    pub(super) fn handled(&self) -> Vec<u64> {
        self.handled.iter().map(|(sequence, _)| *sequence).collect()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn newest(&self) -> u32 {
        self.newest
    }

    pub(super) fn serves(&self) -> Option<u32> {
        self.served
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() + self.kept < self.rules.capacity
    }

    pub(super) fn accept(&mut self, message: u32) -> u64 {
        self.accepted += 1;
        self.waiting.push((self.accepted, message));
        self.accepted
    }

    pub(super) fn let_in(&mut self) {
        while self.has_room() && !self.line.is_empty() {
            let (ticket, message) = self.line.remove(0);
            if let Some(message) = message {
                let sequence = self.accept(message);
                self.outcomes.push((ticket, Ok(sequence)));
            } else {
                self.kept += 1;
                self.place_outcomes.push((ticket, true));
            }
        }
    }

    fn end(&mut self, reason: &ExitReason) -> bool {
        let lost = if reason.is_abnormal() { self.in_hand.take() } else { None };
        if let Some(incarnation) = self.served {
            self.settle(incarnation);
            self.settled.extend(lost.map(|(sequence, _)| sequence));
            self.remember(self.settled.clone(), reason);
            self.served = None;
        }
        self.lost.extend(lost.map(|(_, message)| message));
        self.signals.clear();
        self.killed = false;
        self.ending = false;
        self.asleep = None;
        self.at_its_mailbox = false;
        lost.is_some()
    }

    fn bury(&mut self, reason: &ExitReason) -> Vec<u32> {
        let (sequences, messages): (Vec<u64>, Vec<u32>) = self.waiting.drain(..).unzip();
        self.remember(sequences, reason);
        self.dead.extend(&messages);
        messages
    }

    fn remember(&mut self, sequences: Vec<u64>, reason: &ExitReason) {
        if !sequences.is_empty() {
            self.losses.push((sequences, reason.to_string()));
        }
    }
}
