//! Missing workers are restarted, whatever the cause, and a normal exit is no crash.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{JobContext, Pool, PoolError, PoolShutdown, Worker, WorkerContext};
use perennial_supervision::{Backoff, ChildError, Restart, Supervisor};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{
    Running, Step, job, long, ms, outcome_of, quiet, scripted_pool, scripted_pool_starting_if, secs, soon,
    start, started,
};

/// Returns the number of running workers, according to the supervisor and to the pool.
async fn counts(running: &Running) -> (usize, usize) {
    (running.active().await, running.pool.stats().workers.running)
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_fails_once_in_a_rolling_restart_is_restarted() {
    let running = start(scripted_pool_starting_if(2, |at| at.slot != 1 || at.pid.incarnation() != 2)).await;
    let error = running.pool.rolling_restart().await.expect_err("one fails");
    assert!(matches!(error, PoolError::Worker { slot: 1, .. }), "{error}");
    assert_eq!(counts(&running).await, (1, 1), "what is counted runs");
    sleep(secs(1)).await;
    assert_eq!(counts(&running).await, (2, 2));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_fails_to_start_is_retried_with_growing_delays() {
    let starts = Arc::new(AtomicUsize::new(0));
    let (pool, journal) = scripted_pool_starting_if(1, {
        let starts = starts.clone();
        move |_| !(1..=20).contains(&starts.fetch_add(1, Ordering::Relaxed))
    });
    let running = start((pool.intensity(0, secs(60)), journal)).await;
    assert!(running.pool.rolling_restart().await.is_err());
    sleep(secs(20)).await;
    assert!(starts.load(Ordering::Relaxed) < 12, "it is not tried all the time");
    sleep(secs(120)).await;
    assert_eq!((starts.load(Ordering::Relaxed), counts(&running).await), (22, (1, 1)));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_terminated_worker_is_restarted_while_it_is_wanted() {
    let running = started(3).await;
    running.app.supervisor().terminate_child("1").await.expect("it is there");
    assert_eq!(counts(&running).await, (2, 2));
    sleep(secs(1)).await;
    assert_eq!(counts(&running).await, (3, 3));
    running.pool.resize(1).await.expect("it goes well");
    sleep(secs(60)).await;
    assert_eq!(counts(&running).await, (1, 1));
    running.pool.stop(PoolShutdown::Drain).await;
    sleep(secs(60)).await;
    assert_eq!(counts(&running).await, (0, 0));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_an_owner_starts_beyond_what_is_wanted_declines() {
    let running = started(3).await;
    running.pool.resize(1).await.expect("it goes well");
    running.app.supervisor().restart_child("2").await.expect("it declines");
    quiet().await;
    assert_eq!(counts(&running).await, (1, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_worker_that_a_resize_cannot_start_is_restarted_later() {
    let fails = Arc::new(AtomicBool::new(false));
    let shared_fails = fails.clone();
    let running =
        start(scripted_pool_starting_if(3, move |at| at.slot != 1 || !shared_fails.load(Ordering::Relaxed)))
            .await;
    fails.store(true, Ordering::Relaxed);
    running.app.supervisor().terminate_child("1").await.expect("it is there");
    assert!(running.pool.resize(3).await.is_err());
    fails.store(false, Ordering::Relaxed);
    sleep(secs(10)).await;
    assert_eq!(counts(&running).await, (3, 3));
    running.close().await;
}

/// A worker whose init depends on its incarnation.
struct InitByIncarnation;

/// The behaviour of an init.
#[derive(Clone, Copy, PartialEq)]
enum Init {
    Starts,
    Hangs,
    Declines,
}

impl Worker for InitByIncarnation {
    type Job = ();
    type Output = u32;
    type Error = &'static str;
    type Args = fn(&WorkerContext) -> Init;

    async fn init(init: &Self::Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        match init(at) {
            Init::Starts => Ok(Self),
            Init::Hangs => std::future::pending().await,
            Init::Declines => Err(ExitReason::Ignore),
        }
    }

    async fn work(&mut self, _: &(), _: &JobContext<'_>) -> Result<u32, &'static str> {
        Ok(1)
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_declined_to_start_is_started_again() {
    let init: fn(&WorkerContext) -> Init =
        |at| if at.pid.incarnation() < 3 { Init::Declines } else { Init::Starts };
    let pool = Pool::<InitByIncarnation>::new("newborns", 2, init);
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    assert_eq!(handle.stats().workers.running, 0);
    sleep(secs(2)).await;
    assert_eq!(handle.stats().workers.running, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_returns_if_a_worker_hangs_in_init() {
    let init: fn(&WorkerContext) -> Init =
        |at| if at.slot == 1 && at.pid.incarnation() == 2 { Init::Hangs } else { Init::Starts };
    let pool = Pool::<InitByIncarnation>::new("newborns", 2, init);
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let begun = Instant::now();
    let error = soon(handle.rolling_restart()).await.expect_err("one hangs");
    let PoolError::Worker { slot: 1, error: ChildError::StartFailed(ExitReason::StartTimedOut) } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(begun.elapsed(), secs(30), "unless it is set");
    sleep(secs(1)).await;
    assert_eq!(handle.stats().workers.running, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_hangs_in_init_exceeds_its_start_timeout() {
    let init: fn(&WorkerContext) -> Init =
        |at| if at.pid.incarnation() == 2 { Init::Hangs } else { Init::Starts };
    let pool = Pool::<InitByIncarnation>::new("newborns", 2, init).start_timeout(secs(2));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    sleep(secs(3)).await;
    assert_eq!(handle.stats().workers.running, 2);
    handle.resize(1).await.expect("it goes well");
    let begun = Instant::now();
    soon(handle.resize(2)).await.expect_err("it hangs");
    assert_eq!((begun.elapsed(), handle.stats().workers.running), (secs(2), 1));
    handle.resize(2).await.expect("it goes well");
    assert_eq!(handle.stats().workers.running, 2);
    assert!(app.shutdown().await.is_clean());
}

/// A worker that stops itself after each job.
struct StopsAfterJob(WorkerContext);

impl Worker for StopsAfterJob {
    type Job = u64;
    type Output = u64;
    type Error = &'static str;
    type Args = ExitReason;

    async fn init(reason: &ExitReason, at: &WorkerContext) -> Result<Self, ExitReason> {
        assert!(!reason.is_abnormal());
        Ok(Self(at.clone()))
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, &'static str> {
        let reason = if job % 2 == 0 { ExitReason::Normal } else { ExitReason::shutdown() };
        self.0.handle.stop(reason).expect("it lives");
        Ok(*job)
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_itself_after_each_job_is_no_crash() {
    for backoff in [None, Some(Backoff::new(secs(1), secs(60)))] {
        let mut pool = Pool::<StopsAfterJob>::new("mayflies", 4, ExitReason::Normal).intensity(0, secs(60));
        if let Some(backoff) = backoff {
            pool = pool.backoff(backoff);
        }
        let handle = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        let begun = Instant::now();
        let batch = handle.submit_many(0..1_000).await.expect("there is room");
        let results = soon(batch.join_all()).await;
        assert_eq!(results.into_iter().map(|result| result.expect("it is done")).sum::<u64>(), 499_500);
        assert_eq!(begun.elapsed(), ms(0), "the next incarnation starts at once");
        let stats = handle.stats();
        assert_eq!((stats.completed, stats.retried, stats.dropped, stats.failed), (1_000, 0, 0, 0));
        quiet().await;
        assert_eq!(handle.stats().workers.running, 4);
        assert!(app.shutdown().await.is_clean());
    }
}

/// A worker that stops itself as soon as it has started.
struct StopsAfterStart;

impl Worker for StopsAfterStart {
    type Job = ();
    type Output = ();
    type Error = &'static str;
    type Args = Arc<AtomicUsize>;

    async fn init(starts: &Self::Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        starts.fetch_add(1, Ordering::Relaxed);
        at.handle.stop(ExitReason::Normal).expect("it lives");
        Ok(Self)
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<(), &'static str> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_exits_normally_without_a_job_does_not_restart_in_a_busy_loop() {
    let starts = Arc::new(AtomicUsize::new(0));
    let pool = Pool::<StopsAfterStart>::new("stillborns", 1, starts.clone());
    let app = pool.start(&System::new()).await.expect("it starts");
    sleep(secs(10)).await;
    assert!((5..30).contains(&starts.load(Ordering::Relaxed)), "{starts:?}");
    let _ = app.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn manual_restarts_use_no_attempt() {
    let running = started(1).await;
    let slow = running.submit(long(1, secs(8)));
    quiet().await;
    for _ in 0..5 {
        running.pool.rolling_restart().await.expect("it goes well");
        sleep(secs(1)).await;
    }
    running.pool.resize(0).await.expect("it goes well");
    running.pool.resize(1).await.expect("it goes well");
    sleep(secs(1)).await;
    running.app.supervisor().terminate_child("0").await.expect("it is there");
    assert_eq!(outcome_of(slow).await, "done 1");
    assert_eq!(running.journal.jobs().len(), 8, "one for each that was cut short, and the last");
    assert_eq!(running.pool.stats().retried, 7);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_or_a_deadline_uses_an_attempt() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.attempts(2).handler_deadline(secs(1)), journal)).await;
    let hangs = running.submit(job(1, [Step::Hang]));
    quiet().await;
    running.kill(0).await;
    assert_eq!(outcome_of(hangs).await, "killed, handler deadline");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_at_most_once_job_does_not_restart_after_a_rolling_restart() {
    let running = started(1).await;
    let once = pool::now(running.pool.submit(long(1, secs(8))).at_most_once());
    quiet().await;
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!(outcome_of(once).await, "killed");
    assert_eq!(running.journal.jobs(), [1]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_ends_with_its_handles_ends_its_tree() {
    let (pool, _) = scripted_pool(2);
    let pool = pool.close_on_last_handle();
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let last = pool::now(handle.submit(long(1, secs(3))));
    let begun = Instant::now();
    drop(handle);
    let reason = soon(app.join()).await;
    assert!(matches!(reason, ExitReason::Shutdown(_)), "{reason}");
    assert_eq!((begun.elapsed(), outcome_of(last).await), (secs(3), "done 1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_pool_below_a_supervisor_that_ends_with_its_handles_is_not_started_again() {
    let (pool, _) = scripted_pool(2);
    let pool = pool.close_on_last_handle();
    let handle = pool.handle();
    let tree = Supervisor::new("root").intensity(0, secs(60)).child(pool);
    let app = tree.start(&System::new()).await.expect("it starts");
    quiet().await;
    drop(handle);
    sleep(secs(60)).await;
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 0);
    assert!(app.shutdown().await.is_clean());
    let (pool, _) = scripted_pool(1);
    let pool = pool.close_on_last_handle().restart(Restart::Permanent);
    let handle = pool.handle();
    let tree = Supervisor::new("root").intensity(0, secs(60)).child(pool);
    let app = tree.start(&System::new()).await.expect("it starts");
    drop(handle);
    soon(app.join()).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_whose_future_is_dropped_continues() {
    let running = started(2).await;
    let slow = running.submit(long(1, secs(3)));
    quiet().await;
    assert!(tokio::time::timeout(ms(10), running.pool.stop(PoolShutdown::Drain)).await.is_err());
    sleep(secs(10)).await;
    assert_eq!((outcome_of(slow).await, counts(&running).await), ("done 1".to_owned(), (0, 0)));
    running.close().await;
}

/// A worker whose init takes a second.
struct SlowWorker;

impl Worker for SlowWorker {
    type Job = ();
    type Output = ();
    type Error = &'static str;
    type Args = ();

    async fn init((): &(), _: &WorkerContext) -> Result<Self, ExitReason> {
        sleep(secs(1)).await;
        Ok(Self)
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<(), &'static str> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_grows_wants_all_its_workers_while_a_missing_one_starts() {
    let pool = Pool::<SlowWorker>::new("pool", 3, ());
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    app.supervisor().terminate_child("0").await.expect("it is there");
    let growing = tokio::spawn({
        let handle = handle.clone();
        async move { soon(handle.resize(4)).await }
    });
    sleep(ms(900)).await;
    let workers = handle.stats().workers;
    assert_eq!((workers.wanted, workers.running), (3, 2), "the others run on");
    assert_eq!(growing.await.expect("no panic"), Ok(()));
    assert_eq!(handle.stats().workers.running, 4);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_ready_workers_ends_when_one_has_started_again() {
    let pool = Pool::<SlowWorker>::new("pool", 2, ());
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let worker = app.tree().at(["1"]).expect("it is there").handle.clone();
    worker.kill().expect("it lives");
    quiet().await;
    let killed = Instant::now();
    soon(handle.wait_ready(2)).await.expect("the pool runs");
    assert_eq!(killed.elapsed().as_millis(), 999);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn workers_that_are_down_together_come_back_apart_if_the_backoff_has_jitter() {
    let (pool, journal) = scripted_pool(3);
    let running = start((pool.backoff(Backoff::new(secs(10), secs(10)).jitter(0.5)), journal)).await;
    for slot in ["0", "1", "2"] {
        running.app.supervisor().terminate_child(slot).await.expect("it is there");
    }
    let mut counts = Vec::new();
    for _ in 0..3_000 {
        counts.push(running.pool.stats().workers.running);
        sleep(ms(10)).await;
    }
    counts.dedup();
    assert_eq!(counts, [0, 1, 2, 3]);
    running.close().await;
}
