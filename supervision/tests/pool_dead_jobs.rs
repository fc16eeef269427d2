//! Dead jobs are retried, singly or all, as new jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use perennial_actors::System;
use perennial_supervision::Backoff;
use perennial_supervision::pool::{DeadJob, JobEvent, JobId, Pool, PoolShutdown, RetryCause, Work};
use tokio::time::{Instant, sleep};

use crate::support::pool::{
    Running, ScriptedWorker, Step, describe, events, job, long, ms, now, outcome_of, pends, quick, quiet,
    scripted_pool, secs, soon, start, started,
};

/// Returns the only dead job.
fn dead_one(running: &Running) -> DeadJob<ScriptedWorker> {
    let mut dead = running.pool.drain_dead_jobs();
    assert_eq!(dead.len(), 1);
    dead.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_dead_job_that_is_retried_is_a_new_job_with_all_its_attempts() {
    let running = started(1).await;
    let mut received = running.pool.subscribe();
    // Three attempts of the first job, and five of the second: its counts begin anew.
    use Step::{Do, Fail, Panic};
    let first = running.submit(job(1, [Fail, Panic, Fail, Fail, Fail, Panic, Panic, Fail, Panic, Do]));
    let first_id = first.id();
    assert_eq!(outcome_of(first).await, "no luck, panicked, no luck, no luck");
    let second = running.pool.retry_dead_job(dead_one(&running)).expect("there is room");
    let second_id = second.id();
    assert!(second_id > first_id);
    assert_eq!(outcome_of(second).await, "no luck, panicked, panicked, no luck, panicked");
    let third = running.pool.retry_dead_job(dead_one(&running)).expect("there is room");
    assert_eq!(outcome_of(third).await, "done 1");
    let received = events(&mut received);
    let of = |event: JobEvent| received.iter().filter(|other| **other == event).count();
    let retried = |id: JobId, cause| of(JobEvent::Retried { id, cause });
    for (id, errors, lost) in [(first_id, 2, 1), (second_id, 2, 2)] {
        assert_eq!((of(JobEvent::Submitted(id)), of(JobEvent::Dead(id))), (1, 1));
        assert_eq!((retried(id, RetryCause::Error), retried(id, RetryCause::LostWorker)), (errors, lost));
    }
    let stats = running.pool.stats();
    assert_eq!((stats.submitted, stats.failed, stats.completed), (3, 2, 1), "{stats}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_retried_job_keeps_its_options_without_the_delay() {
    let running = started(1).await;
    let backoff = Backoff::new(secs(2), secs(2));
    let submission =
        running.pool.submit(job(1, [Step::FailAfter(ms(1)), Step::Fail, Step::Fail, Step::Fail, Step::Hang]));
    let ill = submission.delay(secs(100)).attempts(2).backoff(backoff).retry_if(|error| *error == "no luck");
    let ill = ill.time_limit(secs(7)).expires_in(secs(500));
    assert_eq!(outcome_of(now(ill)).await, "no luck, no luck");
    sleep(secs(1000)).await;
    let began = Instant::now();
    let again = running.pool.retry_dead_job(dead_one(&running)).expect("there is room");
    assert_eq!((outcome_of(again).await, began.elapsed()), ("no luck, no luck".to_owned(), secs(2)));
    let last = running.pool.retry_dead_job(dead_one(&running)).expect("there is room");
    assert_eq!(outcome_of(last).await, "timed out, timed out");
    assert_eq!(began.elapsed(), secs(2 + 7 + 2 + 7));
    // It expires after the same time from its retry on.
    running.pool.pause();
    let late = running.pool.retry_dead_job(dead_one(&running)).expect("there is room");
    let paused = Instant::now();
    assert_eq!((outcome_of(late).await, paused.elapsed().as_secs()), ("expired".to_owned(), 500));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_retried_job_that_had_waited_for_room_expires_as_long_after_its_retry() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1).attempts(1), journal)).await;
    let first = running.submit(long(1, secs(2)));
    quiet().await;
    let queued = running.submit(quick(2));
    let ill = running.pool.submit(job(3, [Step::Fail, Step::Do])).expires_in(secs(9));
    assert_eq!(outcome_of(ill.await.expect("it is accepted")).await, "no luck");
    assert_eq!((outcome_of(first).await, outcome_of(queued).await), ("done 1".into(), "done 2".into()));
    sleep(secs(100)).await;
    let again = running.pool.retry_dead_job(dead_one(&running)).expect("there is room");
    assert_eq!(outcome_of(again).await, "done 3");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_dead_job_stays_with_its_handle_when_the_job_is_retried() {
    let running = started(1).await;
    let ill = running.submit(job(1, [Step::Fail, Step::Panic, Step::Fail, Step::Fail, Step::Do]));
    running.drained().await;
    let dead = dead_one(&running);
    // It may be retried more than once, and each retry is a job of its own.
    let again =
        [dead.clone(), dead.clone()].map(|dead| running.pool.retry_dead_job(dead).expect("there is room"));
    for again in again {
        assert_ne!(again.id(), ill.id());
        assert_eq!(outcome_of(again).await, "done 1");
    }
    let outcome = soon(ill).await;
    assert_eq!(describe(&outcome), "no luck, panicked, no luck, no luck");
    assert_eq!(dead.failures, *outcome.expect_err("it failed").failures());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_job_is_retried_though_the_queue_is_full_and_no_way_leads_into_a_closed_pool() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1).attempts(1), journal)).await;
    assert_eq!(outcome_of(running.submit(job(1, [Step::Fail, Step::Do]))).await, "no luck");
    let dead = dead_one(&running);
    running.pool.pause();
    let waiting = running.submit(quick(2));
    let again: Vec<_> =
        (0..3).map(|_| running.pool.retry_dead_job(dead.clone()).expect("it was accepted before")).collect();
    assert_eq!(running.pool.stats().queued, 4);
    // A submitter waits until the queue is below its capacity.
    let mut next = tokio::spawn(running.pool.submit(quick(3)).into_future());
    assert!(waiting.cancel() && again[0].cancel() && again[1].cancel());
    quiet().await;
    assert!(pends(&mut next).await);
    assert!(running.pool.submit(quick(4)).try_submit().is_err(), "it is full");
    running.pool.resume();
    for (job, expected) in again.into_iter().zip(["cancelled", "cancelled", "done 1"]) {
        assert_eq!(outcome_of(job).await, expected);
    }
    assert_eq!(outcome_of(soon(next).await.expect("it does not panic").expect("it is open")).await, "done 3");
    assert_eq!(running.journal.jobs(), [1, 1, 3]);
    running.pool.stop(PoolShutdown::Drain).await;
    let error = running.pool.retry_dead_job(dead).expect_err("it is closed");
    assert_eq!(error.to_string(), "the pool accepts no more jobs");
    assert_eq!(error.into_job().job.number, 1);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn all_dead_jobs_are_retried_and_another_pool_may_do_it() {
    let (ill, healthy) = (started(2).await, started(2).await);
    for number in 0..200 {
        drop(now(ill.pool.submit(job(number, [Step::Fail, Step::Do])).at_most_once()));
    }
    ill.drained().await;
    let dead = ill.pool.drain_dead_jobs();
    assert_eq!(dead.len(), 200);
    for (place, dead) in dead.into_iter().enumerate() {
        let pool = if place % 2 == 0 { &ill.pool } else { &healthy.pool };
        drop(pool.retry_dead_job(dead).expect("there is room"));
    }
    for (running, submitted) in [(ill, 300), (healthy, 100)] {
        running.drained().await;
        let stats = running.pool.stats();
        assert_eq!((stats.submitted, stats.completed), (submitted, 100), "{stats}");
        assert!(running.pool.drain_dead_jobs().is_empty());
        running.close().await;
    }
}

/// Counts how often it was dropped.
struct Value(Arc<AtomicU32>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns the only dead job of another pool.
fn only<W: Work>(mut dead: Vec<DeadJob<W>>) -> DeadJob<W> {
    assert_eq!(dead.len(), 1);
    dead.remove(0)
}

#[tokio::test(start_paused = true)]
async fn the_value_of_a_job_that_is_retried_often_is_dropped_once_in_the_end() {
    let dropped = Arc::new(AtomicU32::new(0));
    let pool = Pool::from_fn("pool", 1, |_: &Value| std::future::ready(Err::<(), _>("no luck")));
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    drop(now(jobs.submit(Value(dropped.clone()))));
    for _ in 0..100 {
        soon(jobs.drain()).await;
        drop(jobs.retry_dead_job(only(jobs.drain_dead_jobs())).expect("there is room"));
    }
    soon(jobs.drain()).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(jobs.drain_dead_jobs());
    quiet().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert!(app.shutdown().await.is_clean());
}
