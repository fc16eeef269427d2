//! Durable actors on a store that fails, and whose process is killed, for 1,000 seeds.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Address, System};
use perennial_durable::actor::Journal;
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::{EventFilter, JobFilter, Store, decode};
use perennial_supervision::{App, Backoff, Child, Restart, Supervisor, SupervisorHandle};

use crate::support::account::{Account, Event, Msg, RECEIPTS};

const FAULTS: Faults = Faults {
    full: 60,
    busy: 60,
    disconnected: 60,
    lost_answer: 60,
    failed_sync: 60,
    sync_time: Duration::from_millis(5),
    acknowledges_early: false,
};

fn child(store: &Arc<FaultStore>) -> Child<Msg> {
    let journal = Journal::<Account>::new(store.clone(), "a", Arc::default()).snapshot_every(3);
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(10));
    journal.child("a").restart(Restart::Permanent).backoff(backoff)
}

async fn start(store: &Arc<FaultStore>) -> (App<SupervisorHandle>, Address<Msg>) {
    let child = child(store);
    let account = child.address();
    let bank = Supervisor::new("bank").intensity(10_000, Duration::from_secs(1)).child(child);
    (bank.start(&System::new()).await.expect("it waits for the store"), account)
}

/// Deposits the numbers 1, 2, 4, ... while the store fails, and kills the process between two
/// rounds. Returns what is wrong then.
async fn scenario(seed: u64, faults: Faults) -> Result<(), String> {
    let mut store = Arc::new(FaultStore::new(seed, faults));
    let (mut acknowledged, mut amount) = (0, 1);
    for _ in 0..3 {
        let (app, account) = start(&store).await;
        for _ in 0..8 {
            match account.call(|reply| Msg::Deposit(amount, reply)).await {
                Ok(balance) if balance & amount == 0 => return Err(format!("{balance} lacks {amount}")),
                Ok(_) => acknowledged |= amount,
                // It may be stored.
                Err(_) => {}
            }
            amount <<= 1;
        }
        // The process is killed: what it has handed over is lost or not.
        store = Arc::new(store.restart());
        drop(app.shutdown().await);
        check(&store, acknowledged).await?;
    }
    let (app, account) = start(&store).await;
    let balance = account.call(Msg::Balance).await.map_err(|error| error.to_string())?;
    let stored = Account::of_events(&*store, "a").await;
    drop(app.shutdown().await);
    (balance == stored.balance).then_some(()).ok_or(format!("{balance} is not {}", stored.balance))
}

/// Each deposit is stored once or not at all, with both events and its job; those that were
/// acknowledged are.
async fn check(store: &FaultStore, acknowledged: u64) -> Result<(), String> {
    let events = store.events(EventFilter::default()).await.map_err(|error| error.to_string())?;
    let (mut announced, mut deposited, mut count) = (0, 0, 0);
    for event in events {
        let (sum, amount) = match decode(&event.payload).map_err(|error| error.to_string())? {
            Event::Announced(amount) => (&mut announced, amount),
            Event::Deposited(amount) => (&mut deposited, amount),
        };
        if *sum & amount != 0 {
            return Err(format!("{amount} is stored twice"));
        }
        *sum |= amount;
        count += 1;
    }
    let filter = JobFilter { queue: Some(RECEIPTS.to_owned()), ..JobFilter::default() };
    let jobs = store.jobs(filter).await.map_err(|error| error.to_string())?.len();
    if acknowledged & !deposited != 0 {
        return Err(format!("{acknowledged:b} was acknowledged, and {deposited:b} is stored"));
    }
    if announced != deposited || jobs * 2 != count {
        return Err(format!("by halves: {announced:b}, {deposited:b}, {jobs} jobs, {count} events"));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_stored_once_for_1000_seeds() {
    for seed in 0..1_000 {
        scenario(seed, FAULTS).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_acknowledges_before_it_syncs_is_found_out() {
    let liar = Faults { acknowledges_early: true, ..FAULTS };
    let mut found = 0;
    for seed in 0..50 {
        found += u32::from(scenario(seed, liar).await.is_err());
    }
    assert!(found > 10, "only {found} of 50 seeds find it");
}
