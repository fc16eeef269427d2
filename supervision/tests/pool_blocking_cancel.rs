//! Blocking closures that poll their context: it says so when their outcome is not wanted any more.

use perennial_supervision::Shutdown;
use perennial_supervision::pool::{JobContext, JobError, PoolShutdown};

use crate::support::gate::{pass, polling, start};
use crate::support::pool::{ms, now, soon};

const CANCELLED: fn(&JobContext<'static>) -> bool = |ctx| ctx.is_cancelled();

#[tokio::test(start_paused = true)]
async fn a_closure_is_told_that_its_job_was_cancelled() {
    let (pool, mut told) = polling(1, CANCELLED);
    let (app, pool) = start(pool).await;
    let job = now(pool.submit(7));
    assert_eq!(soon(told.recv()).await, Some(7));
    assert!(job.cancel());
    assert_eq!(soon(told.recv()).await, Some(1));
    soon(pool.drain()).await;
    assert_eq!((pool.stats().running, pool.stats().dropped), (0, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_told_that_its_time_limit_is_over_and_its_job_is_retried_when_it_has_returned() {
    let (pool, mut told) = polling(2, CANCELLED);
    let (app, pool) = start(pool.time_limit(ms(5)).attempts(2)).await;
    let job = now(pool.submit(7));
    for attempt in 1..=2 {
        assert_eq!(soon(told.recv()).await, Some(7));
        pass(6).await;
        assert_eq!(soon(told.recv()).await, Some(attempt));
    }
    assert_eq!(soon(job).await.expect_err("its time is over").failures().len(), 2);
    soon(pool.drain()).await;
    assert_eq!((pool.stats().running, pool.stats().failed), (0, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_returns_at_its_soft_limit_completes_its_job() {
    let (pool, mut told) = polling(1, |ctx| ctx.should_stop() && !ctx.is_cancelled());
    let (app, pool) = start(pool.soft_time_limit(ms(5))).await;
    let job = now(pool.submit(7));
    assert_eq!(soon(told.recv()).await, Some(7));
    pass(6).await;
    assert_eq!(soon(told.recv()).await, Some(1));
    assert_eq!(soon(job).await.expect("it is done"), 7);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_told_that_its_worker_was_killed() {
    let (pool, mut told) = polling(1, CANCELLED);
    let (app, pool) = start(pool.attempts(1)).await;
    let job = now(pool.submit(7));
    assert_eq!(soon(told.recv()).await, Some(7));
    app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    assert_eq!(soon(told.recv()).await, Some(1));
    soon(job).await.expect_err("it has no attempts left");
    soon(pool.drain()).await;
    assert_eq!((pool.stats().running, pool.stats().failed), (0, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_abort_tells_closures_and_reports_none_that_returns_in_time() {
    let (pool, mut told) = polling(2, CANCELLED);
    let (app, pool) = start(pool).await;
    let jobs = [now(pool.submit(7)), now(pool.submit(7))];
    for _ in 0..2 {
        assert_eq!(soon(told.recv()).await, Some(7));
    }
    let report = soon(pool.stop(PoolShutdown::Abort)).await;
    assert_eq!((report.dropped, report.unstopped.len(), pool.stats().running), (2, 0, 0));
    for job in jobs {
        assert!(matches!(soon(job).await, Err(JobError::Dropped(_))));
    }
    assert_eq!((soon(told.recv()).await, soon(told.recv()).await), (Some(1), Some(1)));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_closures_when_it_kills_their_workers_and_waits_for_them() {
    for shutdown in [Shutdown::BrutalKill, Shutdown::Timeout(ms(50))] {
        let (pool, mut told) = polling(1, CANCELLED);
        let (app, pool) = start(pool.shutdown(shutdown)).await;
        let job = now(pool.submit(7));
        assert_eq!(soon(told.recv()).await, Some(7));
        let stopping = tokio::spawn(async move { app.shutdown().await });
        pass(60).await;
        assert_eq!(soon(told.recv()).await, Some(1));
        let report = soon(stopping).await.expect("it does not panic");
        assert!(!report.unstopped.iter().any(|late| late.path.ends_with("/threads")), "{report}");
        assert_eq!((report.dropped_jobs, pool.stats().running), (1, 0), "{report}");
        assert!(matches!(soon(job).await, Err(JobError::Dropped(_))));
    }
}
