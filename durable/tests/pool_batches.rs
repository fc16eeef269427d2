//! Jobs that are submitted together are stored together, and their results are one batch.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::pool::{Durable, DurableHandle, DurablePool, DurableSubmitError, OutcomeError};
use perennial_durable::{JobFilter, MemoryStore, RecordState, Store, Unique};
use perennial_supervision::pool::Pool;
use perennial_supervision::{App, SupervisorHandle};
use tokio::time::{sleep, timeout};

use crate::support::{Numbers, squares};

async fn start(pool: DurablePool<Numbers>) -> (App<SupervisorHandle>, DurableHandle<Numbers>) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("a pool"), handle)
}

/// A pool whose jobs take as many seconds as they say; 0 fails.
fn seconds() -> Pool<Numbers> {
    Pool::from_fn("seconds", 8, |n: &u64| {
        let n = *n;
        async move {
            sleep(Duration::from_secs(n)).await;
            if n == 0 { Err("zero".to_owned()) } else { Ok(n) }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn results_come_in_the_order_of_submission_or_of_completion() {
    let (app, numbers) = start(seconds().durable(Arc::new(MemoryStore::new()))).await;
    let results = numbers.submit_many([3, 1, 2]).await.unwrap().join_all().await;
    assert_eq!(results, [Ok(3), Ok(1), Ok(2)]);
    let mut batch = numbers.submit_many([3, 1, 0, 2]).priority(9).await.unwrap();
    assert_eq!((batch.len(), batch.jobs().len()), (4, 4));
    let mut places = Vec::new();
    // A future that is dropped loses nothing.
    while let Ok(next) = timeout(Duration::from_secs(9), batch.next_completed()).await {
        let Some((place, result)) = next else { break };
        let expected = [Ok(3), Ok(1), Err(()), Ok(2)][place];
        assert_eq!(result.map_err(drop), expected);
        places.push(place);
        let _ = timeout(Duration::ZERO, batch.next_completed()).await;
    }
    assert_eq!(places, [2, 1, 3, 0]);
    assert_eq!(batch.next_ordered().await, None);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_jobs_in_another_process_are_noticed() {
    let store = MemoryStore::new();
    let submitter = seconds().durable(Arc::new(store.join())).handle();
    let mut batch = submitter.submit_many([2, 1]).await.unwrap();
    let (app, _) = start(seconds().durable(Arc::new(store.join()))).await;
    let began = tokio::time::Instant::now();
    assert_eq!(batch.next_completed().await, Some((1, Ok(1))));
    assert_eq!(batch.next_completed().await, Some((0, Ok(2))));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(batch.next_completed().await, None);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn all_jobs_of_a_batch_are_stored_or_none_is() {
    let mut refused = 0;
    for seed in 0..50 {
        let store = Arc::new(FaultStore::new(seed, Faults { full: 500, ..Faults::default() }));
        let numbers = squares().durable(store.clone()).handle();
        let submitted = numbers.submit_many(0..10).await;
        let stored = store.restart().jobs(JobFilter::default()).await.unwrap().len();
        match submitted {
            Ok(batch) => assert_eq!((batch.len(), stored), (10, 10)),
            Err(DurableSubmitError::NotStored(jobs, _)) => {
                refused += 1;
                assert_eq!((jobs, stored), ((0..10).collect(), 0));
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..50).contains(&refused), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_unique_batch_holds_the_job_that_is_there_and_a_cancelled_one_ends_at_once() {
    let store = Arc::new(MemoryStore::new());
    let numbers = squares().durable(store).handle();
    let unique = Unique { key: "u".to_owned(), over_counts: false, period: None };
    let batch = numbers.submit_many([1, 2]).unique(unique).await.unwrap();
    let [first, second] = batch.jobs() else { panic!("two jobs") };
    assert_eq!((first.is_new(), second.is_new(), first.id()), (true, false, second.id()));
    assert_eq!(batch.cancel().await, Ok(1));
    assert_eq!(batch.cancel().await, Ok(0));
    assert_eq!(batch.join_all().await, [Err(OutcomeError::Cancelled), Err(OutcomeError::Cancelled)]);
    assert_eq!(numbers.info().await.unwrap().count(RecordState::Cancelled), 1);
    assert!(numbers.submit_many([]).await.unwrap().is_empty());
}
