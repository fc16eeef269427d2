//! Blocking closures, which cannot be dropped: how many run at once, and how a stop waits for them
//! or reports them.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use perennial_supervision::Shutdown;
use perennial_supervision::pool::{Pool, PoolShutdown};

use crate::support::gate::{Gate, blocked, pass, start};
use crate::support::pool::{ms, now, quiet, secs, soon};

#[tokio::test(start_paused = true)]
async fn no_more_closures_run_at_once_than_there_are_workers_whatever_the_time_limit() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 2).time_limit(ms(5))).await;
    let jobs: Vec<_> = (0..6).map(|job| now(pool.submit(job))).collect();
    opener.have_begun(2).await;
    pass(60).await;
    assert_eq!(
        (gate.running(), gate.begun.load(Ordering::SeqCst)),
        (2, 2),
        "their attempts are over, they are not"
    );
    let stats = pool.stats();
    assert_eq!((stats.running, stats.terminating, stats.queued), (2, 2, 4), "they run until they return");
    drop(opener);
    for (number, job) in (0..).zip(jobs) {
        assert_eq!(job.await.expect("it is done"), number);
    }
    assert!(gate.most.load(Ordering::SeqCst) <= 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_killed_is_followed_by_one_that_waits_for_its_closure() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 1)).await;
    let job = now(pool.submit(7));
    opener.have_begun(1).await;
    for _ in 0..3 {
        let tree = app.tree();
        tree.at(["0"]).expect("it is there").handle.kill().expect("it lives");
        pass(20).await;
        assert_eq!((gate.running(), pool.stats().workers.running), (1, 1));
    }
    assert_eq!((pool.stats().running, pool.stats().queued), (1, 0), "its closure still runs");
    drop(opener);
    assert_eq!(job.await.expect("it is done"), 7);
    assert_eq!(gate.most.load(Ordering::SeqCst), 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_is_cancelled_keeps_its_worker_until_it_returns() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 1)).await;
    let first = now(pool.submit(1));
    opener.have_begun(1).await;
    assert!(first.cancel());
    let second = now(pool.submit(2));
    pass(20).await;
    assert_eq!(gate.begun.load(Ordering::SeqCst), 1);
    drop(opener);
    assert_eq!(second.await.expect("it is done"), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_stop_now_waits_for_closures_that_return_in_time() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 4)).await;
    let jobs: Vec<_> = (0..4).map(|job| now(pool.submit(job))).collect();
    opener.have_begun(4).await;
    let stopping = tokio::spawn({
        let pool = pool.clone();
        async move { pool.stop(PoolShutdown::Abort).await }
    });
    pass(20).await;
    assert!(!stopping.is_finished());
    drop(opener);
    let report = stopping.await.expect("it does not panic");
    assert_eq!((report.dropped, report.unstopped.len(), gate.running()), (4, 0, 0));
    assert!(app.shutdown().await.is_clean());
    drop(jobs);
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_a_shutdown_report_closures_that_still_run() {
    let (gate, mut opener) = Gate::new();
    let pool = blocked(&gate, 2).shutdown(Shutdown::Timeout(ms(50)));
    let (app, pool) = start(pool).await;
    let jobs: Vec<_> = (0..2).map(|job| now(pool.submit(job))).collect();
    let ids: Vec<_> = jobs.iter().map(|job| job.id()).collect();
    opener.have_begun(2).await;
    let stopping = tokio::spawn(async move { pool.stop(PoolShutdown::Abort).await });
    pass(60).await;
    let report = stopping.await.expect("it does not panic");
    assert_eq!((report.dropped, report.unstopped, gate.running()), (2, ids, 2));
    let stopping = tokio::spawn(async move { app.shutdown().await });
    pass(60).await;
    let report = stopping.await.expect("it does not panic");
    let late: Vec<&str> = report.unstopped.iter().map(|late| &*late.path).collect();
    assert_eq!((late, gate.running()), (vec!["blockers/threads"], 2));
    drop((opener, jobs));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_closures_within_the_time_of_their_workers() {
    let (gate, mut opener) = Gate::new();
    let (app, pool) = start(blocked(&gate, 2).time_limit(ms(5)).attempts(1)).await;
    let jobs: Vec<_> = (0..2).map(|job| now(pool.submit(job))).collect();
    opener.have_begun(2).await;
    pass(10).await;
    for job in jobs {
        job.await.expect_err("its time is over");
    }
    let stopping = tokio::spawn(async move { app.shutdown().await });
    pass(20).await;
    assert!(!stopping.is_finished());
    drop(opener);
    assert!(stopping.await.expect("it does not panic").is_clean());
    assert_eq!(gate.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pool_of_closures_stops_at_once_when_none_runs() {
    for shutdown in [Shutdown::BrutalKill, Shutdown::Timeout(Duration::ZERO), Shutdown::Infinity] {
        let (app, pool) = start(Pool::from_blocking_fn("blockers", 3, Ok).shutdown(shutdown)).await;
        assert_eq!(now(pool.submit(1)).await.expect("it is done"), 1);
        quiet().await;
        let began = tokio::time::Instant::now();
        assert_eq!(pool.stop(PoolShutdown::Abort).await.unstopped, []);
        let report = app.shutdown().await;
        assert!(report.is_clean() || shutdown == Shutdown::Timeout(Duration::ZERO), "{report:?}");
        assert!(began.elapsed() < secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_resize_waits_for_the_closure_of_a_cancelled_job_as_long_as_a_shutdown_may_take() {
    for returns in [true, false] {
        let (gate, mut opener) = Gate::new();
        let (app, pool) = start(blocked(&gate, 1).shutdown(Shutdown::Timeout(ms(50)))).await;
        let job = now(pool.submit(7));
        opener.have_begun(1).await;
        assert!(job.cancel());
        pass(2).await;
        let resizing = tokio::spawn({
            let pool = pool.clone();
            async move { pool.resize(0).await }
        });
        pass(40).await;
        assert!(!resizing.is_finished());
        if returns {
            drop(opener);
            assert_eq!(soon(resizing).await.expect("it does not panic"), Ok(()));
            assert_eq!(gate.running(), 0);
        } else {
            pass(20).await;
            assert!(resizing.is_finished());
            assert_eq!(gate.running(), 1);
            drop(opener);
        }
        let _ = app.shutdown().await;
    }
}

#[test]
fn a_job_that_is_cancelled_before_there_is_a_thread_for_it_is_not_called() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).enable_time().start_paused(true).build();
    runtime.expect("there are threads").block_on(async {
        let (gate, opener) = Gate::new();
        let (app, pool) = start(blocked(&gate, 1)).await;
        let (go, until) = mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || until.recv().is_err());
        let job = now(pool.submit(7));
        pass(1).await;
        assert!(job.cancel());
        pass(1).await;
        drop(go);
        assert!(busy.await.expect("it does not panic"));
        // A call would return from now on.
        drop(opener);
        soon(pool.drain()).await;
        assert_eq!(gate.begun.load(Ordering::SeqCst), 0);
        assert_eq!(soon(now(pool.submit(8))).await, Ok(8), "its thread is free");
        assert!(app.shutdown().await.is_clean());
    });
}
