//! A pool that waits for its first start or for a restart: a stop and a resize do not wait with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial_actors::{ExitReason, ProcessState, System};
use perennial_supervision::pool::{JobContext, Pool, PoolError, PoolShutdown, Worker, WorkerContext};
use perennial_supervision::{Backoff, Supervisor};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{
    Running, assert_accounts, ms, outcome_of, pends, quick, quiet, scripted_pool_starting_if, secs, soon,
};

/// Starts a tree with a pool of one worker, and waits until the pool waits for its next start,
/// which is tried every 300 seconds and fails while the returned flag is unset. The start that it
/// waits for is its first, or a restart: it has given up, and so has its supervisor, which has a
/// backoff.
async fn waiting(is_first: bool) -> (Running, Arc<AtomicBool>) {
    let may_start = Arc::new(AtomicBool::new(!is_first));
    let check = may_start.clone();
    let (pool, journal) = scripted_pool_starting_if(1, move |_| check.load(Ordering::Relaxed));
    let delays = Backoff::new(secs(300), secs(300)).factor(1.0).jitter(0.0);
    let pool = pool.intensity(0, secs(1)).retry_start(delays);
    let (system, handle) = (System::new(), pool.handle());
    let parent = Supervisor::new("parent").intensity(0, secs(1)).backoff(delays).child(pool);
    let app = Supervisor::new("app").child(parent).start(&system).await.expect("it starts");
    quiet().await;
    let running = Running { system, app, pool: handle, journal };
    if !is_first {
        may_start.store(false, Ordering::Relaxed);
        let tree = running.app.tree();
        tree.at(["parent", "pool", "0"]).expect("it is a worker").handle.kill().expect("it lives");
        sleep(secs(1)).await;
    }
    assert_eq!(running.pool.supervisor().handle().state(), ProcessState::Pending);
    (running, may_start)
}

async fn workers(running: &Running) -> usize {
    // The pool manager is not a worker.
    running.pool.supervisor().count_children().await.expect("it lives").active - 1
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_the_start_of_the_pool_unless_it_drains_queued_jobs() {
    for is_first in [true, false] {
        for how in [PoolShutdown::FinishInFlight, PoolShutdown::Abort] {
            let (running, may_start) = waiting(is_first).await;
            let queued = running.submit(quick(1));
            let begun = Instant::now();
            let report = soon(running.pool.stop(how)).await;
            assert_eq!((report.dropped, begun.elapsed()), (1, ms(0)), "{how:?}");
            assert_eq!(outcome_of(queued).await, "dropped");
            may_start.store(true, Ordering::Relaxed);
            sleep(secs(301)).await;
            assert_eq!(workers(&running).await, 0, "none starts with the pool");
            running.close().await;
        }
        let (running, _) = waiting(is_first).await;
        let begun = Instant::now();
        assert_eq!(soon(running.pool.stop(PoolShutdown::Drain)).await, Default::default());
        assert_eq!(begun.elapsed(), ms(0), "no job is queued");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_the_start_of_the_pool_and_an_abort_cuts_it_short() {
    for is_first in [true, false] {
        let (running, may_start) = waiting(is_first).await;
        let queued = running.submit(quick(1));
        may_start.store(true, Ordering::Relaxed);
        assert_eq!(soon(running.pool.stop(PoolShutdown::Drain)).await.completed, 1);
        assert_eq!(outcome_of(queued).await, "done 1");
        running.close().await;

        let (running, _) = waiting(is_first).await;
        let queued = running.submit(quick(1));
        let pool = running.pool.clone();
        let mut drain = tokio::spawn(async move { pool.stop(PoolShutdown::Drain).await });
        sleep(secs(10_000)).await;
        assert!(pends(&mut drain).await);
        let begun = Instant::now();
        soon(running.pool.stop(PoolShutdown::Abort)).await;
        assert_eq!(soon(drain).await.expect("it does not panic").dropped, 1);
        assert_eq!(begun.elapsed(), ms(0));
        assert_eq!(outcome_of(queued).await, "dropped");
        assert_accounts(&running.pool.stats());
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_resize_does_not_wait_for_the_start_of_the_pool_which_starts_with_the_new_number() {
    for is_first in [true, false] {
        for wanted in [0, 3] {
            let (running, may_start) = waiting(is_first).await;
            let begun = Instant::now();
            assert_eq!(soon(running.pool.resize(wanted)).await, Ok(()));
            assert_eq!(begun.elapsed(), ms(0));
            may_start.store(true, Ordering::Relaxed);
            sleep(secs(310)).await;
            assert_eq!(workers(&running).await, wanted);
            running.close().await;
        }
    }
}

/// A worker whose start takes 5 seconds, and fails while the flag is unset.
struct Slow;

impl Worker for Slow {
    type Job = ();
    type Output = ();
    type Error = ();
    type Args = Arc<AtomicBool>;

    async fn init(may_start: &Arc<AtomicBool>, _: &WorkerContext) -> Result<Self, ExitReason> {
        sleep(secs(5)).await;
        if may_start.load(Ordering::Relaxed) { Ok(Self) } else { Err(ExitReason::failed("not yet")) }
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<(), ()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_start_of_the_pool_that_fails_holds_for_the_next_start() {
    let may_start = Arc::new(AtomicBool::new(false));
    let delays = Backoff::new(secs(10), secs(10)).factor(1.0).jitter(0.0);
    let pool = Pool::<Slow>::new("pool", 2, may_start.clone()).intensity(0, secs(1)).retry_start(delays);
    let handle = pool.handle();
    let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
    sleep(secs(11)).await;
    let state = handle.supervisor().handle().state();
    assert!(matches!(state, ProcessState::Alive(_)), "it starts for the second time");
    let begun = Instant::now();
    let (grows, restarts) = tokio::join!(handle.resize(3), handle.rolling_restart());
    assert_eq!((grows, restarts), (Ok(()), Ok(())));
    assert!(begun.elapsed() <= secs(10), "{:?}", begun.elapsed());
    may_start.store(true, Ordering::Relaxed);
    sleep(secs(100)).await;
    assert_eq!(handle.stats().workers.running, 3);
    assert_eq!(handle.resize(1).await, Ok(()));
    assert!(app.shutdown().await.is_clean());
    assert_eq!(handle.resize(2).await, Err(PoolError::Stopped));
    assert_eq!(handle.rolling_restart().await, Err(PoolError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_resize_of_a_pool_that_is_killed_meanwhile_holds_for_the_next_start() {
    for (before, after) in [(1, 3), (3, 1)] {
        let (pool, journal) = scripted_pool_starting_if(before, |_| true);
        let (system, handle) = (System::new(), pool.handle());
        let app = Supervisor::new("app").child(pool).start(&system).await.expect("it starts");
        let running = Running { system, app, pool: handle, journal };
        let busy = running.pool.submit_many((0..3).map(|number| pool::long(number, secs(3)))).await;
        quiet().await;
        let pool = running.pool.clone();
        let resized = tokio::spawn(async move { pool.resize(after).await });
        sleep(ms(10)).await;
        running.pool.supervisor().handle().kill().expect("it lives");
        assert_eq!(soon(resized).await.expect("it does not panic"), Ok(()));
        sleep(secs(1)).await;
        assert_eq!(running.pool.stats().workers.wanted, after);
        assert_eq!(workers(&running).await, after);
        soon(busy.expect("they are accepted").join_all()).await;
        running.close().await;
    }
}
