//! The watchdog of a pool: jobs that take long ping, and a worker whose job is silent is replaced.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{JobContext, Pool, Work, Worker, WorkerContext};
use perennial_supervision::{App, Shutdown, SpecError, StartError, SupervisorHandle};
use tokio::time::{Instant, advance, sleep};

use crate::support::pool::{long, now, quick, scripted_pool, secs};

const WATCHDOG: Duration = secs(30);

/// Starts a pool with a watchdog, whose silent workers are killed at once.
async fn start<W: Work + 'static>(pool: Pool<W>) -> App<SupervisorHandle> {
    let pool = pool.watchdog(WATCHDOG).shutdown(Shutdown::BrutalKill);
    pool.start(&System::new()).await.expect("it starts")
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_job_stops_pinging_is_replaced_and_the_job_retried_as_that_of_a_lost_worker() {
    for with_progress in [false, true] {
        // The first start of the job pings three times, and then hangs.
        let pool =
            Pool::from_fn_with_context("jobs", 1, move |(): &(), ctx: JobContext<'static>| async move {
                for done in 1..=3 {
                    sleep(secs(20)).await;
                    if with_progress { ctx.set_progress(done, 3) } else { ctx.ping() }
                }
                if ctx.attempt() == 1 {
                    pending::<()>().await;
                }
                Ok::<u32, Infallible>(ctx.attempt())
            });
        let (jobs, begun) = (pool.handle(), Instant::now());
        let app = start(pool.attempts(1).lost_workers(2)).await;
        let job = now(jobs.submit(()));
        assert_eq!(job.await.expect("it is retried"), 2);
        assert_eq!(begun.elapsed(), secs(3 * 20 + 30 + 3 * 20), "with progress: {with_progress}");
        let stats = jobs.stats();
        assert_eq!((stats.retried, stats.retried_lost), (1, 1));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_pings_takes_as_long_as_it_needs() {
    let pool = Pool::from_fn_with_context("jobs", 1, |(): &(), ctx: JobContext<'static>| async move {
        for _ in 0..1000 {
            sleep(secs(29)).await;
            ctx.ping();
        }
        Ok::<u32, Infallible>(ctx.attempt())
    });
    let (jobs, begun) = (pool.handle(), Instant::now());
    let app = start(pool).await;
    assert_eq!(now(jobs.submit(())).await.expect("it is done"), 1);
    assert_eq!((begun.elapsed(), jobs.stats().retried), (secs(29_000), 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_and_one_with_many_short_jobs_need_no_ping() {
    let (pool, journal) = scripted_pool(1);
    let jobs = pool.handle();
    let app = start(pool).await;
    sleep(secs(3600)).await;
    for number in 0..100 {
        drop(now(jobs.submit(long(number, secs(29)))));
    }
    assert_eq!(now(jobs.submit(quick(100))).await.expect("it is done"), 100);
    assert_eq!((jobs.stats().completed, jobs.stats().retried), (101, 0));
    assert!(journal.take().iter().all(|begun| begun.incarnation == 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_an_attempt_that_is_over_does_not_count_for_the_next_job() {
    let pool = Pool::from_fn_with_context("jobs", 1, |hangs: &bool, ctx: JobContext<'static>| {
        let hangs = *hangs && ctx.attempt() == 1;
        async move {
            let attempt = ctx.attempt();
            // It goes on after its attempt.
            tokio::spawn(async move {
                loop {
                    sleep(secs(10)).await;
                    if !hangs {
                        ctx.ping();
                    }
                }
            });
            if hangs {
                pending::<()>().await;
            }
            Ok::<u32, Infallible>(attempt)
        }
    });
    let jobs = pool.handle();
    let app = start(pool).await;
    assert_eq!(now(jobs.submit(false)).await.expect("it is done"), 1);
    let begun = Instant::now();
    assert_eq!(now(jobs.submit(true)).await.expect("it is retried"), 2);
    assert_eq!(begun.elapsed(), WATCHDOG);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_blocking_function_pings_from_its_thread() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (pinged, mut pings) = tokio::sync::mpsc::unbounded_channel();
    let pool = Pool::from_blocking_fn_with_context("jobs", 1, move |(): (), ctx| {
        while gate.lock().expect("not poisoned").recv().is_ok() {
            ctx.ping();
            pinged.send(()).expect("the test receives it");
        }
        Ok::<u32, Infallible>(ctx.attempt())
    });
    let jobs = pool.handle();
    let app = start(pool).await;
    let job = now(jobs.submit(()));
    // Time does not pass by itself while a thread blocks.
    for _ in 0..20 {
        advance(secs(20)).await;
        go.send(()).expect("it waits");
        pings.recv().await.expect("it pings");
    }
    drop(go);
    assert_eq!(job.await.expect("it is done"), 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_of_zero_is_refused() {
    let (pool, _) = scripted_pool(1);
    let failed = pool.watchdog(Duration::ZERO).start(&System::new()).await.expect_err("it is invalid");
    assert!(matches!(failed, StartError::Spec(SpecError::ZeroLiveness { .. })), "{failed}");
}

/// A worker that pings every 29 seconds of a job.
struct PingingWorker;

impl Worker for PingingWorker {
    type Job = ();
    type Output = u32;
    type Error = Infallible;
    type Args = ();

    async fn init((): &(), _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn work(&mut self, (): &(), ctx: &JobContext<'_>) -> Result<u32, Infallible> {
        for _ in 0..10 {
            sleep(secs(29)).await;
            ctx.ping();
        }
        Ok(ctx.attempt())
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_pings_also_with_the_context_that_it_borrows_from_its_worker() {
    let pool = Pool::<PingingWorker>::new("jobs", 1, ()).attempts(2);
    let jobs = pool.handle();
    let app = start(pool).await;
    assert_eq!(now(jobs.submit(())).await.expect("it is done"), 1);
    assert_eq!(jobs.stats().retried, 0);
    assert!(app.shutdown().await.is_clean());
}
