//! What a store acknowledged is there, whatever fails, for 1,000 seeds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_durable::conformance::{Opener, run};
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::{
    Applied, AttemptEnd, Batch, CommitErrorKind, JobFilter, JobId, NewJob, Op, RecordState, Store, Timestamp,
};

use crate::support::payload;

fn opener() -> Opener {
    let last: Mutex<Option<Arc<FaultStore>>> = Mutex::default();
    Opener::new(move || {
        let mut last = last.lock().expect("no panic under the lock");
        let next = last.as_ref().map_or_else(|| FaultStore::new(1, Faults::default()), |last| last.restart());
        let store = Arc::new(next);
        *last = Some(store.clone());
        Box::pin(std::future::ready(Ok(store as Arc<dyn Store>)))
    })
}

#[tokio::test]
async fn without_faults_it_passes_the_conformance_suite() {
    let report = run(opener).await;
    assert!(report.is_passed(), "{report}");
}

const FAULTS: Faults = Faults {
    full: 40,
    busy: 40,
    disconnected: 40,
    lost_answer: 40,
    failed_sync: 40,
    sync_time: Duration::from_millis(5),
    acknowledges_early: false,
};

/// What is known of the texts that were submitted, and of the jobs that were done.
#[derive(Default)]
struct Known {
    stored: BTreeMap<JobId, String>,
    refused: BTreeSet<String>,
    done: BTreeSet<JobId>,
}

impl Known {
    /// Returns what is wrong with what the store has.
    async fn check(&self, store: &FaultStore) -> Result<(), String> {
        let jobs = store.jobs(JobFilter::default()).await.map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let found: BTreeMap<_, _> =
            jobs.iter().map(|job| (job.id, (text(&job.job.payload.bytes), job.state))).collect();
        for (id, text) in &self.stored {
            if found.get(id).is_none_or(|(found, _)| found != text) {
                return Err(format!("job {id} was acknowledged and is lost"));
            }
        }
        for id in &self.done {
            if found.get(id).is_none_or(|(_, state)| *state != RecordState::Completed) {
                return Err(format!("the outcome of job {id} was acknowledged and is lost"));
            }
        }
        match found.values().find(|(text, _)| self.refused.contains(text)) {
            Some((text, _)) => Err(format!("{text} was refused and is there")),
            None => Ok(()),
        }
    }
}

/// Submits and does jobs while the store fails, and kills the process now and then.
async fn scenario(seed: u64, faults: Faults) -> Result<(), String> {
    let mut store = FaultStore::new(seed, faults);
    let mut known = Known::default();
    for round in 0..4 {
        let submits: Vec<_> = (0..8)
            .map(|number| {
                let text = format!("{round}-{number}");
                let new = NewJob { retention: Duration::MAX, ..NewJob::new("q", payload(&text)) };
                (text, store.commit(Batch::of(Timestamp(1), Op::Enqueue(Box::new(new)))))
            })
            .collect();
        for (number, (text, submit)) in submits.into_iter().enumerate() {
            // In the last round but one, the process is killed while some are about to be synced.
            if round == 2 && number == 4 {
                break;
            }
            match submit.await.map_err(|error| error.kind) {
                Ok(applied) => match applied[..] {
                    [Applied::Enqueued(id)] => drop(known.stored.insert(id, text)),
                    ref other => return Err(format!("the effect is {other:?}")),
                },
                Err(CommitErrorKind::NotApplied(_)) => drop(known.refused.insert(text)),
                Err(CommitErrorKind::Unknown(_)) => {}
                Err(conflict) => return Err(format!("{conflict:?}")),
            }
        }
        let lease = Batch::of(Timestamp(1), Op::Lease { queue: "q".to_owned(), max: 4 });
        if let Ok([Applied::Leased(leased)]) = store.commit(lease).await.as_deref() {
            for job in &leased.jobs {
                let end = AttemptEnd::Completed(None);
                let finish = Op::Finish { job: job.id, attempt: job.attempt, end };
                if store.commit(Batch::of(Timestamp(1), finish)).await.is_ok() {
                    known.done.insert(job.id);
                }
            }
        }
        store = store.restart();
        known.check(&store).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_acknowledged_is_lost_and_nothing_refused_is_there_for_1000_seeds() {
    for seed in 0..1_000 {
        scenario(seed, FAULTS).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_acknowledges_before_it_syncs_is_found_out() {
    let liar = Faults { acknowledges_early: true, ..FAULTS };
    let mut found = 0;
    for seed in 0..100 {
        found += u32::from(scenario(seed, liar).await.is_err());
    }
    assert!(found > 50, "only {found} of 100 seeds find it");
}

#[tokio::test(start_paused = true)]
async fn a_sync_takes_its_time() {
    let slow = Faults { sync_time: Duration::from_secs(10), ..Faults::default() };
    let store = FaultStore::new(3, slow);
    let began = tokio::time::Instant::now();
    let op = Op::Pause { queue: "q".to_owned(), paused: true };
    store.commit(Batch::of(Timestamp(1), op)).await.unwrap();
    assert!((1..=10_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}
