//! Workers are renewed after a number of jobs or at an age, and that is no failure.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::System;
use perennial_supervision::pool::{JobEvent, Pool, Routing};
use perennial_supervision::{Backoff, Shutdown, SpecError, StartError};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{
    Running, Step, job, long, ms, outcome_of, quick, scripted_pool, scripted_pool_starting_if, secs, soon,
    start,
};

/// Returns the incarnations that started jobs since the last call.
fn incarnations(running: &Running) -> Vec<u32> {
    running.journal.take().iter().map(|started| started.incarnation).collect()
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_renewed_after_its_last_job_at_once_and_without_a_failure() {
    let (pool, journal) = scripted_pool(1);
    let pool = pool.max_jobs(3).intensity(0, secs(60)).backoff(Backoff::new(secs(10), secs(60)));
    let running = start((pool, journal)).await;
    let begun = Instant::now();
    let jobs = running.submit_all(0..10);
    running.drained().await;
    assert_eq!(incarnations(&running), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]);
    assert_eq!(begun.elapsed(), ms(0), "without a delay");
    for (number, job_handle) in jobs.into_iter().enumerate() {
        assert_eq!(outcome_of(job_handle).await, format!("done {number}"));
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn one_job_for_each_incarnation_is_the_least() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.max_jobs(1), journal)).await;
    let jobs = running.submit_all(0..1_000);
    running.drained().await;
    assert_eq!(incarnations(&running), (1..=1_000).collect::<Vec<_>>());
    assert_eq!((running.pool.stats().retried, running.pool.stats().completed), (0, 1_000));
    drop(jobs);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn each_attempt_counts_as_a_job() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.max_jobs(2), journal)).await;
    let flaky = running.submit(job(1, [Step::Fail, Step::Fail, Step::Do]));
    assert_eq!(outcome_of(flaky).await, "done 1");
    assert_eq!(incarnations(&running), [1, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_last_job_that_crashes_its_worker_is_retried() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.max_jobs(1), journal)).await;
    let crashes = running.submit(job(1, [Step::Panic, Step::Do]));
    assert_eq!(outcome_of(crashes).await, "done 1");
    assert_eq!(incarnations(&running), [1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_renewed_at_its_age_between_two_jobs() {
    let (pool, journal) = scripted_pool(1);
    let pool = pool.max_age(secs(10)).intensity(0, secs(60)).backoff(Backoff::new(secs(60), secs(60)));
    let running = start((pool, journal)).await;
    let begun = Instant::now();
    // The age is reached in the third job.
    let jobs: Vec<_> = (0..6).map(|number| running.submit(long(number, secs(4)))).collect();
    running.drained().await;
    assert_eq!(incarnations(&running), [1, 1, 1, 2, 2, 2]);
    assert_eq!(begun.elapsed(), secs(24), "without a delay");
    for (number, job_handle) in jobs.into_iter().enumerate() {
        assert_eq!(outcome_of(job_handle).await, format!("done {number}"));
    }
    assert_eq!(running.pool.stats().retried, 0, "none was interrupted");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_is_renewed_at_its_age_again_and_again_without_a_delay() {
    let starts = Arc::new(Mutex::new(Vec::new()));
    let (began, log) = (Instant::now(), starts.clone());
    let (pool, journal) = scripted_pool_starting_if(1, move |_| {
        log.lock().expect("no thread panics under the lock").push(began.elapsed().as_secs());
        true
    });
    let pool = pool.max_age(secs(10)).intensity(0, secs(60)).backoff(Backoff::new(secs(5), secs(60)));
    let running = start((pool, journal)).await;
    sleep(secs(55)).await;
    let starts = starts.lock().expect("no thread panics under the lock").clone();
    assert_eq!(starts, [0, 10, 20, 30, 40, 50]);
    assert_eq!(running.pool.stats().workers.running, 1);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn workers_of_one_age_do_not_end_together() {
    const WORKERS: usize = 16;
    let starts = Arc::new(Mutex::new(Vec::new()));
    let (began, log) = (Instant::now(), starts.clone());
    let (pool, journal) = scripted_pool_starting_if(WORKERS, move |at| {
        if at.pid.incarnation() == 2 {
            log.lock().expect("no thread panics under the lock").push(began.elapsed());
        }
        true
    });
    let running = start((pool.max_age(secs(100)), journal)).await;
    sleep(secs(101)).await;
    let mut ends: Vec<Duration> = starts.lock().expect("no thread panics under the lock").clone();
    ends.sort();
    assert_eq!(ends.len(), WORKERS);
    assert!(ends[0] >= secs(75) && ends[WORKERS - 1] <= secs(101), "{ends:?}");
    for pair in ends.windows(2) {
        assert!(pair[1] - pair[0] > ms(800), "{ends:?}");
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_job_is_lost_or_run_twice_by_workers_that_are_renewed_all_the_time() {
    for routing in [Routing::Shared, Routing::RoundRobin, Routing::LeastQueued] {
        let (pool, journal) = scripted_pool(4);
        let pool = pool.max_jobs(2).max_age(ms(25)).routing(routing);
        let running = start((pool, journal)).await;
        let mut jobs = Vec::new();
        for number in 0..500 {
            let submission = running.pool.submit(long(number, ms(number % 7)));
            jobs.push(pool::now(if number % 3 == 0 { submission.key(&(number % 5)) } else { submission }));
        }
        for (number, job_handle) in jobs.into_iter().enumerate() {
            assert_eq!(outcome_of(job_handle).await, format!("done {number}"));
        }
        assert_eq!(running.journal.jobs().len(), 500, "each started once");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_drains_finishes_its_jobs_though_its_workers_have_had_their_share() {
    let (pool, journal) = scripted_pool(2);
    let pool = pool.max_jobs(1).max_age(secs(1)).shutdown(Shutdown::Drain(secs(60)));
    let running = start((pool, journal)).await;
    let jobs: Vec<_> = (0..20).map(|number| running.submit(long(number, secs(1)))).collect();
    let pool = running.pool.clone();
    running.close().await;
    assert_eq!((pool.stats().completed, pool.stats().dropped), (20, 0));
    for job_handle in jobs {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
}

#[tokio::test]
async fn a_blocking_worker_is_renewed_after_its_call_has_returned() {
    let pool = Pool::from_blocking_fn("blocking", 1, |job: u64| Ok::<_, String>(job)).max_jobs(1);
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let mut events = handle.subscribe();
    for number in 0..5 {
        assert_eq!(soon(handle.submit(number).await.expect("there is room")).await.ok(), Some(number));
    }
    let mut incarnations = Vec::new();
    while let Some(event) = events.try_next() {
        if let JobEvent::Started { worker, .. } = event {
            incarnations.push(worker.incarnation());
        }
    }
    assert_eq!(incarnations, [1, 2, 3, 4, 5]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_no_jobs_or_an_age_of_zero_is_an_error() {
    for pool in [scripted_pool(1).0.max_jobs(0), scripted_pool(1).0.max_age(Duration::ZERO)] {
        let error = pool.start(&System::new()).await.expect_err("no worker could work");
        let StartError::Spec(SpecError::ZeroLifetime { id }) = &error else { panic!("{error}") };
        assert_eq!(&**id, "pool");
    }
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.max_jobs(1).max_age(ms(1)), journal)).await;
    assert_eq!(outcome_of(running.submit(quick(1))).await, "done 1");
    running.close().await;
}
