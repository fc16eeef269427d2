//! The accounts: actors whose balances follow from the events in their journals.

use std::collections::BTreeMap;
use std::sync::Arc;

use perennial::durable::Wire;
use perennial::durable::actor::{EventSourced, EventTransaction, Snapshots};
use perennial::durable::pool::DurableHandle;
use perennial::prelude::*;
use serde::{Deserialize, Serialize};

use super::faults::Stall;

/// How many accounts there are. Their numbers are below.
pub const ACCOUNTS: u32 = 8;

/// What each account has at first.
pub const START: u32 = 10_000;

/// Money that one account sends to another.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Transfer {
    pub from: u32,
    /// The first transfer of an account is 1. There are no gaps.
    pub number: u64,
    pub to: u32,
    pub amount: u32,
}

/// The job that brings a transfer to its receiver.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Delivery {
    pub transfer: Transfer,
    /// The number of the sender's previous transfer to the same receiver; 0 if there is none.
    previous: u64,
}

impl Wire for Delivery {
    const TAG: &'static str = "chaos.delivery";
}

/// What has happened to an account.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Opened { amount: u32 },
    Sent { to: u32, number: u64, amount: u32 },
    Received { from: u32, number: u64, amount: u32 },
}

impl Wire for Event {
    const TAG: &'static str = "chaos.event";
}

/// What the sender of a transfer says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sent {
    /// The transfer is stored.
    Stored,
    /// The balance is too small. Nothing is stored.
    Refused,
    /// An earlier transfer is not stored.
    Gap,
}

pub enum Msg {
    Send(Transfer, Reply<Sent>),
    /// The answer is `false` if an earlier transfer of the sender is missing.
    Receive(Delivery, Reply<bool>),
}

/// The pool that brings the transfers to their receivers.
pub type Outbox = DurableHandle<fn(Delivery) -> Result<(), String>>;

/// What the incarnations of an account need.
#[derive(Clone)]
pub struct Args {
    pub outbox: Outbox,
    pub stall: Arc<Stall>,
    /// The sabotage: the answer does not wait for the commit.
    pub replies_early: bool,
}

/// The state of an account.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Account {
    is_open: bool,
    /// It becomes negative only if the store breaks a promise.
    balance: i64,
    /// The number of the latest transfer.
    sent: u64,
    /// The same of each receiver.
    sent_to: BTreeMap<u32, u64>,
    /// The number of the latest transfer of each sender.
    received: BTreeMap<u32, u64>,
}

impl Wire for Account {
    const TAG: &'static str = "chaos.account";
}

impl Account {
    /// Returns the state that follows from events.
    pub fn of_events(events: &[Event]) -> Self {
        let mut account = Self::default();
        events.iter().cloned().for_each(|event| account.apply(event));
        account
    }

    fn send(
        &self,
        transfer: Transfer,
        reply: Reply<Sent>,
        tx: &mut EventTransaction<'_, Self>,
    ) -> Result<(), ExitReason> {
        let Transfer { number, to, amount, .. } = transfer;
        if number <= self.sent {
            // A repeated request.
            reply.send(Sent::Stored);
        } else if number != self.sent + 1 {
            reply.send(Sent::Gap);
        } else if i64::from(amount) > self.balance {
            reply.send(Sent::Refused);
        } else {
            let Args { outbox, stall, replies_early } = tx.args();
            stall.pass(transfer.from);
            tx.persist(Event::Sent { to, number, amount });
            let previous = self.sent_to.get(&to).copied().unwrap_or_default();
            let job = outbox.submit(Delivery { transfer, previous }).key(transfer.from.to_string());
            tx.enqueue(job.prepare()?);
            if *replies_early {
                reply.send(Sent::Stored);
            } else {
                tx.reply(reply, Sent::Stored);
            }
        }
        Ok(())
    }

    fn receive(&self, delivery: Delivery, reply: Reply<bool>, tx: &mut EventTransaction<'_, Self>) {
        let Delivery { transfer: Transfer { from, number, amount, .. }, previous } = delivery;
        let latest = self.received.get(&from).copied().unwrap_or_default();
        if number <= latest {
            // A repeated request.
            reply.send(true);
        } else if previous != latest {
            reply.send(false);
        } else {
            tx.persist(Event::Received { from, number, amount });
            tx.reply(reply, true);
        }
    }
}

impl EventSourced for Account {
    type Msg = Msg;
    type Event = Event;
    type Args = Args;

    fn new(_: &Args) -> Self {
        Self::default()
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Opened { amount } => {
                self.is_open = true;
                self.balance += i64::from(amount);
            }
            Event::Sent { to, number, amount } => {
                self.balance -= i64::from(amount);
                self.sent = number;
                self.sent_to.insert(to, number);
            }
            Event::Received { from, number, amount } => {
                self.balance += i64::from(amount);
                self.received.insert(from, number);
            }
        }
    }

    async fn recovered(&self, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        if !self.is_open {
            tx.persist(Event::Opened { amount: START });
        }
        Ok(())
    }

    async fn handle(&self, msg: Msg, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Send(transfer, reply) => self.send(transfer, reply, tx)?,
            Msg::Receive(delivery, reply) => self.receive(delivery, reply, tx),
        }
        Ok(())
    }
}

impl Snapshots for Account {
    type Snapshot = Self;

    fn snapshot(&self) -> Self {
        self.clone()
    }

    fn restore(_: &Args, snapshot: Self) -> Self {
        snapshot
    }
}
