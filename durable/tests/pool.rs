//! Durable pools: what is submitted is done, once, also by the next process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::{Durable, DurableHandle, DurablePool, OutcomeError};
use perennial_durable::{
    AttemptFailure, Batch, Json, MemoryStore, NewJob, Op, Payload, RecordState, Store, Timestamp, Unique,
};
use perennial_supervision::pool::{Pool, PoolShutdown};
use perennial_supervision::{App, Backoff, SupervisorHandle};

use crate::support::{Numbers, hold, squares};

async fn start(pool: DurablePool<Numbers>) -> (App<SupervisorHandle>, DurableHandle<Numbers>) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("a pool"), handle)
}

/// A pool whose job fails as often as it says, by the number of its attempts in this test.
fn failing(failures: u32) -> (Pool<Numbers>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let pool = Pool::from_fn("squares", 2, move |n: &u64| {
        let call = counted.fetch_add(1, Ordering::SeqCst) + 1;
        std::future::ready(if call > failures { Ok(n * n) } else { Err(format!("failure {call}")) })
    });
    (pool, calls)
}

#[tokio::test(start_paused = true)]
async fn a_job_is_stored_done_and_its_output_found_by_its_number() {
    let store = Arc::new(MemoryStore::new());
    let (app, numbers) = start(squares().durable(store)).await;
    let job = numbers.submit(7).await.unwrap();
    assert!(job.is_new());
    assert_eq!(job.outcome().await, Ok(49));
    assert_eq!(numbers.job(job.id()).outcome().await, Ok(49));
    let record = job.record().await.unwrap().unwrap();
    assert_eq!((record.state, record.history.len()), (RecordState::Completed, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_that_were_submitted_before_the_start_run_after_it() {
    let store = Arc::new(MemoryStore::new());
    let pool = squares().durable(store);
    let numbers = pool.handle();
    let mut jobs = Vec::new();
    for n in 0..100 {
        jobs.push(numbers.submit(n).await.unwrap());
    }
    let app = pool.start(&System::new()).await.unwrap();
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(job.outcome().await, Ok(n * n));
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_error_is_retried_after_its_delay_and_its_history_is_kept() {
    let (pool, calls) = failing(2);
    let minute = Backoff::new(Duration::from_secs(60), Duration::from_secs(600)).jitter(0.0);
    let pool = pool.durable(Arc::new(MemoryStore::new())).retry_errors(true).retry_after(minute);
    let (app, numbers) = start(pool).await;
    let began = tokio::time::Instant::now();
    let job = numbers.submit(7).await.unwrap();
    assert_eq!(job.outcome().await, Ok(49));
    assert_eq!((began.elapsed().as_secs(), calls.load(Ordering::SeqCst)), (180, 3));
    let history = job.record().await.unwrap().unwrap().history;
    let failures: Vec<_> = history.into_iter().map(|attempt| attempt.failure).collect();
    let error = |text: &str| Some(AttemptFailure::Error(text.to_owned()));
    assert_eq!(failures, [error("failure 1"), error("failure 2"), None]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_without_attempts_left_is_dead_and_is_retried_by_hand() {
    let (pool, calls) = failing(2);
    let (app, numbers) =
        start(pool.durable(Arc::new(MemoryStore::new())).attempts(2).retry_errors(true)).await;
    let job = numbers.submit(7).await.unwrap();
    let Err(OutcomeError::Dead(failures)) = job.outcome().await else { panic!("it is not dead") };
    assert_eq!(failures.len(), 2);
    let dead = numbers.dead_jobs(None, 10).await.unwrap();
    assert_eq!(dead.iter().map(|record| record.id).collect::<Vec<_>>(), [job.id()]);
    assert_eq!(numbers.retry(job.id()).await, Ok(true));
    assert_eq!(job.outcome().await, Ok(49));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_error_is_the_result_unless_the_pool_retries_it() {
    let (pool, calls) = failing(9);
    let retried = |error: &String| error.ends_with('1');
    let (app, numbers) =
        start(pool.durable(Arc::new(MemoryStore::new())).attempts(9).retry_if(retried)).await;
    let outcome = numbers.submit(7).await.unwrap().outcome().await;
    let error = |text: &str| AttemptFailure::Error(text.to_owned());
    assert_eq!(outcome, Err(OutcomeError::Dead(vec![error("failure 1"), error("failure 2")])));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_crashes_its_workers_is_dead_after_as_many_as_it_may_cost() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let pool: Pool<Numbers> = Pool::from_fn("squares", 2, move |n: &u64| {
        assert_ne!(*n, 13, "call {}", counted.fetch_add(1, Ordering::SeqCst));
        std::future::ready(Ok(n * n))
    });
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new())).lost_workers(4)).await;
    let (poison, other) = (numbers.submit(13).await.unwrap(), numbers.submit(7).await.unwrap());
    let Err(OutcomeError::Dead(failures)) = poison.outcome().await else { panic!("it is not dead") };
    assert!(failures.iter().all(|failure| matches!(failure, AttemptFailure::WorkerEnded(_))));
    assert_eq!((failures.len(), calls.load(Ordering::SeqCst)), (4, 4));
    assert_eq!(other.outcome().await, Ok(49));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_delay_outlives_the_process() {
    let store = MemoryStore::new();
    let next = store.restart();
    let store = Arc::new(next.join());
    let numbers = squares().durable(store.clone()).handle();
    let job = numbers.submit(7).delay(Duration::from_secs(3_600)).await.unwrap();
    let began = tokio::time::Instant::now();
    let (app, numbers) = start(squares().durable(Arc::new(next.restart()))).await;
    assert_eq!(numbers.job(job.id()).outcome().await, Ok(49));
    assert!((3_599..=3_601).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ran_when_its_process_ended_runs_again_at_once_and_its_late_outcome_is_refused() {
    let store = MemoryStore::new();
    let (pool, release) = hold();
    let (_old, numbers) = start(pool.durable(Arc::new(store.join()))).await;
    let job = numbers.submit(7).await.unwrap();
    while job.record().await.unwrap().unwrap().state != RecordState::Running {
        tokio::task::yield_now().await;
    }
    let began = tokio::time::Instant::now();
    let (app, next) = start(squares().durable(Arc::new(store.restart()))).await;
    assert_eq!(next.job(job.id()).outcome().await, Ok(49));
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    // The process was only thought to have ended. Its job ends, with another output.
    release.notify_waiters();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let record = next.job(job.id()).record().await.unwrap().unwrap();
    assert_eq!((record.attempt, next.job(job.id()).outcome().await), (2, Ok(49)));
    let failures: Vec<_> = record.failures().collect();
    assert_eq!(failures, [&AttemptFailure::ProcessEnded]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_must_not_run_twice_is_unknown_when_its_process_ended() {
    let store = MemoryStore::new();
    let (pool, _release) = hold();
    let (_old, numbers) = start(pool.durable(Arc::new(store.join()))).await;
    let job = numbers.submit(7).at_most_once().await.unwrap();
    while job.record().await.unwrap().unwrap().state != RecordState::Running {
        tokio::task::yield_now().await;
    }
    let (app, next) = start(squares().durable(Arc::new(store.restart()))).await;
    assert_eq!(next.job(job.id()).outcome().await, Err(OutcomeError::Unknown));
    assert_eq!(next.retry(job.id()).await, Ok(true), "a person has looked and decided");
    assert_eq!(next.job(job.id()).outcome().await, Ok(49));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_dropped_and_is_over_at_once() {
    let (pool, _release) = hold();
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new()))).await;
    let job = numbers.submit(7).await.unwrap();
    while job.record().await.unwrap().unwrap().state != RecordState::Running {
        tokio::task::yield_now().await;
    }
    assert_eq!(job.cancel().await, Ok(true));
    assert_eq!(job.cancel().await, Ok(false));
    assert_eq!(job.outcome().await, Err(OutcomeError::Cancelled));
    // Its worker is free, because its future was dropped.
    numbers.workers().drain().await;
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let (app, numbers) = start(squares().durable(Arc::new(MemoryStore::new()))).await;
    numbers.pause().await.unwrap();
    let job = numbers.submit(7).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let info = numbers.info().await.unwrap();
    assert_eq!((info.paused, info.count(RecordState::Queued)), (true, 1));
    numbers.resume().await.unwrap();
    assert_eq!(job.outcome().await, Ok(49));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_expired_job_does_not_start_and_a_unique_one_is_stored_once() {
    let (app, numbers) = start(squares().durable(Arc::new(MemoryStore::new()))).await;
    numbers.pause().await.unwrap();
    let late = numbers.submit(7).expires_in(Duration::from_secs(10)).await.unwrap();
    let unique = || Unique { key: "7".to_owned(), over_counts: false, period: None };
    let first = numbers.submit(7).unique(unique()).await.unwrap();
    let second = numbers.submit(8).unique(unique()).await.unwrap();
    assert_eq!((second.id(), second.is_new()), (first.id(), false));
    tokio::time::sleep(Duration::from_secs(10)).await;
    numbers.resume().await.unwrap();
    assert_eq!(late.outcome().await, Err(OutcomeError::Expired));
    assert_eq!(second.outcome().await, Ok(49));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_set_aside_with_the_reason_and_others_go_on() {
    let store = Arc::new(MemoryStore::new());
    let (app, numbers) = start(squares().durable(store.clone())).await;
    let damaged = Payload { tag: "u64".into(), version: 1, codec: "json".into(), bytes: b"x".to_vec() };
    let new = Op::Enqueue(Box::new(NewJob::new("squares", damaged)));
    store.commit(Batch::of(Timestamp(1), new)).await.unwrap();
    assert_eq!(numbers.submit(7).await.unwrap().outcome().await, Ok(49));
    let dead = numbers.dead_jobs(None, 10).await.unwrap();
    let failures: Vec<_> = dead.iter().flat_map(|record| record.failures()).collect();
    assert!(matches!(failures[..], [AttemptFailure::Undecodable(_)]), "{failures:?}");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_that_have_not_started_are_given_back_when_the_pool_stops_and_running_ones_finish() {
    let store = MemoryStore::new();
    let (pool, release) = hold();
    let (app, numbers) = start(pool.durable(Arc::new(store.join())).prefetch(10)).await;
    let mut jobs = Vec::new();
    for n in 0..4 {
        jobs.push(numbers.submit(n).await.unwrap());
    }
    while numbers.info().await.unwrap().count(RecordState::Running) < 4 {
        tokio::task::yield_now().await;
    }
    let released = release.clone();
    let stop = tokio::spawn(async move { app.shutdown().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    released.notify_waiters();
    assert!(stop.await.unwrap().is_clean());
    let info = numbers.info().await.unwrap();
    assert_eq!((info.count(RecordState::Completed), info.count(RecordState::Queued)), (2, 2));
    let (app, next) = start(squares().durable(Arc::new(store.restart()))).await;
    for job in &jobs[2..] {
        assert!(next.job(job.id()).outcome().await.is_ok());
        let failures = next.job(job.id()).record().await.unwrap().unwrap().history;
        assert_eq!(failures[0].failure, Some(AttemptFailure::Released));
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_of_one_key_run_one_after_the_other() {
    let running = Arc::new(AtomicU32::new(0));
    let counted = running.clone();
    let pool: Pool<Numbers> = Pool::from_fn("squares", 4, move |n: &u64| {
        let (n, running) = (*n, counted.clone());
        async move {
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "another of its key runs");
            tokio::time::sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(n * n)
        }
    });
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new())).codec::<Json>()).await;
    let mut jobs = Vec::new();
    for n in 0..5 {
        jobs.push(numbers.submit(n).key("a").await.unwrap());
    }
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(job.outcome().await, Ok(n * n));
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_queue_in_memory_of_one_place_is_waited_for() {
    let pool = squares().capacity(1).durable(Arc::new(MemoryStore::new())).prefetch(50);
    let (app, numbers) = start(pool).await;
    let mut jobs = Vec::new();
    for n in 0..50 {
        jobs.push(numbers.submit(n).await.unwrap());
    }
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(job.outcome().await, Ok(n * n));
        assert_eq!(job.record().await.unwrap().unwrap().history.len(), 1);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_stay_in_the_store_when_the_workers_were_stopped_for_good() {
    let (app, numbers) = start(squares().durable(Arc::new(MemoryStore::new()))).await;
    numbers.workers().stop(PoolShutdown::Drain).await;
    let job = numbers.submit(7).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let record = job.record().await.unwrap().unwrap();
    assert_eq!((record.state, record.history.len()), (RecordState::Queued, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_refused_does_not_hold_back_the_others_of_its_commit() {
    let (pool, release) = hold();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (app, numbers) = start(pool.durable(store.clone())).await;
    let (refused, other) = (numbers.submit(1).await.unwrap(), numbers.submit(2).await.unwrap());
    while numbers.info().await.unwrap().count(RecordState::Running) < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // By another process: the pool in memory does not know.
    let now = Timestamp(u64::MAX / 4);
    store.commit(Batch::of(now, Op::Cancel(refused.id()))).await.unwrap();
    let next = numbers.submit(3).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    release.notify_waiters();
    assert_eq!(other.outcome().await, Ok(0));
    assert_eq!(refused.outcome().await, Err(OutcomeError::Cancelled));
    // And there is room for the next.
    tokio::time::sleep(Duration::from_secs(1)).await;
    release.notify_waiters();
    assert_eq!(next.outcome().await, Ok(0));
    assert!(app.shutdown().await.is_clean());
}
