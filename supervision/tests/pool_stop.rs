//! How a pool ends: by being stopped in one of three ways, with its handles, or with its tree.

#[path = "support/pool.rs"]
mod support;

use std::thread;

use perennial_actors::System;
use perennial_supervision::pool::{PoolShutdown, SubmitError};
use perennial_supervision::{Backoff, Shutdown};
use support::{
    Deed, HandsHandle, Promise, Running, assert_accounts, fate, hands, job, long, ms, now, pends, quick,
    quiet, secs, soon, start, started,
};
use tokio::time::{Instant, sleep};

/// A pool of two who are at jobs 1 and 2 for three seconds, with 3 waiting, 4 delayed, 5 waiting to be tried again.
async fn at_work() -> (Running, Vec<Promise>) {
    let running = started(2).await;
    let ill = job(5, [Deed::Fail, Deed::Do]);
    let ill = now(running.pool.submit(ill).backoff(Backoff::new(secs(9), secs(9))));
    quiet().await;
    let busy = [1, 2].map(|number| running.submit(long(number, secs(3))));
    quiet().await;
    let waiting = [running.submit(quick(3)), now(running.pool.submit(quick(4)).delay(secs(6)))];
    (running, busy.into_iter().chain(waiting).chain([ill]).collect())
}

async fn fates(promises: Vec<Promise>) -> Vec<String> {
    let mut fates = Vec::new();
    for promise in promises {
        fates.push(fate(promise).await);
    }
    fates
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
async fn everything_is_finished() {
    let (running, promises) = at_work().await;
    let before = Instant::now();
    let report = running.pool.stop(PoolShutdown::Drain).await;
    assert_eq!(before.elapsed().as_secs(), 8, "until the last was tried again");
    assert_eq!((report.completed, report.requeued, report.dropped, report.failed), (5, 0, 0, 0));
    assert_eq!(fates(promises).await, ["done 1", "done 2", "done 3", "done 4", "done 5"]);
    assert_closed(&running).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn or_what_was_begun_is_finished_and_what_waits_is_dropped() {
    let (running, promises) = at_work().await;
    let before = Instant::now();
    let report = running.pool.stop(PoolShutdown::FinishInFlight).await;
    assert_eq!(before.elapsed().as_millis() / 10, 299);
    assert_eq!((report.completed, report.requeued, report.dropped, report.failed), (2, 0, 3, 0));
    assert_eq!(fates(promises).await, ["done 1", "done 2", "dropped", "dropped", "dropped"]);
    assert_closed(&running).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn or_everything_is_dropped_now() {
    let (running, promises) = at_work().await;
    let before = Instant::now();
    let report = running.pool.stop(PoolShutdown::Abort).await;
    assert_eq!(before.elapsed(), ms(0));
    assert_eq!((report.completed, report.requeued, report.dropped, report.failed), (0, 0, 5, 0));
    assert_eq!(fates(promises).await, ["dropped"; 5]);
    assert_closed(&running).await;
    assert_eq!(running.journal.jobs(), [5, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_tells_of_attempts_that_failed_meanwhile_and_of_nothing_before() {
    for how in [PoolShutdown::Drain, PoolShutdown::FinishInFlight] {
        let running = started(2).await;
        assert_eq!(fate(running.submit(job(0, [Deed::Fail, Deed::Do]))).await, "done 0");
        let again = running.submit(job(1, [Deed::FailAfter(secs(1)), Deed::Take(secs(1))]));
        let dead = running.submit(job(2, [Deed::FailAfter(secs(1))]));
        quiet().await;
        let report = running.pool.stop(how).await;
        assert_eq!(
            (report.completed, report.requeued, report.dropped, report.failed),
            (1, 3, 0, 1),
            "{how:?}"
        );
        assert_eq!(fate(again).await, "done 1");
        assert_eq!(fate(dead).await, "no luck, no luck, no luck");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_job_is_taken_in_from_the_moment_on_at_which_it_stops_and_those_who_wait_for_room_are_told() {
    for how in [PoolShutdown::Drain, PoolShutdown::FinishInFlight, PoolShutdown::Abort] {
        let (pool, journal) = hands(1);
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
        assert!(line.is_finished(), "{how:?}: it is told at once");
        assert!(
            matches!(line.await.expect("it does not panic"), Err(SubmitError::Closed(job)) if job.number == 3)
        );
        assert!(running.pool.submit(quick(4)).try_submit().is_err());
        soon(stopping).await.expect("it does not panic");
        assert_eq!(fate(busy).await, if how == PoolShutdown::Abort { "dropped" } else { "done 1" });
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_paused_goes_on_to_finish() {
    let running = started(1).await;
    running.pool.pause();
    let waiting = running.submit(quick(1));
    assert_eq!(soon(running.pool.stop(PoolShutdown::Drain)).await.completed, 1);
    assert_eq!(fate(waiting).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_given_up_goes_on_and_a_harder_one_may_follow_but_no_softer_one() {
    let (running, promises) = at_work().await;
    assert!(tokio::time::timeout(ms(10), running.pool.stop(PoolShutdown::Drain)).await.is_err());
    assert!(running.pool.submit(quick(9)).try_submit().is_err());
    let report = running.pool.stop(PoolShutdown::FinishInFlight).await;
    assert_eq!((report.completed, report.dropped), (2, 3));
    assert_eq!(running.pool.stop(PoolShutdown::Drain).await, Default::default(), "there is nothing left");
    assert_eq!(fates(promises).await[..2], ["done 1", "done 2"]);
    assert_closed(&running).await;
    running.close().await;
    let (running, promises) = at_work().await;
    let (soft, hard) = (running.pool.clone(), running.pool.clone());
    let soft = tokio::spawn(async move { soft.stop(PoolShutdown::Drain).await });
    quiet().await;
    let hard = tokio::spawn(async move { hard.stop(PoolShutdown::Abort).await });
    assert_eq!(soon(hard).await.expect("it does not panic").dropped, 5);
    assert_eq!(soon(soft).await.expect("it does not panic").dropped, 5);
    assert_eq!(fates(promises).await, ["dropped"; 5]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn its_workers_are_not_started_again_whatever_is_asked_for() {
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
    let (pool, journal) = hands(1);
    let running = start((pool.shutdown(Shutdown::BrutalKill), journal)).await;
    let busy = running.submit(job(1, [Deed::Take(secs(60)), Deed::Do]));
    quiet().await;
    let before = Instant::now();
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!(before.elapsed(), ms(0));
    assert_eq!(fate(busy).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_shut_down_lets_them_finish_what_they_have_and_drops_what_waits() {
    let (running, promises) = at_work().await;
    let pool = running.pool.clone();
    let submission = pool.submit(quick(6));
    let report = running.app.shutdown().await;
    assert_eq!((report.dropped_jobs, report.stragglers.len(), report.is_clean()), (2, 0, false), "{report}");
    // They are stopped one after the other, and who is not yet goes on.
    assert_eq!(fates(promises).await, ["done 1", "done 2", "done 3", "dropped", "dropped"]);
    assert!(matches!(submission.await, Err(SubmitError::Closed(_))));
    assert_accounts(&pool.stats());
    pool.drain().await;
    assert_eq!(pool.stop(PoolShutdown::Drain).await, Default::default());
}

/// A handle of a pool of one that ends with its handles, and the pool when it runs.
async fn ending_with_its_handles() -> (HandsHandle, Running) {
    let (pool, journal) = hands(1);
    let pool = pool.close_on_last_handle();
    let (handle, unbound) = (pool.handle(), hands(1).0.handle());
    let system = System::new();
    let app = pool.start(&system).await.expect("it starts");
    quiet().await;
    (handle, Running { system, app, pool: unbound, journal })
}

#[tokio::test(start_paused = true)]
async fn a_pool_may_end_with_its_handles_and_finishes_what_there_is() {
    let (handle, running) = ending_with_its_handles().await;
    let promises = vec![now(handle.submit(long(1, secs(1)))), now(handle.submit(quick(2)))];
    let clone = handle.clone();
    drop(handle);
    sleep(secs(60)).await;
    assert_eq!(running.active().await, 1, "there is another handle");
    promises.into_iter().for_each(drop);
    let last = now(clone.submit(long(3, secs(1))));
    drop(clone);
    quiet().await;
    assert_eq!(running.active().await, 1, "it finishes");
    assert_eq!(fate(last).await, "done 3");
    soon(running.app.join()).await;
    assert!(running.app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_may_be_dropped_on_any_thread_and_before_the_pool_is_started() {
    let (handle, running) = ending_with_its_handles().await;
    thread::spawn(move || drop(handle)).join().expect("it does not panic");
    soon(running.app.join()).await;
    assert!(running.app.shutdown().await.is_clean());
    let (pool, _) = hands(1);
    let pool = pool.close_on_last_handle();
    let early = now(pool.handle().submit(quick(1)));
    let (unowned, _) = hands(1);
    let app = pool.start(&System::new()).await.expect("it starts");
    assert_eq!(fate(early).await, "done 1");
    soon(app.join()).await;
    assert!(app.shutdown().await.is_clean());
    drop(unowned);
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_does_not_end_with_its_handles_does_not() {
    let running = started(1).await;
    let Running { system: _system, app, pool, journal } = running;
    let mut slow = now(pool.submit(long(1, secs(1))));
    drop(pool);
    assert!(pends(&mut slow).await);
    assert_eq!(fate(slow).await, "done 1");
    sleep(secs(9)).await;
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 2);
    assert_eq!(journal.jobs(), [1]);
    assert!(app.shutdown().await.is_clean());
}
