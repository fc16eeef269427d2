//! An account, as both forms of a durable actor.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use perennial_actors::{ExitReason, Reply};
use perennial_durable::actor::{
    DurableActor, DurableState, EventSourced, EventTransaction, Snapshots, StateTransaction, Transaction,
};
use perennial_durable::{DecodeError, EventFilter, NewJob, OldPayload, Store, Wire, decode};
use serde::{Deserialize, Serialize};

use super::payload;
use super::steps::Steps;

pub(crate) enum Msg {
    /// Deposits an amount in two events, and enqueues a job.
    Deposit(u64, Reply<u64>),
    /// Does the same, and fails then.
    DepositAndFail(u64, Reply<u64>),
    /// Tells that it has begun, blocks the thread until it may go on, and deposits an amount; 0
    /// enqueues a job instead.
    DepositLate(u64, Sender<()>, Receiver<()>),
    Balance(Reply<u64>),
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Announced(u64),
    Deposited(u64),
}

/// The first version of the events.
#[derive(Deserialize)]
enum EventV1 {
    Announced(u32),
    Deposited(u32),
}

impl Wire for Event {
    const TAG: &'static str = "test.account";
    const VERSION: u32 = 2;

    fn upcast(old: &OldPayload<'_>) -> Result<Self, DecodeError> {
        match old.version() {
            1 => old.decode().map(|event| match event {
                EventV1::Announced(amount) => Self::Announced(amount.into()),
                EventV1::Deposited(amount) => Self::Deposited(amount.into()),
            }),
            _ => Err(old.unknown_version::<Self>()),
        }
    }
}

/// What was announced, and what was deposited: the same if nothing is done by halves.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) announced: u64,
    pub(crate) balance: u64,
}

impl Wire for Account {
    const TAG: &'static str = "test.account.state";
}

impl Account {
    fn change(&mut self, event: &Event) {
        match event {
            Event::Announced(amount) => self.announced += amount,
            Event::Deposited(amount) => self.balance += amount,
        }
    }

    /// Returns the state that follows from the events of a journal.
    pub(crate) async fn of_events(store: &dyn Store, journal: &str) -> Self {
        let filter = EventFilter { journal: Some(journal.to_owned()), after: 0, max: 0 };
        let mut account = Self::default();
        for event in store.events(filter).await.expect("events") {
            account.change(&decode(&event.payload).expect("an event"));
        }
        account
    }

    /// Returns the state that is stored as a whole.
    pub(crate) async fn of_state(store: &dyn Store, name: &str) -> Self {
        let stored = store.snapshot(name).await.expect("a state");
        stored.map_or_else(Self::default, |stored| decode(&stored.state).expect("a state"))
    }
}

/// The queue of the jobs that deposits enqueue.
pub(crate) const RECEIPTS: &str = "receipts";

fn receipt(amount: u64) -> NewJob {
    NewJob::new(RECEIPTS, payload(&amount.to_string()))
}

/// Answers a deposit after the commit, and enqueues its job.
fn confirm<A: DurableActor<State = Account>>(tx: &mut Transaction<'_, A>, amount: u64, reply: Reply<u64>) {
    tx.enqueue(receipt(amount));
    tx.reply_with(reply, |account| account.balance);
}

impl EventSourced for Account {
    type Msg = Msg;
    type Event = Event;
    type Args = Arc<Steps>;

    fn new(_: &Arc<Steps>) -> Self {
        Self::default()
    }

    fn apply(&mut self, event: Event) {
        self.change(&event);
    }

    async fn handle(&self, msg: Msg, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        let steps = tx.args();
        match msg {
            Msg::Balance(reply) => reply.send(self.balance),
            Msg::DepositLate(amount, begun, release) => {
                begun.send(())?;
                release.recv()?;
                match amount {
                    0 => tx.enqueue(receipt(0)),
                    amount => tx.persist(Event::Deposited(amount)),
                }
            }
            Msg::DepositAndFail(amount, reply) => {
                tx.persist(Event::Announced(amount));
                confirm(tx, amount, reply);
                return Err("it fails".into());
            }
            Msg::Deposit(amount, reply) => {
                steps.step().await;
                tx.persist(Event::Announced(amount));
                steps.step().await;
                tx.persist(Event::Deposited(amount));
                confirm(tx, amount, reply);
                steps.step().await;
            }
        }
        Ok(())
    }
}

impl Snapshots for Account {
    type Snapshot = Self;

    fn snapshot(&self) -> Self {
        self.clone()
    }

    fn restore(_: &Arc<Steps>, snapshot: Self) -> Self {
        snapshot
    }
}

impl DurableState for Account {
    type Msg = Msg;
    type Args = Arc<Steps>;

    fn new(_: &Arc<Steps>) -> Self {
        Self::default()
    }

    async fn handle(&mut self, msg: Msg, tx: &mut StateTransaction<'_, Self>) -> Result<(), ExitReason> {
        let steps = tx.args();
        match msg {
            Msg::Balance(reply) => reply.send(self.balance),
            Msg::DepositLate(amount, begun, release) => {
                begun.send(())?;
                release.recv()?;
                match amount {
                    0 => tx.enqueue(receipt(0)),
                    amount => self.balance += amount,
                }
            }
            Msg::DepositAndFail(amount, reply) => {
                self.announced += amount;
                confirm(tx, amount, reply);
                return Err("it fails".into());
            }
            Msg::Deposit(amount, reply) => {
                steps.step().await;
                self.announced += amount;
                steps.step().await;
                self.balance += amount;
                confirm(tx, amount, reply);
                steps.step().await;
            }
        }
        Ok(())
    }
}
