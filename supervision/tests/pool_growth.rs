//! A pool of a fixed size grows past its first size, and what was added is like the rest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{Pool, PoolError, PoolShutdown, Routing};
use perennial_supervision::{ChildError, Restart, Shutdown, Supervisor};
use tokio::time::{Instant, sleep};

use crate::support::pool::{
    Running, Step, job, long, ms, now, outcome_of, quick, quiet, scripted_pool, scripted_pool_starting_if,
    secs, soon, start, started,
};

/// Returns the slots that have started a job since the last call.
fn slots(running: &Running) -> BTreeSet<usize> {
    running.journal.take().iter().map(|begun| begun.slot).collect()
}

/// Checks that as many workers run as these, and that each of them runs a job at once.
async fn runs(running: &Running, workers: usize) {
    assert_eq!((running.active().await, running.pool.stats().workers.running), (workers, workers));
    let begun = Instant::now();
    let jobs: Vec<_> = (0..workers).map(|number| running.submit(long(number as u64, secs(1)))).collect();
    for job_handle in jobs {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    let time = secs(u64::from(workers > 0));
    assert_eq!((begun.elapsed(), slots(running)), (time, (0..workers).collect()));
}

#[tokio::test(start_paused = true)]
async fn a_fixed_pool_grows_past_its_first_size_and_shrinks_again() {
    for first in [0, 1, 3] {
        let running = started(first).await;
        for size in [4, 2, 9, 0, 40, 41] {
            running.pool.resize(size).await.expect("it goes well");
            runs(&running, size).await;
        }
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_added_is_used_again() {
    let running = started(1).await;
    for size in [5, 1, 5, 2, 5] {
        running.pool.resize(size).await.expect("it goes well");
        let counts = running.app.supervisor().count_children().await.expect("it lives");
        assert_eq!((counts.specs, counts.active), (6, size + 1), "five workers and the manager");
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn queued_jobs_run_on_the_added_workers() {
    let running = started(1).await;
    let begun = Instant::now();
    let jobs: Vec<_> = (0..20).map(|number| running.submit(long(number, secs(1)))).collect();
    quiet().await;
    running.pool.resize(10).await.expect("it goes well");
    for job_handle in jobs {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert!(begun.elapsed() < secs(3), "{:?}", begun.elapsed());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_are_routed_to_added_workers_and_keys_map_to_them() {
    for routing in [Routing::RoundRobin, Routing::LeastQueued] {
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.routing(routing), journal)).await;
        running.pool.resize(4).await.expect("it goes well");
        let jobs: Vec<_> = (0..8).map(|number| running.submit(long(number, secs(1)))).collect();
        running.drained().await;
        let mut begun: Vec<_> = running.journal.take().iter().map(|begun| begun.slot).collect();
        begun.sort_unstable();
        assert_eq!(begun, [0, 0, 1, 1, 2, 2, 3, 3], "{routing:?}");
        let keyed: Vec<_> = (0..100).map(|key| now(running.pool.submit(quick(key)).key(&key))).collect();
        running.drained().await;
        assert_eq!(slots(&running), (0..4).collect());
        drop((jobs, keyed));
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn added_workers_have_the_settings_of_the_pool() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.attempts(1).handler_deadline(secs(1)), journal)).await;
    running.pool.resize(3).await.expect("it goes well");
    let hanging: Vec<_> = (0..3).map(|number| running.submit(job(number, [Step::Hang]))).collect();
    for job_handle in hanging {
        assert_eq!(outcome_of(job_handle).await, "handler deadline");
    }
    quiet().await;
    running.kill(2).await;
    runs(&running, 3).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn added_workers_come_back_when_the_supervisor_of_the_pool_restarts() {
    let (pool, journal) = scripted_pool(1);
    let handle = pool.handle();
    let tree = Supervisor::new("root").intensity(10, secs(60)).child(pool);
    let app = tree.start(&System::new()).await.expect("it starts");
    handle.resize(5).await.expect("it goes well");
    handle.resize(4).await.expect("it goes well");
    for restart in 0..3 {
        handle.supervisor().handle().kill().expect("it lives");
        quiet().await;
        assert_eq!(handle.stats().workers.running, 4, "restart {restart}");
        let jobs: Vec<_> = (0..4).map(|number| now(handle.submit(long(number, secs(1))))).collect();
        soon(handle.drain()).await;
        drop(jobs);
        let slots: BTreeSet<_> = journal.take().iter().map(|begun| begun.slot).collect();
        assert_eq!(slots, (0..4).collect());
    }
    handle.resize(6).await.expect("it goes well");
    assert_eq!(handle.stats().workers.running, 6);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_drain_uses_the_added_workers_to_the_end() {
    for first in [0, 1] {
        let (pool, journal) = scripted_pool(first);
        let running = start((pool.shutdown(Shutdown::Drain(secs(60))), journal)).await;
        running.pool.resize(4).await.expect("it goes well");
        let jobs: Vec<_> = (0..40).map(|number| running.submit(long(number, secs(1)))).collect();
        let begun = Instant::now();
        let report = running.app.shutdown().await;
        assert!(report.is_clean(), "{report}");
        assert_eq!((begun.elapsed(), running.pool.stats().completed), (secs(10), 40));
        drop(jobs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_added_workers_too() {
    for how in [PoolShutdown::Drain, PoolShutdown::FinishInFlight, PoolShutdown::Abort] {
        let running = started(1).await;
        running.pool.resize(4).await.expect("it goes well");
        let jobs: Vec<_> = (0..4).map(|number| running.submit(long(number, secs(1)))).collect();
        quiet().await;
        let report = running.pool.stop(how).await;
        let finished = if how == PoolShutdown::Abort { 0 } else { 4 };
        assert_eq!((report.completed, report.dropped), (finished, 4 - finished));
        assert_eq!((running.active().await, running.pool.stats().workers.running), (0, 0));
        drop(jobs);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_worker_that_does_not_start_limits_the_growth() {
    let fails = Arc::new(AtomicBool::new(true));
    let shared_fails = fails.clone();
    let running =
        start(scripted_pool_starting_if(1, move |at| at.slot != 3 || !shared_fails.load(Ordering::Relaxed)))
            .await;
    for _ in 0..3 {
        let error = running.pool.resize(6).await.expect_err("one fails");
        let PoolError::Worker { slot: 3, error: ChildError::StartFailed(ExitReason::Failed(_)) } = error
        else {
            panic!("{error:?}");
        };
        sleep(secs(60)).await;
        runs(&running, 3).await;
    }
    fails.store(false, Ordering::Relaxed);
    running.pool.resize(6).await.expect("it goes well");
    runs(&running, 6).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_job_is_lost_as_a_pool_grows_under_load() {
    let running = started(1).await;
    let pool = running.pool.clone();
    let submitting = tokio::spawn(async move {
        let jobs = (0..2000).map(|number| long(number, ms(number % 11)));
        pool.submit_many(jobs).await.expect("they are accepted").join_all().await
    });
    for size in [3, 2, 7, 5, 12, 1, 20, 8] {
        sleep(ms(30)).await;
        running.pool.resize(size).await.expect("it goes well");
    }
    let results = soon(submitting).await.expect("it does not panic");
    let results: Vec<_> = results.into_iter().map(|result| result.expect("it is done")).collect();
    assert_eq!(results, (0..2000).collect::<Vec<_>>());
    assert_eq!(running.journal.jobs().len(), 2000);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_growth_whose_future_is_dropped_continues() {
    let running = started(1).await;
    assert!(tokio::time::timeout(ms(0), running.pool.resize(50)).await.is_err());
    quiet().await;
    runs(&running, 50).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_part_of_no_tree_cannot_grow() {
    let (pool, _) = scripted_pool(1);
    let handle = pool.handle();
    assert_eq!(handle.resize(2).await, Err(PoolError::Stopped));
    drop(pool);
    assert_eq!(handle.resize(2).await, Err(PoolError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_growth_fails_when_the_pool_has_no_incarnation() {
    let (pool, _) = scripted_pool(1);
    let handle = pool.handle();
    let tree = Supervisor::new("root").child(pool.restart(Restart::Temporary));
    let app = tree.start(&System::new()).await.expect("it starts");
    handle.supervisor().handle().kill().expect("it lives");
    quiet().await;
    assert!(soon(handle.resize(3)).await.is_err());
    assert!(app.shutdown().await.is_clean());
}

#[test]
fn added_blocking_workers_run_calls_at_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("it starts").block_on(async {
        // Each call waits for all others.
        let (barrier, most) = (Arc::new(std::sync::Barrier::new(4)), Arc::new(AtomicUsize::new(0)));
        let seen = most.clone();
        let pool = Pool::from_blocking_fn("calls", 1, move |n: u64| {
            barrier.wait();
            seen.fetch_add(1, Ordering::Relaxed);
            Ok::<u64, ExitReason>(n)
        });
        let handle = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        handle.resize(4).await.expect("it goes well");
        let results = handle.submit_many(0..8).await.expect("there is room").join_all().await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::Relaxed), 8);
        let report = handle.stop(PoolShutdown::Drain).await;
        assert_eq!(report.unstopped, []);
        assert!(app.shutdown().await.is_clean());
    });
}
