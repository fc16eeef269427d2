//! The end of a pool: a stop in one of three modes, its last handle, or its tree.

use std::thread;

use perennial_actors::System;
use perennial_supervision::pool::{PoolShutdown, SubmitError};
use perennial_supervision::{Backoff, Shutdown};
use tokio::time::{Instant, sleep};

use crate::support::pool::{
    Running, ScriptedJob, ScriptedPoolHandle, Step, assert_accounts, job, long, ms, now, outcome_of, pends,
    quick, quiet, scripted_pool, secs, soon, start, started,
};

/// Starts a pool of two workers that run jobs 1 and 2 for three seconds. Job 3 is queued, 4 is
/// delayed, and 5 waits for its retry.
async fn at_work() -> (Running, Vec<ScriptedJob>) {
    let running = started(2).await;
    let ill = job(5, [Step::Fail, Step::Do]);
    let ill = now(running.pool.submit(ill).backoff(Backoff::new(secs(9), secs(9))));
    quiet().await;
    let busy = [1, 2].map(|number| running.submit(long(number, secs(3))));
    quiet().await;
    let waiting = [running.submit(quick(3)), now(running.pool.submit(quick(4)).delay(secs(6)))];
    (running, busy.into_iter().chain(waiting).chain([ill]).collect())
}

async fn outcomes_of(job_handles: Vec<ScriptedJob>) -> Vec<String> {
    let mut outcomes_of = Vec::new();
    for job_handle in job_handles {
        outcomes_of.push(outcome_of(job_handle).await);
    }
    outcomes_of
}

async fn assert_closed(running: &Running) {
    assert_eq!(running.active().await, 0);
    let refused = running.pool.submit(quick(9)).try_submit().expect_err("it is closed");
    assert_eq!(format!("{refused:?}: {refused}"), "Closed(..): the pool accepts no more jobs");
    assert!(matches!(running.pool.submit(quick(9)).await, Err(SubmitError::Closed(job)) if job.number == 9));
    assert!(running.pool.submit(quick(9)).detach().await.is_err());
    assert!(running.pool.submit_many([quick(9)]).await.is_err());
    assert_accounts(&running.pool.stats());
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_all_jobs() {
    let (running, job_handles) = at_work().await;
    let before = Instant::now();
    let report = running.pool.stop(PoolShutdown::Drain).await;
    assert_eq!(before.elapsed().as_secs(), 8, "until the last was tried again");
    assert_eq!((report.completed, report.requeued, report.dropped, report.failed), (5, 0, 0, 0));
    assert_eq!(outcomes_of(job_handles).await, ["done 1", "done 2", "done 3", "done 4", "done 5"]);
    assert_closed(&running).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn finish_in_flight_drops_queued_jobs() {
    let (running, job_handles) = at_work().await;
    let before = Instant::now();
    let report = running.pool.stop(PoolShutdown::FinishInFlight).await;
    assert_eq!(before.elapsed().as_millis() / 10, 299);
    assert_eq!((report.completed, report.requeued, report.dropped, report.failed), (2, 0, 3, 0));
    assert_eq!(
        outcomes_of(job_handles).await,
        ["done 1", "done 2", "dropped", "dropped", "dropped after no luck"]
    );
    assert_closed(&running).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn abort_drops_every_job() {
    let (running, job_handles) = at_work().await;
    let before = Instant::now();
    let report = running.pool.stop(PoolShutdown::Abort).await;
    assert_eq!(before.elapsed(), ms(0));
    assert_eq!((report.completed, report.requeued, report.dropped, report.failed), (0, 0, 5, 0));
    assert_eq!(
        outcomes_of(job_handles).await,
        ["dropped", "dropped", "dropped", "dropped", "dropped after no luck"]
    );
    assert_closed(&running).await;
    assert_eq!(running.journal.jobs(), [5, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_report_counts_only_what_happens_during_the_stop() {
    for how in [PoolShutdown::Drain, PoolShutdown::FinishInFlight] {
        let running = started(2).await;
        assert_eq!(outcome_of(running.submit(job(0, [Step::Fail, Step::Do]))).await, "done 0");
        let again = running.submit(job(1, [Step::FailAfter(secs(1)), Step::Take(secs(1))]));
        let dead = running.submit(job(2, [Step::FailAfter(secs(1))]));
        quiet().await;
        let report = running.pool.stop(how).await;
        assert_eq!(
            (report.completed, report.requeued, report.dropped, report.failed),
            (1, 3, 0, 1),
            "{how:?}"
        );
        assert_eq!(outcome_of(again).await, "done 1");
        assert_eq!(outcome_of(dead).await, "no luck, no luck, no luck");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_rejects_new_and_waiting_submissions_at_once() {
    for how in [PoolShutdown::Drain, PoolShutdown::FinishInFlight, PoolShutdown::Abort] {
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.capacity(1), journal)).await;
        let busy = running.submit(long(1, secs(3)));
        quiet().await;
        let _waiting = running.submit(quick(2));
        let submission = running.pool.submit(quick(3));
        let line = tokio::spawn(async move { submission.await });
        quiet().await;
        let pool = running.pool.clone();
        let stopping = tokio::spawn(async move { pool.stop(how).await });
        quiet().await;
        assert!(line.is_finished(), "{how:?}: it resolves at once");
        assert!(
            matches!(line.await.expect("it does not panic"), Err(SubmitError::Closed(job)) if job.number == 3)
        );
        assert!(running.pool.submit(quick(4)).try_submit().is_err());
        soon(stopping).await.expect("it does not panic");
        assert_eq!(outcome_of(busy).await, if how == PoolShutdown::Abort { "dropped" } else { "done 1" });
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_pool_resumes_to_drain() {
    let running = started(1).await;
    running.pool.pause();
    let waiting = running.submit(quick(1));
    assert_eq!(soon(running.pool.stop(PoolShutdown::Drain)).await.completed, 1);
    assert_eq!(outcome_of(waiting).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stop_continues_and_only_a_harder_one_may_follow() {
    let (running, job_handles) = at_work().await;
    assert!(tokio::time::timeout(ms(10), running.pool.stop(PoolShutdown::Drain)).await.is_err());
    assert!(running.pool.submit(quick(9)).try_submit().is_err());
    let report = running.pool.stop(PoolShutdown::FinishInFlight).await;
    assert_eq!((report.completed, report.dropped), (2, 3));
    assert_eq!(running.pool.stop(PoolShutdown::Drain).await, Default::default(), "there is nothing left");
    assert_eq!(outcomes_of(job_handles).await[..2], ["done 1", "done 2"]);
    assert_closed(&running).await;
    running.close().await;
    let (running, job_handles) = at_work().await;
    let (soft, hard) = (running.pool.clone(), running.pool.clone());
    let soft = tokio::spawn(async move { soft.stop(PoolShutdown::Drain).await });
    quiet().await;
    let hard = tokio::spawn(async move { hard.stop(PoolShutdown::Abort).await });
    assert_eq!(soon(hard).await.expect("it does not panic").dropped, 5);
    assert_eq!(soon(soft).await.expect("it does not panic").dropped, 5);
    assert_eq!(
        outcomes_of(job_handles).await,
        ["dropped", "dropped", "dropped", "dropped", "dropped after no luck"]
    );
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn workers_of_a_stopped_pool_cannot_be_restarted() {
    let running = started(2).await;
    running.pool.stop(PoolShutdown::Abort).await;
    let supervisor = running.pool.supervisor();
    for slot in ["0", "1"] {
        let _ = supervisor.restart_child(slot).await;
    }
    assert_closed(&running).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn workers_that_are_brutally_killed_are_not_waited_for() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.shutdown(Shutdown::BrutalKill), journal)).await;
    let busy = running.submit(job(1, [Step::Take(secs(60)), Step::Do]));
    quiet().await;
    let before = Instant::now();
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!(before.elapsed(), ms(0));
    assert_eq!(outcome_of(busy).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_tree_shutdown_finishes_running_jobs_and_drops_queued_ones() {
    let (running, job_handles) = at_work().await;
    let pool = running.pool.clone();
    let submission = pool.submit(quick(6));
    let report = running.app.shutdown().await;
    assert_eq!((report.dropped_jobs, report.unstopped.len(), report.is_clean()), (2, 0, false), "{report}");
    // The workers are stopped one after the other, and each runs until its stop.
    assert_eq!(
        outcomes_of(job_handles).await,
        ["done 1", "done 2", "done 3", "dropped", "dropped after no luck"]
    );
    assert!(matches!(submission.await, Err(SubmitError::Closed(_))));
    assert_accounts(&pool.stats());
    pool.drain().await;
    assert_eq!(pool.stop(PoolShutdown::Drain).await, Default::default());
}

/// Returns the handle of a pool with one worker and `close_on_last_handle`, and the running pool.
async fn ending_with_its_handles() -> (ScriptedPoolHandle, Running) {
    let (pool, journal) = scripted_pool(1);
    let pool = pool.close_on_last_handle();
    let (handle, unbound) = (pool.handle(), scripted_pool(1).0.handle());
    let system = System::new();
    let app = pool.start(&system).await.expect("it starts");
    quiet().await;
    (handle, Running { system, app, pool: unbound, journal })
}

#[tokio::test(start_paused = true)]
async fn a_pool_closed_by_its_last_handle_finishes_its_jobs() {
    let (handle, running) = ending_with_its_handles().await;
    let job_handles = vec![now(handle.submit(long(1, secs(1)))), now(handle.submit(quick(2)))];
    let clone = handle.clone();
    drop(handle);
    sleep(secs(60)).await;
    assert_eq!(running.active().await, 1, "there is another handle");
    job_handles.into_iter().for_each(drop);
    let last = now(clone.submit(long(3, secs(1))));
    drop(clone);
    quiet().await;
    assert_eq!(running.active().await, 1, "it finishes");
    assert_eq!(outcome_of(last).await, "done 3");
    soon(running.app.join()).await;
    assert!(running.app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_may_be_dropped_on_any_thread_and_before_the_pool_is_started() {
    let (handle, running) = ending_with_its_handles().await;
    thread::spawn(move || drop(handle)).join().expect("it does not panic");
    soon(running.app.join()).await;
    assert!(running.app.shutdown().await.is_clean());
    let (pool, _) = scripted_pool(1);
    let pool = pool.close_on_last_handle();
    let early = now(pool.handle().submit(quick(1)));
    let (unowned, _) = scripted_pool(1);
    let app = pool.start(&System::new()).await.expect("it starts");
    assert_eq!(outcome_of(early).await, "done 1");
    soon(app.join()).await;
    assert!(app.shutdown().await.is_clean());
    drop(unowned);
}

#[tokio::test(start_paused = true)]
async fn a_pool_outlives_its_handles_by_default() {
    let running = started(1).await;
    let Running { system: _system, app, pool, journal } = running;
    let mut slow = now(pool.submit(long(1, secs(1))));
    drop(pool);
    assert!(pends(&mut slow).await);
    assert_eq!(outcome_of(slow).await, "done 1");
    sleep(secs(9)).await;
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 2);
    assert_eq!(journal.jobs(), [1]);
    assert!(app.shutdown().await.is_clean());
}
