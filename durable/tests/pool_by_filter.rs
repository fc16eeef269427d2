//! Jobs are cancelled, retried and removed by what is known of them, and a queue is drained.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::{Durable, DurableEvent, DurableHandle, DurablePool, OutcomeError};
use perennial_durable::{AttemptFailure, JobFilter, JobRecord, MemoryStore, RecordState};
use perennial_supervision::pool::Pool;
use perennial_supervision::{App, SupervisorHandle};
use tokio::time::sleep;

use crate::support::{Numbers, hold, squares};

async fn start(pool: DurablePool<Numbers>) -> (App<SupervisorHandle>, DurableHandle<Numbers>) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("a pool"), handle)
}

/// A pool whose jobs fail until it is told otherwise.
fn switched() -> (Pool<Numbers>, Arc<AtomicBool>) {
    let works = Arc::new(AtomicBool::new(false));
    let switch = works.clone();
    let pool = Pool::from_fn("squares", 2, move |n: &u64| {
        let (n, works) = (*n, switch.load(Ordering::SeqCst));
        std::future::ready(if works { Ok(n * n) } else { Err(format!("odd: {}", n % 2 == 1)) })
    });
    (pool, works)
}

fn failed_with(text: &'static str) -> impl Fn(&JobRecord) -> bool {
    move |record| record.failures().last() == Some(&AttemptFailure::Error(text.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn dead_jobs_are_retried_and_removed_by_what_they_failed_of() {
    let (pool, works) = switched();
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new()))).await;
    let all = numbers.submit_many(0..2_500).await.unwrap();
    numbers.drain().await.unwrap();
    assert_eq!(numbers.info().await.unwrap().count(RecordState::Dead), 2_500);
    works.store(true, Ordering::SeqCst);
    assert_eq!(numbers.retry_where(failed_with("odd: true")).await, Ok(1_250));
    numbers.drain().await.unwrap();
    assert_eq!(numbers.remove_where(failed_with("odd: false")).await, Ok(1_250));
    assert_eq!(all.jobs()[3].outcome().await, Ok(9));
    assert_eq!(all.jobs()[4].outcome().await, Err(OutcomeError::Gone));
    let completed = JobFilter { state: Some(RecordState::Completed), max: 3, ..JobFilter::default() };
    assert_eq!(numbers.jobs(completed).await.unwrap().len(), 3);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_that_wait_and_that_run_are_cancelled_by_their_options() {
    let (pool, _release) = hold();
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new())).prefetch(2)).await;
    let urgent = numbers.submit_many([1, 2]).priority(9).await.unwrap();
    let others = numbers.submit_many([3, 4, 5]).await.unwrap();
    while numbers.info().await.unwrap().count(RecordState::Running) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(numbers.cancel_where(|record| record.job.priority == 9).await, Ok(2));
    assert!(urgent.join_all().await.iter().all(|result| *result == Err(OutcomeError::Cancelled)));
    assert_eq!(numbers.cancel_where(|_| true).await, Ok(3));
    assert_eq!(others.jobs()[0].outcome().await, Err(OutcomeError::Cancelled));
    // The workers are free, because the futures were dropped.
    numbers.drain().await.unwrap();
    numbers.workers().drain().await;
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_delayed_jobs_and_for_those_that_are_submitted_meanwhile() {
    let (app, numbers) = start(squares().durable(Arc::new(MemoryStore::new()))).await;
    numbers.drain().await.unwrap();
    numbers.submit(1).delay(Duration::from_secs(60)).await.unwrap();
    let (other, drained) = (numbers.clone(), numbers.clone());
    let began = tokio::time::Instant::now();
    let drain = tokio::spawn(async move { drained.drain().await });
    sleep(Duration::from_secs(30)).await;
    other.submit(2).delay(Duration::from_secs(60)).await.unwrap();
    drain.await.unwrap().unwrap();
    assert!((90..=91).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // The removal of what waits is an end of the drain too.
    let job = numbers.submit(1).delay(Duration::from_secs(6_000)).await.unwrap();
    let drained = numbers.clone();
    let drain = tokio::spawn(async move { drained.drain().await });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(numbers.remove(job.id()).await, Ok(true));
    drain.await.unwrap().unwrap();
    assert!(began.elapsed().as_secs() < 100, "{:?}", began.elapsed());
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn events_tell_what_is_stored_in_the_order_in_which_it_happened() {
    use DurableEvent::{Completed, Dead, Leased, Removed, Retried, Submitted};
    let (pool, works) = switched();
    let pool = pool.durable(Arc::new(MemoryStore::new())).retry_errors(true).attempts(2);
    let (app, numbers) = start(pool).await;
    let mut events = numbers.subscribe();
    let job = numbers.submit(7).await.unwrap();
    let id = job.id();
    let failures = job.outcome().await;
    assert!(matches!(failures, Err(OutcomeError::Dead(_))), "{failures:?}");
    works.store(true, Ordering::SeqCst);
    numbers.retry(id).await.unwrap();
    assert_eq!(job.outcome().await, Ok(49));
    numbers.remove(id).await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&Removed(id)) {
        seen.push(events.next().await.unwrap());
    }
    let leased = |attempt| Leased { id, attempt };
    let Retried { due, .. } = seen[2] else { panic!("{seen:?}") };
    let retried = Retried { id, attempt: 1, due };
    let expected =
        [Submitted(id), leased(1), retried, leased(2), Dead(id), leased(3), Completed(id), Removed(id)];
    assert_eq!(seen, expected);
    assert!(app.shutdown().await.is_clean());
}
