//! Durable actors of perennial: calls that persist an event, and recovery.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use perennial::{Address, ExitReason, Reply, System};
use perennial_durable::actor::{EventSourced, EventSourcedActor, EventTransaction, Journal, Snapshots};
use perennial_durable::{Applied, Batch, Bincode, Op, Store, Timestamp, Wire, encode};
use serde::{Deserialize, Serialize};

use super::durable::open;
use crate::work::{WARM_UP, each};

/// The events of one commit while a journal is made.
const PORTION: u64 = 10_000;

/// How many events may follow a snapshot.
const SNAPSHOT_EVERY: u64 = 100;

enum Msg {
    Deposit(u64, Reply<u64>),
    Balance(Reply<u64>),
}

#[derive(Serialize, Deserialize)]
struct Deposited(u64);

impl Wire for Deposited {
    const TAG: &'static str = "race.deposited";
}

struct Account(u64);

impl EventSourced for Account {
    type Msg = Msg;
    type Event = Deposited;
    type Args = ();

    fn new((): &()) -> Self {
        Self(0)
    }

    fn apply(&mut self, Deposited(amount): Deposited) {
        self.0 += amount;
    }

    async fn handle(&self, msg: Msg, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Deposit(amount, reply) => {
                tx.persist(Deposited(amount));
                tx.reply_with(reply, |account| account.0);
            }
            Msg::Balance(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

impl Snapshots for Account {
    type Snapshot = u64;

    fn snapshot(&self) -> u64 {
        self.0
    }

    fn restore((): &(), balance: u64) -> Self {
        Self(balance)
    }
}

async fn start(
    system: &System,
    store: &Arc<dyn Store>,
    name: String,
    snapshots: bool,
) -> Result<Address<Msg>> {
    let journal = Journal::<Account>::new(store.clone(), name, ());
    let journal = if snapshots { journal.snapshot_every(SNAPSHOT_EVERY) } else { journal };
    system.spawn::<EventSourcedActor<Account>>(journal).await.context("an account does not start")
}

/// Returns the cost in nanoseconds of each of `count` calls by so many callers, of an account of
/// its own each.
pub async fn calls(address: String, callers: u64, count: u64) -> Result<f64> {
    let (system, store) = (System::new(), open(&address).await?);
    let mut accounts = Vec::new();
    for caller in 0..callers {
        accounts.push(start(&system, &store, format!("account/{caller}"), false).await?);
    }
    call_all(&accounts, count / WARM_UP).await?;
    let begin = Instant::now();
    let done = call_all(&accounts, count).await?;
    Ok(each(begin.elapsed(), done))
}

/// Returns how many calls were made: at least `count`.
async fn call_all(accounts: &[Address<Msg>], count: u64) -> Result<u64> {
    let share = count.div_ceil(accounts.len() as u64);
    let callers: Vec<_> = accounts
        .iter()
        .map(|account| {
            let account = account.clone();
            tokio::spawn(async move {
                for _ in 0..share {
                    account.call(|reply| Msg::Deposit(1, reply)).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await.context("a caller panicked")??;
    }
    Ok(share * accounts.len() as u64)
}

/// Returns how long a start takes of an account with so many events, in milliseconds: without a
/// snapshot, and with one.
pub async fn recoveries(address: String, events: u64) -> Result<[f64; 2]> {
    let (system, store) = (System::new(), open(&address).await?);
    let mut times = [0.0; 2];
    for (snapshots, time) in [false, true].into_iter().zip(&mut times) {
        let name = format!("account/{snapshots}");
        fill(&*store, &name, events).await?;
        if snapshots {
            // Its first deposit makes a snapshot of all.
            let account = start(&system, &store, name.clone(), true).await?;
            account.call(|reply| Msg::Deposit(0, reply)).await?;
        }
        let begin = Instant::now();
        let account = start(&system, &store, name, snapshots).await?;
        *time = begin.elapsed().as_secs_f64() * 1_000.0;
        ensure!(account.call(Msg::Balance).await? == events, "an event is missing");
    }
    Ok(times)
}

/// Makes a journal of deposits of 1.
async fn fill(store: &dyn Store, journal: &str, events: u64) -> Result<()> {
    let commit = |op| store.commit(Batch::of(Timestamp::now(), op));
    let claimed = commit(Op::Claim { journal: journal.to_owned() }).await?;
    let [Applied::Claimed { writer, sequence: mut expected }] = claimed[..] else {
        anyhow::bail!("the journal was not claimed")
    };
    let event = encode::<_, Bincode>(&Deposited(1))?;
    while expected < events {
        let events = vec![event.clone(); PORTION.min(events - expected) as usize];
        let appended = events.len() as u64;
        commit(Op::Append { journal: journal.to_owned(), writer, expected, events }).await?;
        expected += appended;
    }
    Ok(())
}
