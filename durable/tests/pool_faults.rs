//! A durable pool keeps what it promised while its store fails and its process is killed.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::pool::{Durable, DurableSubmitError};
use perennial_durable::{JobFilter, JobId, RecordState, Store};

use crate::support::squares;

const FAULTS: Faults = Faults {
    full: 60,
    busy: 60,
    disconnected: 60,
    lost_answer: 60,
    failed_sync: 60,
    sync_time: Duration::from_millis(5),
    acknowledges_early: false,
};

/// Submits while the store fails, kills the process, and lets the next one do the rest.
async fn scenario(seed: u64) -> Result<(), String> {
    let store = Arc::new(FaultStore::new(seed, FAULTS));
    let system = System::new();
    let pool = squares().durable(store.clone()).lost_workers(100);
    let numbers = pool.handle();
    let app = pool.start(&system).await.map_err(|error| error.to_string())?;
    let mut acknowledged: Vec<(JobId, u64)> = Vec::new();
    for n in 0..20 {
        match numbers.submit(n).await {
            Ok(job) => acknowledged.push((job.id(), n)),
            Err(DurableSubmitError::NotStored(..) | DurableSubmitError::Unknown(..)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    // The process is killed in the middle of its work: its handles cannot commit any more.
    let next = Arc::new(store.restart());
    app.handle().kill().map_err(|error| error.to_string())?;
    let pool = squares().durable(next.clone()).lost_workers(100);
    let numbers = pool.handle();
    let app = pool.start(&system).await.map_err(|error| error.to_string())?;
    for (id, n) in acknowledged {
        let outcome = numbers.job(id).outcome().await;
        if outcome != Ok(n * n) {
            return Err(format!("job {id}: {outcome:?}"));
        }
    }
    next.set_faults(Faults::default());
    while numbers.info().await.map_or(1, |info| {
        info.count(RecordState::Queued) + info.count(RecordState::Delayed) + info.count(RecordState::Running)
    }) > 0
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // Also those of which the submitter does not know have ended, and each completed once.
    for record in next.jobs(JobFilter::default()).await.map_err(|error| error.to_string())? {
        let completed = record.history.iter().filter(|attempt| attempt.failure.is_none()).count();
        if (record.state, completed) != (RecordState::Completed, 1) {
            return Err(format!("{record:?}"));
        }
    }
    assert!(app.shutdown().await.is_clean());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_acknowledged_job_is_done_once_with_its_output_for_1000_seeds() {
    for seed in 0..1_000 {
        scenario(seed).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
