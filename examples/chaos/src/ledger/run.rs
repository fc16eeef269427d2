//! One run with accounts: kills the worker processes, lets the last one finish, and checks the
//! store.

use std::collections::BTreeMap;
use std::time::Instant;

use perennial::durable::{EventFilter, JobFilter, Store, decode};

use super::super::check::Check;
use super::super::durable::drive::Driver;
use super::super::durable::store;
use super::super::options::Options;
use super::super::run::now;
use super::super::text::counted;
use super::account::{ACCOUNTS, Event};
use super::client::LedgerClient;
use super::report::{Numbers, Report};
use super::verify::{self, Stored};
use super::worker::journal;

/// Runs the scenario and reports what came of it.
///
/// # Errors
///
/// The worker process cannot be started.
pub async fn run(options: &Options, target: &str) -> Result<Report, String> {
    let began = Instant::now();
    let mut driver = Driver::new(options, target, format!("chaos {}", now()));
    let mut client = LedgerClient::new(options.seed, options.kills);
    if !options.quiet {
        let kills = counted(options.kills as u64, "kill");
        print_line!("chaos: {ACCOUNTS} accounts with seed {}: {kills} of the process", options.seed);
    }
    // A thread for what blocks. The signal is handled by another.
    let finished = tokio::task::block_in_place(|| driver.drive(&mut client))?;
    let read = stored(target, &driver.queue).await;
    let unfinished = || finished.clone().err().unwrap_or_default();
    let mut checks = vec![
        Check::that("all work is finished", finished.is_ok(), unfinished),
        Check::new("the store is intact", read.as_ref().err().cloned().into_iter().collect()),
    ];
    let stored = read.unwrap_or_default();
    checks.extend(verify::checks(&client.answers, &stored));
    let is_interrupted = driver.interrupt.is_requested();
    if is_interrupted {
        checks.clear();
    }
    let answers = client.answers;
    let numbers = Numbers {
        accounts: u64::from(ACCOUNTS),
        acknowledged: answers.acknowledged.len() as u64,
        refused: answers.refused.len() as u64,
        kills: driver.kills,
        killed_incarnations: answers.killed,
        abandoned_incarnations: answers.abandoned,
        refused_writes: answers.fenced,
        events: stored.journals.values().map(|events| events.len() as u64).sum(),
        jobs: stored.jobs.len() as u64,
    };
    Ok(Report { seed: options.seed, is_interrupted, numbers, checks, elapsed: began.elapsed() })
}

/// Reads the journals and the jobs of a run.
async fn stored(target: &str, run: &str) -> Result<Stored, String> {
    let store = store::open(target).await?;
    store.check().await.map_err(|error| error.to_string())?;
    let (mut journals, mut snapshots) = (BTreeMap::new(), BTreeMap::new());
    for account in 0..ACCOUNTS {
        journals.insert(account, events(&*store, journal(run, account)).await?);
        let snapshot = store.snapshot(&journal(run, account)).await.map_err(|error| error.to_string())?;
        if let Some(snapshot) = snapshot {
            let state =
                decode(&snapshot.state).map_err(|error| format!("the snapshot of {account}: {error}"))?;
            snapshots.insert(account, (snapshot.sequence as usize, state));
        }
    }
    let filter = JobFilter { queue: Some(run.to_owned()), ..JobFilter::default() };
    let jobs = store.jobs(filter).await.map_err(|error| error.to_string())?;
    Ok(Stored { journals, snapshots, jobs: jobs.into_iter().map(|job| job.state).collect() })
}

async fn events(store: &dyn Store, journal: String) -> Result<Vec<Event>, String> {
    let filter = EventFilter { journal: Some(journal), ..EventFilter::default() };
    let events = store.events(filter).await.map_err(|error| error.to_string())?;
    let decoded = events.iter().map(|event| {
        decode(&event.payload)
            .map_err(|error| format!("event {} of {}: {error}", event.sequence, event.journal))
    });
    decoded.collect()
}
