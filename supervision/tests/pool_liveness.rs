//! Workers that hang: at an await, or without one, which only other threads can detect.

use std::sync::{Mutex, mpsc};

use perennial_actors::System;
use perennial_supervision::Shutdown;
use perennial_supervision::pool::{JobError, PoolShutdown};
use tokio::time::Instant;

use crate::support::pool;
use crate::support::pool::{
    Running, ScriptedPool, Step, job, long, ms, now, outcome_of, quick, quiet, scripted_pool, secs, start,
};
use crate::support::reports::Reports;
use crate::support::threads::on_threads;

/// A job that blocks its thread in its first attempt until it is released.
fn blocking(number: u64) -> (pool::Job, mpsc::Sender<()>) {
    let (go, gate) = mpsc::channel();
    (job(number, [Step::Block(Mutex::new(gate)), Step::Do]), go)
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_exceeds_its_deadline_is_replaced_and_its_job_retried() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.handler_deadline(secs(1)), journal)).await;
    let mut reports = Reports::of(&running.system);
    let (begun, stuck) = (Instant::now(), running.submit(job(1, [Step::Hang, Step::Do])));
    assert_eq!(outcome_of(stuck).await, "done 1");
    // The worker also had five seconds to stop.
    assert_eq!(begun.elapsed().as_secs(), 6);
    assert!(reports.until("pool/0: killed").await.contains(&"pool/0: unresponsive: handler".to_owned()));
    let incarnations: Vec<u32> = running.journal.take().iter().map(|begun| begun.incarnation).collect();
    assert_eq!(incarnations, [1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_busy_with_many_short_jobs_is_not_considered_hung() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.handler_deadline(secs(1)), journal)).await;
    for number in 0..50 {
        drop(running.submit(long(number, ms(900))));
    }
    running.drained().await;
    assert_eq!(running.pool.stats().retried, 0);
    assert!(running.journal.take().iter().all(|begun| begun.incarnation == 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_hangs_every_worker_is_dead_after_its_attempts() {
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.handler_deadline(secs(1)), journal)).await;
    let stuck = running.submit(job(1, [Step::Hang]));
    let once = now(running.pool.submit(job(2, [Step::Hang])).at_most_once());
    assert_eq!(
        (outcome_of(once).await, outcome_of(stuck).await),
        ("handler deadline".to_owned(), ["handler deadline"; 3].join(", "))
    );
    assert_eq!(running.pool.drain_dead_jobs().len(), 2);
    running.close().await;
}

/// Starts a pool whose workers are abandoned 50 ms after a kill. They have no deadline.
async fn with_short_abandonment((pool, journal): (ScriptedPool, pool::Journal)) -> Running {
    let pool = pool.shutdown(Shutdown::Timeout(ms(10))).abandon_after(ms(50));
    let (system, handle) = (System::new(), pool.handle());
    let app = pool.start(&system).await.expect("it starts");
    Running { system, app, pool: handle, journal }
}

/// Starts such a pool with a deadline of 200 ms.
async fn with_deadline((pool, journal): (ScriptedPool, pool::Journal)) -> Running {
    with_short_abandonment((pool.handler_deadline(ms(200)), journal)).await
}

#[test]
fn a_worker_that_never_awaits_is_abandoned_and_its_late_result_ignored() {
    on_threads(3, async {
        let running = with_deadline(scripted_pool(1)).await;
        let (stuck, go) = blocking(1);
        let stuck = running.submit(stuck);
        assert!(matches!(stuck.await, Ok(1)), "the next incarnation does it");
        // Now the first worker continues too, and ends.
        assert_eq!(running.journal.writers(), 2);
        drop(go);
        while running.journal.writers() > 1 {
            tokio::task::yield_now().await;
        }
        let after = running.submit(quick(2));
        assert!(matches!(after.await, Ok(2)));
        let stats = running.pool.stats();
        assert_eq!((stats.submitted, stats.completed, stats.retried, stats.running), (2, 2, 1, 0));
        drop(running.app);
    });
}

#[test]
fn an_abort_does_not_wait_for_workers_that_never_await() {
    on_threads(4, async {
        // No deadline, so that both workers are in their first attempt at the same time, however
        // long they take to get there.
        let running = with_short_abandonment(scripted_pool(2)).await;
        let (first, _go) = blocking(1);
        let (second, _go_too) = blocking(2);
        let stuck = [running.submit(first), running.submit(second)];
        while running.pool.stats().running < 2 {
            tokio::task::yield_now().await;
        }
        let waiting = running.submit(quick(3));
        let report = running.pool.stop(PoolShutdown::Abort).await;
        assert_eq!((report.completed, report.dropped), (0, 3));
        for job_handle in stuck.into_iter().chain([waiting]) {
            assert!(matches!(job_handle.await, Err(JobError::Dropped(_))));
        }
        assert_eq!(running.pool.stats().running, 0);
    });
}

#[test]
fn an_abort_ends_the_job_of_a_worker_that_never_awaits_at_once() {
    on_threads(3, async {
        let (system, (pool, _)) = (System::new(), scripted_pool(1));
        let handle = pool.handle();
        let _app = pool.start(&system).await.expect("it starts");
        let (stuck, go) = blocking(1);
        let stuck = now(handle.submit(stuck));
        while handle.stats().running < 1 {
            tokio::task::yield_now().await;
        }
        let stopping = tokio::spawn({
            let handle = handle.clone();
            async move { handle.stop(PoolShutdown::Abort).await }
        });
        assert!(matches!(stuck.await, Err(JobError::Dropped(_))), "its worker is still at it");
        assert_eq!(handle.stats().running, 1);
        drop(go);
        let report = stopping.await.expect("it does not panic");
        assert_eq!((report.completed, report.dropped), (0, 1), "what it makes of it is of no use any more");
    });
}

#[test]
fn an_at_most_once_job_that_blocks_starts_once_and_is_dead() {
    on_threads(3, async {
        let running = with_deadline(scripted_pool(1)).await;
        let (stuck, go) = blocking(1);
        let once = now(running.pool.submit(stuck).at_most_once());
        assert!(matches!(once.await, Err(JobError::Failed(failures)) if failures.len() == 1));
        drop(go);
        running.drained().await;
        assert_eq!((running.journal.jobs(), running.pool.drain_dead_jobs().len()), (vec![1], 1));
    });
}

#[tokio::test(start_paused = true)]
async fn queued_jobs_do_not_make_a_worker_count_as_hung() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.handler_deadline(secs(1)), journal)).await;
    running.pool.pause();
    let waiting = running.submit(quick(1));
    tokio::time::sleep(secs(60)).await;
    running.pool.resume();
    assert_eq!(outcome_of(waiting).await, "done 1");
    quiet().await;
    assert_eq!(running.journal.take()[0].incarnation, 1);
    running.close().await;
}
