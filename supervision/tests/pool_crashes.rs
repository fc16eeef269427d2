//! Errors and crashes of jobs: an error is a result, a crash is retried, and neither ends the pool.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ActorHandle, ExitReason, System};
use perennial_supervision::pool::{AttemptError, JobContext, JobError, Pool, Work, Worker, WorkerContext};
use perennial_supervision::{Backoff, StartError};
use tokio::time::Instant;

use crate::support::pool::{
    Step, assert_accounts, job, ms, now, outcome_of, quiet, scripted_pool, scripted_pool_starting_if, secs,
    soon, start, started,
};

/// A worker that panics in every odd job.
struct Odd;

impl Worker for Odd {
    type Job = u32;
    type Output = u32;
    type Error = Infallible;
    type Args = ();

    async fn init((): &(), _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn work(&mut self, job: &u32, _: &JobContext<'_>) -> Result<u32, Infallible> {
        Ok(done(*job))
    }
}

fn done(job: u32) -> u32 {
    assert!(job % 2 == 0, "an odd job");
    job
}

/// Submits 400 jobs with default options. Half of them panic.
async fn half_of_the_jobs_panic(pool: Pool<impl Work<Job = u32, Output = u32, Error: Debug> + 'static>) {
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let results = soon(soon(handle.submit_many(0..400)).await.expect("it takes them").join_all()).await;
    for (job, result) in (0..400).zip(results) {
        match result {
            Ok(output) => assert_eq!((output, job % 2), (job, 0)),
            Err(JobError::Failed(failures)) => {
                assert_eq!((failures.len(), job % 2), (3, 1));
                assert!(failures.iter().all(|failure| matches!(failure, AttemptError::WorkerEnded(_))));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.failed, stats.retried), (200, 200, 400));
    assert_accounts(&stats);
    assert_eq!(handle.drain_dead_jobs().len(), 200);
    assert!(soon(app.shutdown()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_that_crash_workers_never_end_a_pool_of_functions() {
    half_of_the_jobs_panic(Pool::from_fn("fixed", 4, |job: &u32| {
        let job = *job;
        async move { Ok::<_, Infallible>(done(job)) }
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn jobs_that_crash_workers_never_end_a_pool_whose_size_changes() {
    half_of_the_jobs_panic(Pool::from_fn("elastic", 1..=4, |job: &u32| {
        let job = *job;
        async move { Ok::<_, Infallible>(done(job)) }
    }))
    .await;
}

#[tokio::test]
async fn jobs_that_crash_workers_never_end_a_blocking_pool() {
    half_of_the_jobs_panic(Pool::from_blocking_fn("blocking", 2, |job: u32| Ok::<_, Infallible>(done(job))))
        .await;
}

#[tokio::test(start_paused = true)]
async fn jobs_that_crash_workers_never_end_a_pool_of_worker_actors() {
    half_of_the_jobs_panic(Pool::<Odd>::new("actors", 3, ())).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_is_a_result_and_only_a_crash_is_retried() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.retry_errors(false), journal)).await;
    assert_eq!(outcome_of(running.submit(job(1, [Step::Fail, Step::Do]))).await, "no luck");
    let ill = soon(running.submit(job(2, [Step::Fail]))).await;
    assert!(
        matches!(ill, Err(JobError::Failed(failures)) if matches!(failures[..], [AttemptError::Error("no luck")]))
    );
    assert_eq!(outcome_of(running.submit(job(3, [Step::Panic, Step::Do]))).await, "done 3");
    assert_eq!(
        outcome_of(running.submit(job(4, [Step::Panic, Step::Fail, Step::Do]))).await,
        "panicked, no luck"
    );
    assert_eq!(running.journal.jobs(), [1, 2, 3, 3, 4, 4]);
    let dead: Vec<u64> = running.pool.drain_dead_jobs().iter().map(|dead| dead.job.number).collect();
    assert_eq!(dead, [1, 2, 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_overrides_whether_errors_are_retried() {
    for of_pool in [false, true] {
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.retry_errors(of_pool), journal)).await;
        let again = running.pool.submit(job(1, [Step::Fail, Step::Do])).retry_errors(true);
        assert_eq!(outcome_of(now(again)).await, "done 1");
        let once = running.pool.submit(job(2, [Step::Fail, Step::Do])).retry_errors(false);
        assert_eq!(outcome_of(now(once)).await, "no luck");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn kills_of_workers_never_end_their_pool() {
    let running = started(1).await;
    for number in 0..300 {
        let job_handle = running.submit(job(number, [Step::Hang, Step::Do]));
        quiet().await;
        running.kill(0).await;
        assert_eq!(outcome_of(job_handle).await, format!("done {number}"));
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_crashed_worker_restarts_at_once_or_with_its_backoff() {
    for (backoff, expected) in [(None, [0, 0, 0, 0]), (Some(ms(100)), [0, 100, 300, 700])] {
        let (pool, journal) = scripted_pool(1);
        let pool = match backoff {
            Some(first) => pool.backoff(Backoff::new(first, secs(60))),
            None => pool,
        };
        let running = start((pool.attempts(4), journal)).await;
        assert_eq!(outcome_of(running.submit(job(1, [Step::Panic]))).await, ["panicked"; 4].join(", "));
        let times = running.journal.times();
        assert_eq!(times.iter().map(|at| at - times[0]).collect::<Vec<_>>(), expected);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn workers_that_fail_to_start_end_their_pool() {
    // Only the first incarnation of each worker starts.
    let running = start(scripted_pool_starting_if(2, |at| at.pid.incarnation() == 1)).await;
    let job_handle = running.submit(job(1, [Step::Panic, Step::Hang]));
    let reason = soon(running.app.join()).await;
    assert!(reason.to_string().contains("restart intensity"), "{reason}");
    assert_eq!(outcome_of(job_handle).await, "dropped after panicked");
}

#[tokio::test(start_paused = true)]
async fn as_many_starts_may_fail_as_the_intensity_says() {
    for (tolerated, is_done) in [(4, false), (5, true)] {
        // Five starts after the first crash fail.
        let (pool, journal) = scripted_pool_starting_if(1, |at| !(2..=6).contains(&at.pid.incarnation()));
        let running = start((pool.intensity(tolerated, secs(1)), journal)).await;
        let outcome = outcome_of(running.submit(job(1, [Step::Panic, Step::Do]))).await;
        assert_eq!(outcome, if is_done { "done 1" } else { "dropped after panicked" });
    }
}

/// A worker that stops itself with an error as soon as it has started, before its first job.
struct FailsAfterStart;

impl Worker for FailsAfterStart {
    type Job = ();
    type Output = ();
    type Error = Infallible;
    type Args = Arc<AtomicU32>;

    async fn init(starts: &Self::Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        starts.fetch_add(1, Ordering::Relaxed);
        let handle: ActorHandle = at.handle.clone();
        tokio::spawn(async move { handle.stop(ExitReason::failed("the line broke")).ok() });
        Ok(Self)
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Returns how many incarnations start within a minute if none has a job.
async fn starts_in_a_minute(start_timeout: Duration) -> Result<u32, StartError> {
    let starts = Arc::new(AtomicU32::new(0));
    let pool = Pool::<FailsAfterStart>::new("doomed", 1, starts.clone()).start_timeout(start_timeout);
    let app = pool.start(&System::new()).await?;
    let began = Instant::now();
    while began.elapsed() < secs(60) {
        quiet().await;
    }
    assert!(soon(app.shutdown()).await.is_clean());
    Ok(starts.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn workers_that_keep_crashing_without_a_job_are_started_with_growing_delays() {
    let starts = starts_in_a_minute(secs(30)).await.expect("it starts");
    assert!((60..=80).contains(&starts), "{starts}");
}

#[tokio::test(start_paused = true)]
async fn the_delay_of_a_worker_that_keeps_ending_leaves_it_time_to_start() {
    let starts = starts_in_a_minute(ms(200)).await.expect("it starts");
    assert!((550..=700).contains(&starts), "{starts}");
}
