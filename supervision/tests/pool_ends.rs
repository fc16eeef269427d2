//! The end of a pool when its last handle is dropped: its jobs are finished, all of it ends, and
//! the end can be awaited without a handle.

use std::convert::Infallible;
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{Pool, PoolShutdown};
use perennial_supervision::{Restart, Supervisor};
use tokio::time::{Instant, timeout};

use crate::support::pool::{long, ms, now, outcome_of, quick, quiet, scripted_pool, secs, soon, started};

#[tokio::test(start_paused = true)]
async fn a_root_ends_after_the_jobs_and_its_app_and_its_end_resolve() {
    for size in [(3, 3), (0, 3), (1, 3)] {
        let pool = if size.0 == size.1 { scripted_pool(size.0).0 } else { scripted_pool(size.0..=size.1).0 };
        let pool = pool.close_on_last_handle();
        let (handle, ended, system) = (pool.handle(), pool.ended(), System::new());
        let app = pool.start(&system).await.expect("it starts");
        let jobs: Vec<_> = (0..6).map(|number| now(handle.submit(long(number, secs(2))))).collect();
        let (weak, monitor) = (handle.downgrade(), handle.monitor());
        let other = handle.clone();
        drop(handle);
        quiet().await;
        assert!(weak.upgrade().expect("it is there").submit(quick(9)).try_submit().is_ok());
        drop(other);
        assert!(timeout(secs(3), weak.ended()).await.is_err(), "jobs run");
        soon(ended).await;
        soon(weak.ended()).await;
        for job_handle in jobs {
            assert!(outcome_of(job_handle).await.starts_with("done"), "{size:?}");
        }
        assert!(matches!(soon(app.join()).await, ExitReason::Shutdown(_)));
        assert!(matches!(soon(monitor).await.reason, ExitReason::Shutdown(_)));
        assert!(system.counters().is_balanced());
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_ends_and_its_siblings_stay() {
    let pool = scripted_pool(2).0.close_on_last_handle();
    let (handle, ended) = (pool.handle(), pool.ended());
    let sibling = Pool::from_fn("sibling", 1, |n: &u64| std::future::ready(Ok::<u64, Infallible>(*n)));
    let tree = Supervisor::new("root").intensity(0, secs(60)).child(pool).child(sibling);
    let app = tree.start(&System::new()).await.expect("it starts");
    let job = now(handle.submit(long(1, secs(3))));
    let begun = Instant::now();
    drop(handle);
    soon(ended).await;
    assert_eq!((begun.elapsed(), outcome_of(job).await), (secs(3), "done 1".to_owned()));
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_handles_are_dropped_before_the_start_finishes_its_jobs_and_ends() {
    let pool = scripted_pool(1).0.close_on_last_handle();
    let (handle, ended) = (pool.handle(), pool.ended());
    let job = now(handle.submit(long(1, secs(3))));
    drop(handle);
    let app = pool.start(&System::new()).await.expect("it starts");
    soon(ended).await;
    assert_eq!(outcome_of(job).await, "done 1");
    soon(app.join()).await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_restarts_as_its_last_handle_is_dropped_ends_after_its_jobs() {
    for wait in [ms(0), secs(1)] {
        let pool = scripted_pool(2).0.close_on_last_handle();
        let (handle, ended) = (pool.handle(), pool.ended());
        let tree = Supervisor::new("root").intensity(5, secs(60)).child(pool);
        let app = tree.start(&System::new()).await.expect("it starts");
        let jobs: Vec<_> = (0..6).map(|number| now(handle.submit(long(number, secs(3))))).collect();
        quiet().await;
        let supervisor = handle.supervisor().clone();
        if wait.is_zero() {
            supervisor.handle().kill().expect("it lives");
        }
        drop(handle);
        tokio::time::sleep(wait).await;
        if !wait.is_zero() {
            supervisor.handle().kill().expect("it lives");
        }
        soon(ended).await;
        for job_handle in jobs {
            assert!(outcome_of(job_handle).await.starts_with("done"));
        }
        assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 0);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_no_end() {
    let (pool, _) = scripted_pool(1);
    let (handle, ended) = (pool.handle(), pool.ended());
    let tree = Supervisor::new("root").intensity(5, secs(60)).child(pool);
    let app = tree.start(&System::new()).await.expect("it starts");
    let ended = tokio::spawn(ended);
    handle.supervisor().handle().kill().expect("it lives");
    tokio::time::sleep(secs(9)).await;
    assert!(!ended.is_finished() && handle.stats().workers.running == 1);
    app.supervisor().terminate_child("pool").await.expect("it is there");
    soon(ended).await.expect("it does not panic");
    app.supervisor().restart_child("pool").await.expect("it starts");
    assert!(timeout(secs(9), handle.downgrade().ended()).await.is_err(), "it runs again");
    assert!(app.shutdown().await.is_clean());
    soon(handle.downgrade().ended()).await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_never_starts_has_ended_once_it_is_dropped() {
    let (pool, _) = scripted_pool(1);
    let (ended, weak) = (pool.ended(), pool.handle().downgrade());
    assert!(timeout(secs(9), weak.ended()).await.is_err());
    drop(pool);
    soon(ended).await;
    soon(weak.ended()).await;
    let pool = scripted_pool(1).0.capacity(0);
    let ended = pool.ended();
    pool.start(&System::new()).await.expect_err("it has no room");
    soon(ended).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_end_future_has_no_effect() {
    let running = started(2).await;
    for _ in 0..100 {
        assert!(timeout(ms(1), running.pool.downgrade().ended()).await.is_err());
    }
    assert_eq!(outcome_of(running.submit(quick(1))).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_elastic_pool_without_workers_finishes_its_jobs_before_it_stops() {
    let running = started(0..=2).await;
    let jobs: Vec<_> = (0..4).map(|number| running.submit(long(number, secs(1)))).collect();
    let report = soon(running.pool.stop(PoolShutdown::Drain)).await;
    assert_eq!((report.completed, report.dropped), (4, 0));
    drop(jobs);
    running.close().await;
}

#[test]
fn a_blocking_pool_ends_after_its_calls() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("it starts").block_on(async {
        let pool = Pool::from_blocking_fn("calls", 2, |n: u64| {
            std::thread::yield_now();
            Ok::<u64, Infallible>(n)
        });
        let pool = pool.close_on_last_handle().restart(Restart::Temporary);
        let (handle, ended) = (pool.handle(), pool.ended());
        let app = Supervisor::new("root").child(pool).start(&System::new()).await.expect("it starts");
        let batch = handle.submit_many(0..100).await.expect("there is room");
        drop(handle);
        timeout(Duration::from_secs(60), ended).await.expect("it ends");
        assert!(batch.join_all().await.iter().all(Result::is_ok));
        assert!(app.shutdown().await.is_clean());
    });
}
