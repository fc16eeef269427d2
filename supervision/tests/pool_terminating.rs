//! Calls of blocking functions that outlive their attempts: they count as running until they
//! return, their jobs do not run twice at once, and a stop that does not wait for them names them.

#[allow(dead_code, reason = "this program uses a part of it")]
#[path = "support/gate.rs"]
mod gate;
#[allow(dead_code, reason = "this program uses a part of it")]
#[path = "support/lines.rs"]
mod lines;
#[allow(dead_code, reason = "this program uses a part of it")]
#[path = "support/pool.rs"]
mod support;

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::Instant;

use gate::{Blocked, Gate, Handle, LIMIT, Opener, blocked, have_returned, pass, ready, start};
use lines::{listen, take};
use perennial_actors::System;
use perennial_supervision::pool::{JobError, JobEvent, JobId, JobStatus, Pool, PoolShutdown};
use perennial_supervision::{App, Backoff, Shutdown, SupervisorHandle};
use support::{assert_accounts, events, ms, now, soon};
use tokio::task::yield_now;
use tracing::Level;

type Job = perennial_supervision::pool::JobHandle<gate::Call>;

/// A pool in which one job runs.
async fn running(
    size: usize,
    set: impl FnOnce(Blocked) -> Blocked,
) -> (Arc<Gate>, Opener, App<SupervisorHandle>, Handle, Job) {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(set(blocked(&gate, size))).await;
    let job = now(pool.submit(7));
    opener.have_begun(1).await;
    (gate, opener, app, pool, job)
}

/// Returns the numbers of running, terminating, queued, failed and dropped jobs.
fn counts(pool: &Handle) -> (usize, usize, usize, u64, u64) {
    let stats = pool.stats();
    assert_accounts(&stats);
    (stats.running, stats.terminating, stats.queued, stats.failed, stats.dropped)
}

/// Lets the call of the only job return. The job has been dropped then, and was not called again.
async fn assert_dropped_when_its_call_returns(
    gate: &Gate,
    opener: Opener,
    app: App<SupervisorHandle>,
    pool: &Handle,
) {
    drop(opener);
    soon(pool.drain()).await;
    assert_eq!((counts(pool), gate.begun.load(Ordering::SeqCst)), ((0, 0, 0, 0, 1), 1));
    assert!(app.shutdown().await.is_clean());
}

/// Returns the log lines that name jobs whose calls outlive a stop.
fn named() -> Vec<String> {
    let warns =
        take().into_iter().filter(|line| (line.level, line.target) == (Level::WARN, "perennial::pool"));
    warns.map(|line| line.text).collect()
}

fn line(jobs: &str) -> String {
    format!("calls of blocking jobs still run after the stop of their pool pool=blockers jobs={jobs}")
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_runs_until_its_call_has_returned() {
    let (_gate, opener, app, pool, job) = running(1, |pool| pool).await;
    assert!(job.cancel());
    pass(2).await;
    assert_eq!(counts(&pool), (1, 1, 0, 0, 0));
    assert_eq!(job.status(), JobStatus::Cancelled);
    let text = pool.stats().to_string();
    assert!(text.starts_with("0 of 1 done, 1 running (1 terminating), 0 queued, "), "{text}");
    drop(opener);
    soon(pool.drain()).await;
    assert_eq!(counts(&pool), (0, 0, 0, 0, 1));
    assert!(pool.stats().to_string().starts_with("0 of 1 done, 0 running, 0 queued, "));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_last_attempt_exceeds_its_limit_fails_at_once_and_runs_until_its_call_has_returned() {
    let (_gate, opener, app, pool, job) = running(1, |pool| pool.time_limit(ms(5)).attempts(1)).await;
    pass(6).await;
    ready(job).await.expect_err("its time is over");
    assert_eq!((counts(&pool), pool.drain_dead_jobs().len()), ((1, 1, 0, 0, 0), 1));
    drop(opener);
    soon(pool.drain()).await;
    assert_eq!(counts(&pool), (0, 0, 0, 1, 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_killed_worker_runs_until_its_call_has_returned() {
    let (_gate, opener, app, pool, job) = running(1, |pool| pool.attempts(1)).await;
    app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    pass(2).await;
    ready(job).await.expect_err("its worker was lost");
    assert_eq!(counts(&pool), (1, 1, 0, 0, 0));
    drop(opener);
    soon(pool.drain()).await;
    assert_eq!(counts(&pool), (0, 0, 0, 1, 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_is_retried_by_no_other_worker_before_its_call_has_returned() {
    let delayed = |pool: Blocked| pool.time_limit(ms(5)).retry_after(Backoff::new(ms(10), ms(10)));
    let (gate, opener, app, pool, job) = running(3, delayed).await;
    let mut happened = pool.subscribe();
    pass(30).await;
    assert_eq!((counts(&pool), pool.stats().retried), ((1, 1, 0, 0, 0), 1));
    assert_eq!((job.status(), gate.begun.load(Ordering::SeqCst)), (JobStatus::Running, 1));
    assert!(matches!(events(&mut happened)[..], [JobEvent::Retried { .. }]));
    drop(opener);
    have_returned(&pool).await;
    pass(9).await;
    assert_eq!((counts(&pool), job.status()), ((0, 0, 1, 0, 0), JobStatus::Delayed));
    assert_eq!(soon(job).await.expect("it is done"), 7);
    assert_eq!(gate.most.load(Ordering::SeqCst), 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_not_ready_until_a_call_that_outlives_its_attempt_has_returned() {
    let (_gate, opener, app, pool, job) = running(2, |pool| pool.time_limit(ms(5)).attempts(1)).await;
    assert_eq!(pool.stats().workers.ready, 2, "its call belongs to an attempt");
    pass(6).await;
    ready(job).await.expect_err("its time is over");
    let workers = pool.stats().workers;
    assert_eq!((workers.running, workers.ready), (2, 1));
    drop(opener);
    have_returned(&pool).await;
    assert_eq!(pool.stats().workers.ready, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_predecessor_left_a_call_on_its_thread_is_not_ready_until_it_has_returned() {
    let (_gate, opener, app, pool, job) = running(1, |pool| pool.attempts(1)).await;
    app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    pass(2).await;
    ready(job).await.expect_err("its worker was lost");
    let workers = pool.stats().workers;
    assert_eq!((workers.running, workers.ready), (1, 0));
    drop(opener);
    have_returned(&pool).await;
    assert_eq!(pool.stats().workers.ready, 1);
    assert_eq!(soon(now(pool.submit(8))).await.expect("it is done"), 8);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_ready_workers_ends_when_the_call_of_an_attempt_that_is_over_has_returned() {
    let (_gate, opener, app, pool, job) = running(1, |pool| pool.time_limit(ms(5)).attempts(1)).await;
    pass(6).await;
    ready(job).await.expect_err("its time is over");
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.wait_ready(1).await }
    });
    pass(20).await;
    assert!(!waiting.is_finished());
    drop(opener);
    soon(waiting).await.expect("it does not panic").expect("the pool runs");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_rollout_goes_on_only_when_the_calls_on_the_threads_of_new_workers_have_returned() {
    let (_gate, mut opener, app, pool, job) = running(2, |pool| pool).await;
    let other = now(pool.submit(8));
    opener.have_begun(1).await;
    let rollout = tokio::spawn(pool.rollout().max_unavailable(1).grace(ms(10)).into_future());
    pass(100).await;
    assert!(!rollout.is_finished());
    let workers = pool.stats().workers;
    assert_eq!((workers.running, workers.ready, counts(&pool).1), (2, 1, 1), "one worker is left alone");
    drop(opener);
    let report = soon(rollout).await.expect("it does not panic").expect("all are replaced");
    assert_eq!((report.replaced.len(), report.unavailable.len(), pool.stats().workers.ready), (2, 0, 2));
    assert_eq!((soon(job).await, soon(other).await), (Ok(7), Ok(8)));
    assert!(app.shutdown().await.is_clean());
}

/// A job whose first value sends the thread that drops it.
struct Noted(Option<mpsc::Sender<ThreadId>>);

impl Clone for Noted {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(dropped) = &self.0 {
            let _ = dropped.send(thread::current().id());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_thread_of_a_call_that_has_returned_does_not_wait_for_the_drop_of_its_job() {
    let (gate, mut opener) = Gate::new();
    let function = move |_: Noted| Ok::<u64, &str>(gate.pass(0));
    let pool = Pool::from_blocking_fn("noted", 1, function).attempts(100).time_limit(ms(5));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let (sender, dropped) = mpsc::channel();
    let job = now(handle.submit(Noted(Some(sender))));
    opener.have_begun(1).await;
    pass(6).await;
    assert!(job.cancel());
    drop(job);
    drop(opener);
    soon(handle.drain()).await;
    // The drain is over before that thread has started the task.
    let began = Instant::now();
    let dropped_on = loop {
        if let Ok(thread) = dropped.try_recv() {
            break thread;
        }
        assert!(began.elapsed() < LIMIT, "it is not dropped");
        yield_now().await;
    };
    assert_eq!(dropped_on, thread::current().id(), "a task of the runtime drops it");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_call_can_be_found_and_cancelled() {
    let (gate, opener, app, pool, job) = running(2, |pool| pool.time_limit(ms(5))).await;
    pass(6).await;
    let same = pool.job(job.id()).expect("it has not ended");
    assert_eq!(same.status(), JobStatus::Running);
    assert!(pool.cancel(job.id()));
    ready(job).await.expect_err("it was cancelled");
    assert_eq!(counts(&pool), (1, 1, 0, 0, 0));
    assert_eq!(pool.clear(), 0, "it has its outcome");
    assert_dropped_when_its_call_returns(&gate, opener, app, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_call_is_listed_with_those_that_run() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 2)).await;
    let waits = now(pool.submit(1).time_limit(ms(5)));
    let runs = now(pool.submit(2));
    opener.have_begun(2).await;
    let delayed = now(pool.submit(3).delay(ms(900)));
    let queued = now(pool.submit(4));
    pass(6).await;
    let unfinished =
        |most| pool.unfinished_jobs(most).into_iter().map(|job| (job.id, job.status, job.attempt));
    let all: Vec<_> = unfinished(10).collect();
    let running = [(runs.id(), JobStatus::Running, 1), (waits.id(), JobStatus::Running, 1)];
    let waiting = [(queued.id(), JobStatus::Queued, 0), (delayed.id(), JobStatus::Delayed, 0)];
    assert_eq!((pool.stats().terminating, all), (1, [running, waiting].concat()));
    assert_eq!(unfinished(3).last(), Some(waiting[0]));
    assert!(waits.cancel());
    assert!(unfinished(10).all(|(id, _, _)| id != waits.id()));
    drop(opener);
    soon(pool.drain()).await;
    assert_eq!(unfinished(10).count(), 0);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_of_many_jobs_finds_one_that_waits_for_its_call() {
    let (gate, opener, app, pool, job) = running(2, |pool| pool.time_limit(ms(5))).await;
    pass(6).await;
    assert_eq!(pool.cancel_all(&[job.id()]), 1);
    ready(job).await.expect_err("it was cancelled");
    assert_dropped_when_its_call_returns(&gate, opener, app, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn clear_drops_a_job_that_waits_for_its_call() {
    let (gate, opener, app, pool, job) = running(2, |pool| pool.time_limit(ms(5))).await;
    pass(6).await;
    assert_eq!((pool.clear(), pool.clear()), (1, 0));
    ready(job).await.expect_err("it was dropped");
    assert_eq!(counts(&pool), (1, 1, 0, 0, 0));
    assert_dropped_when_its_call_returns(&gate, opener, app, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_calls_whose_jobs_have_ended() {
    let (gate, opener, app, pool, job) = running(1, |pool| pool.time_limit(ms(5)).attempts(1)).await;
    pass(6).await;
    ready(job).await.expect_err("its time is over");
    let draining = tokio::spawn(async move { pool.drain().await });
    pass(20).await;
    assert!(!draining.is_finished());
    drop(opener);
    soon(draining).await.expect("it does not panic");
    assert_eq!(gate.running(), 0);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_finishes_jobs_waits_for_calls_whose_jobs_have_ended_no_longer_than_for_workers() {
    for how in [PoolShutdown::Drain, PoolShutdown::FinishInFlight] {
        let set = |pool: Blocked| pool.time_limit(ms(5)).attempts(1).shutdown(Shutdown::Timeout(ms(50)));
        let (gate, opener, app, pool, job) = running(1, set).await;
        let id = job.id();
        pass(6).await;
        ready(job).await.expect_err("its time is over");
        let stopped = pool.clone();
        let stopping = tokio::spawn(async move { stopped.stop(how).await });
        pass(40).await;
        assert!(!stopping.is_finished());
        pass(60).await;
        let report = ready(stopping).await.expect("it does not panic");
        assert_eq!((report.unstopped, report.failed, report.dropped, gate.running()), (vec![id], 0, 0, 1));
        drop(opener);
        soon(pool.drain()).await;
        let _ = app.shutdown().await;
        assert_eq!(counts(&pool), (0, 0, 0, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_names_the_jobs_whose_calls_still_run_and_they_count_until_they_return() {
    listen();
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 2).shutdown(Shutdown::Timeout(ms(50)))).await;
    let jobs: Vec<_> = (0..3).map(|job| now(pool.submit(job))).collect();
    let ids: Vec<JobId> = jobs.iter().map(Job::id).collect();
    opener.have_begun(2).await;
    let stopped = pool.clone();
    let stopping = tokio::spawn(async move { stopped.stop(PoolShutdown::Abort).await });
    pass(60).await;
    let report = ready(stopping).await.expect("it does not panic");
    assert_eq!((report.dropped, &report.unstopped[..]), (3, &ids[..2]));
    for job in jobs {
        ready(job).await.expect_err("it was dropped");
    }
    assert_eq!(counts(&pool), (2, 2, 0, 0, 1));
    let stopping = tokio::spawn(async move { app.shutdown().await });
    pass(60).await;
    let report = ready(stopping).await.expect("it does not panic");
    let late: Vec<&str> = report.unstopped.iter().map(|late| &*late.path).collect();
    assert_eq!(late, ["blockers/threads"]);
    assert_eq!(named(), [line(&format!("{}, {}", ids[0], ids[1]))], "once");
    drop(opener);
    soon(pool.drain()).await;
    assert_eq!(counts(&pool), (0, 0, 0, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_names_the_jobs_whose_calls_still_run_and_drops_those_that_were_to_be_retried() {
    listen();
    let set = |pool: Blocked| pool.shutdown(Shutdown::Timeout(ms(50)));
    let (gate, opener, app, pool, job) = running(1, set).await;
    let id = job.id();
    let stopping = tokio::spawn(async move { app.shutdown().await });
    pass(120).await;
    let report = ready(stopping).await.expect("it does not panic");
    assert!(report.unstopped.iter().any(|late| &*late.path == "blockers/threads"), "{report}");
    assert_eq!((report.dropped_jobs, gate.running()), (1, 1));
    ready(job).await.expect_err("it was dropped");
    assert_eq!(named(), [line(&id.to_string())]);
    assert_eq!(counts(&pool), (1, 1, 0, 0, 0));
    drop(opener);
    soon(pool.drain()).await;
    assert_eq!(counts(&pool), (0, 0, 0, 0, 1));
}

#[test]
fn a_job_that_waits_for_its_call_has_a_result_though_the_runtime_of_its_pool_is_gone() {
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    let (_gate, opener, app, pool, job) = runtime.block_on(async {
        let running = running(1, |pool| pool.time_limit(ms(1))).await;
        let began = Instant::now();
        while running.3.stats().terminating == 0 {
            assert!(began.elapsed() < LIMIT, "the time limit is over");
            yield_now().await;
        }
        running
    });
    runtime.shutdown_background();
    drop((app, pool));
    let other =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a thread");
    let outcome = other.block_on(async { tokio::time::timeout(LIMIT, job).await });
    assert!(matches!(outcome, Ok(Err(JobError::Dropped(_)))), "{outcome:?}");
    drop(opener);
}
