//! Workers that do not run: no job is routed to them, and only jobs with a key wait for one that is
//! due.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial_actors::{ExitReason, System};
use perennial_supervision::Backoff;
use perennial_supervision::pool::{
    JobContext, JobError, JobHandle, Pool, PoolHandle, PoolShutdown, Routing, Worker, WorkerContext,
};
use tokio::time::Instant;

use crate::support::pool::{
    Step, job, long, ms, now, outcome_of, quick, quiet, scripted_pool, secs, soon, start,
};

/// Decides which workers decline to start.
type Declines = Box<dyn Fn(&WorkerContext) -> bool + Send + Sync>;

/// A worker that may decline to start. It stops itself after a job that is `true`.
struct MayDecline {
    slot: usize,
}

impl Worker for MayDecline {
    type Job = bool;
    type Output = usize;
    type Error = &'static str;
    type Args = Declines;

    async fn init(declines: &Declines, at: &WorkerContext) -> Result<Self, ExitReason> {
        if declines(at) { Err(ExitReason::Ignore) } else { Ok(Self { slot: at.slot }) }
    }

    async fn work(&mut self, is_last: &bool, _: &JobContext<'_>) -> Result<usize, &'static str> {
        if *is_last {
            panic!("a bug");
        }
        Ok(self.slot)
    }
}

type Handle = PoolHandle<MayDecline>;

type Choice = JobHandle<MayDecline>;

fn may_decline(
    workers: usize,
    declines: impl Fn(&WorkerContext) -> bool + Send + Sync + 'static,
) -> Pool<MayDecline> {
    Pool::<MayDecline>::new("may_decline", workers, Box::new(declines))
}

fn submit(pool: &Handle, key: Option<u64>) -> Choice {
    let submission = pool.submit(false);
    now(match key {
        Some(key) => submission.key(&key),
        None => submission,
    })
}

#[tokio::test(start_paused = true)]
async fn no_job_is_routed_to_a_worker_that_declined_to_start() {
    for (routing, is_keyed) in [
        (Routing::Shared, true),
        (Routing::RoundRobin, false),
        (Routing::RoundRobin, true),
        (Routing::LeastQueued, false),
    ] {
        let pool = may_decline(4, |at| at.slot % 2 == 1).routing(routing);
        let handle = pool.handle();
        // Some jobs are queued before the workers start.
        let mut jobs: Vec<Choice> = (0..10).map(|n| submit(&handle, is_keyed.then_some(n))).collect();
        let app = pool.start(&System::new()).await.expect("it starts");
        quiet().await;
        jobs.extend((10..30).map(|n| submit(&handle, is_keyed.then_some(n))));
        let report = soon(handle.stop(PoolShutdown::Drain)).await;
        assert_eq!(report.dropped, 0);
        let mut slots = BTreeSet::new();
        for job in jobs {
            slots.insert(soon(job).await.expect("it is done"));
        }
        assert_eq!(slots, BTreeSet::from([0, 2]), "{routing:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn keys_of_a_worker_that_declines_to_restart_map_to_another() {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let pool = may_decline(2, move |at| at.slot == 0 && is_gone.load(Ordering::Acquire)).attempts(1);
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let mut led = Vec::new();
    for key in 0..10 {
        led.push(soon(submit(&handle, Some(key))).await.expect("it is done"));
    }
    let key = led.iter().position(|slot| *slot == 0).expect("a key leads to it") as u64;
    gone.store(true, Ordering::Release);
    let last = now(handle.submit(true).key(&key));
    let behind: Vec<Choice> = (0..5).map(|_| submit(&handle, Some(key))).collect();
    soon(last).await.expect_err("its worker panicked");
    for job in behind {
        assert_eq!(soon(job).await.expect("it is done"), 1);
    }
    // The other worker keeps its keys.
    for key in 0..10 {
        assert_eq!(soon(submit(&handle, Some(key))).await.expect("it is done"), 1);
    }
    let _ = soon(handle.stop(PoolShutdown::Drain)).await;
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_finishes_drops_jobs_that_no_worker_is_there_for() {
    for workers in [0, 2] {
        let pool = may_decline(2, move |_| workers > 0);
        let handle = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        if workers == 0 {
            handle.resize(0).await.expect("it goes well");
        }
        let jobs = [submit(&handle, None), submit(&handle, Some(7))];
        let report = soon(handle.stop(PoolShutdown::Drain)).await;
        assert_eq!(report.dropped, 2);
        for job in jobs {
            assert!(matches!(soon(job).await, Err(JobError::Dropped(_))));
        }
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_routed_only_to_workers_that_are_not_in_backoff() {
    for routing in [Routing::RoundRobin, Routing::LeastQueued] {
        let (pool, journal) = scripted_pool(2);
        let pool = pool.routing(routing).backoff(Backoff::new(secs(60), secs(60)));
        let running = start((pool, journal)).await;
        let busy = [job(0, [Step::Hang, Step::Do]), job(1, [Step::Take(ms(5))])];
        let mut jobs: Vec<_> = busy.into_iter().map(|job| running.submit(job)).collect();
        quiet().await;
        // Some jobs were routed to the worker before, and some are submitted after.
        jobs.extend(running.submit_all(2..10));
        running.kill(0).await;
        jobs.extend(running.submit_all(10..20));
        let began = Instant::now();
        for job in jobs {
            assert!(outcome_of(job).await.starts_with("done"));
        }
        assert!(began.elapsed() < secs(1), "{routing:?}: {:?}", began.elapsed());
        let begun = running.journal.take();
        assert!(begun.iter().skip(2).all(|begun| begun.slot == 1), "{routing:?}: {begun:?}");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_worker_has_its_turn_though_others_come_and_go() {
    let (pool, journal) = scripted_pool(3);
    let running = start((pool.routing(Routing::RoundRobin), journal)).await;
    for round in 0..20 {
        let jobs: Vec<_> = (0..3).map(|n| running.submit(quick(round * 3 + n))).collect();
        for job in jobs {
            assert!(outcome_of(job).await.starts_with("done"));
        }
        running.kill(0).await;
    }
    let begun = running.journal.take();
    for slot in 0..3 {
        let count = begun.iter().filter(|begun| begun.slot == slot).count();
        assert_eq!(count, 20, "slot {slot}: {begun:?}");
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_for_its_own_worker_while_that_is_due() {
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.backoff(Backoff::new(secs(60), secs(60))), journal)).await;
    let first = now(running.pool.submit(long(1, ms(1))).key(&"a"));
    assert_eq!(outcome_of(first).await, "done 1");
    let slot = running.journal.take()[0].slot;
    running.kill(slot).await;
    let keyed: Vec<_> = (2..5).map(|number| now(running.pool.submit(quick(number)).key(&"a"))).collect();
    let began = Instant::now();
    let stop = soon(running.pool.stop(PoolShutdown::Drain)).await;
    assert_eq!((stop.completed, stop.dropped), (3, 0));
    assert!(began.elapsed() >= secs(59) && began.elapsed() < secs(70), "{:?}", began.elapsed());
    for job in keyed {
        assert!(outcome_of(job).await.starts_with("done"));
    }
    let begun = running.journal.take();
    assert_eq!(
        begun.iter().map(|begun| (begun.job, begun.slot)).collect::<Vec<_>>(),
        [(2, slot), (3, slot), (4, slot)]
    );
    running.close().await;
}

/// A worker whose first incarnation works. In slot 0, later incarnations hang in init.
struct HangsInInit(usize);

impl Worker for HangsInInit {
    type Job = ();
    type Output = usize;
    type Error = &'static str;
    type Args = ();

    async fn init((): &(), at: &WorkerContext) -> Result<Self, ExitReason> {
        if at.slot == 0 && at.pid.incarnation() > 1 {
            pending::<()>().await;
        }
        Ok(Self(at.slot))
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<usize, &'static str> {
        Ok(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_routed_only_to_workers_that_have_finished_their_init() {
    for routing in [Routing::RoundRobin, Routing::LeastQueued] {
        let pool = Pool::<HangsInInit>::new("late", 2, ()).routing(routing);
        let handle = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
        quiet().await;
        for _ in 0..10 {
            assert_eq!(soon(now(handle.submit(()))).await.expect("it is done"), 1);
        }
        let _ = app.shutdown().await;
    }
}
