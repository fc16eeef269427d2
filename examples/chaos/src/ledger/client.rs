//! The client: the transfers that it asks for, from the seed, and what was answered.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::super::durable::drive::Client;
use super::super::durable::kills::portion;
use super::account::{ACCOUNTS, START, Sent, Transfer};
use super::protocol::{Answer, Request};

/// How many transfers of each account there are for each process.
const TRANSFERS: usize = 2;

/// The largest amount. An account is empty now and then.
const MOST: u32 = START / 10;

/// What was answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// The transfers that are stored, by sender and number.
    pub acknowledged: BTreeMap<(u32, u64), Transfer>,
    /// The transfers that were refused.
    pub refused: Vec<Transfer>,
    /// The transfers whose predecessor was acknowledged, and then unknown.
    pub gaps: Vec<Transfer>,
    /// How many incarnations of accounts were killed.
    pub killed: u64,
    /// How many of them had blocked their thread, and woke up beside the next one.
    pub abandoned: u64,
    /// How many of their writes were refused.
    pub fenced: u64,
}

/// The client of the worker processes.
#[derive(Debug)]
pub struct LedgerClient {
    senders: Vec<Sender>,
    pub answers: Answers,
}

/// The transfers of one account, one after the other.
#[derive(Debug)]
struct Sender {
    /// What is left, the next one last. The numbers follow from the answers.
    left: Vec<Transfer>,
    /// How many are left when the process has done its part.
    last: usize,
    /// The number of the next one.
    number: u64,
}

impl LedgerClient {
    /// The same seed and the same number of kills give the same transfers.
    pub fn new(seed: u64, kills: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let senders = (0..ACCOUNTS).map(|from| {
            let mut transfer = || {
                let to = (from + rng.u32(1..ACCOUNTS)) % ACCOUNTS;
                Transfer { from, number: 0, to, amount: rng.u32(1..=MOST) }
            };
            let left: Vec<_> = (0..TRANSFERS * (kills + 1)).map(|_| transfer()).collect();
            Sender { last: left.len(), left, number: 1 }
        });
        Self { senders: senders.collect(), answers: Answers::default() }
    }

    fn sender(&mut self, from: u32) -> Option<&mut Sender> {
        self.senders.get_mut(from as usize)
    }

    /// Notes what a sender has answered, and returns its next transfer.
    fn note_sent(&mut self, from: u32, number: u64, sent: Sent) -> Option<Request> {
        let sender = self.sender(from)?;
        let Request(transfer) = sender.next().filter(|next| next.0.number == number)?;
        match sent {
            Sent::Stored => sender.number += 1,
            Sent::Refused => {}
            // It would be so for ever.
            Sent::Gap => sender.left.clear(),
        }
        sender.left.pop();
        let next = sender.next();
        match sent {
            Sent::Stored => drop(self.answers.acknowledged.insert((from, number), transfer)),
            Sent::Refused => self.answers.refused.push(transfer),
            Sent::Gap => self.answers.gaps.push(transfer),
        }
        next
    }
}

impl Sender {
    fn next(&self) -> Option<Request> {
        let next = self.left.last().filter(|_| self.left.len() > self.last)?;
        Some(Request(Transfer { number: self.number, ..*next }))
    }
}

impl Client for LedgerClient {
    type Request = Request;
    type Answer = Answer;

    fn requests(&mut self, index: usize, kills: usize) -> Vec<Request> {
        let all = TRANSFERS * (kills + 1);
        for sender in &mut self.senders {
            sender.last = all - portion(all, index, kills);
        }
        self.senders.iter().filter_map(Sender::next).collect()
    }

    fn expected(&self) -> usize {
        self.senders.iter().map(|sender| sender.left.len().saturating_sub(sender.last)).sum()
    }

    fn note(&mut self, answer: Answer) -> Option<Request> {
        match answer {
            Answer::Sent { from, number, sent } => return self.note_sent(from, number, sent),
            Answer::Up => {}
            Answer::Killed => self.answers.killed += 1,
            Answer::Abandoned => self.answers.abandoned += 1,
            Answer::Fenced => self.answers.fenced += 1,
        }
        None
    }

    fn asks_more(&self) -> bool {
        self.expected() > 0
    }
}
