//! Rollouts of a pool that was killed and does not start again. It has old and new workers that
//! start for some seconds, and then no more.

use perennial_supervision::pool::{PoolError, PoolShutdown, RolloutDirection, RolloutError, RolloutFailure};
use tokio::time::{Instant, sleep};

use crate::support::pool::{ms, quiet, secs, soon};
use crate::support::versioned::{Init, Outcome, Running, spawn, started_below_with};

/// Starts a pool of two workers. None starts from five seconds on.
async fn started() -> (Running, Init) {
    let init = Init::StartsUntil(Instant::now() + secs(5));
    (started_below_with(2, init).await, init)
}

/// Returns the first failure of a rollout that goes back.
fn failure_of(outcome: Outcome) -> RolloutFailure {
    match outcome.expect_err("the pool is down") {
        RolloutError::RolledBack { failure, report } => {
            assert_eq!((report.revision, report.unavailable.len()), (1, 2), "{report}");
            failure
        }
        error => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_whose_pool_ends_while_a_worker_stops_goes_back_after_its_deadline() {
    let (running, init) = started().await;
    let jobs = [running.submit(secs(20)), running.submit(secs(20))];
    quiet().await;
    let rollout = running.pool.rollout().args(running.version(2, init)).progress_deadline(secs(60));
    let rollout = spawn(rollout);
    sleep(secs(6)).await;
    running.kill_pool().await;
    let killed = Instant::now();
    assert_eq!(failure_of(rollout.await.expect("no panic")), RolloutFailure::NotReady { slot: 0 });
    assert_eq!(killed.elapsed().as_secs(), 59, "60 seconds from the kill");
    drop(jobs);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_whose_pool_ends_while_an_additional_worker_starts_goes_back_after_its_deadline() {
    let (running, _) = started().await;
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(10))));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(1).progress_deadline(secs(60)));
    sleep(secs(6)).await;
    running.kill_pool().await;
    let killed = Instant::now();
    assert_eq!(failure_of(rollout.await.expect("no panic")), RolloutFailure::NotReady { slot: 2 });
    assert_eq!(killed.elapsed().as_secs(), 59, "60 seconds from the kill");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_of_a_pool_that_does_not_come_back_fails_after_the_deadline() {
    let (running, _) = started().await;
    let jobs = [running.submit(secs(20)), running.submit(secs(20))];
    quiet().await;
    let pool = running.pool.clone();
    let restart = tokio::spawn(async move { soon(pool.rolling_restart()).await });
    sleep(secs(4)).await;
    running.kill_pool().await;
    let killed = Instant::now();
    assert_eq!(restart.await.expect("no panic"), Err(PoolError::NotReady { slot: 0 }));
    assert_eq!(killed.elapsed().as_secs(), 599, "600 seconds from the kill");
    drop(jobs);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_undone_while_its_pool_starts_goes_back_when_that_start_has_failed() {
    let (running, init) = started().await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, init)).min_ready(secs(20)));
    sleep(secs(6)).await;
    running.kill_pool().await;
    sleep(ms(10_500)).await;
    running.pool.undo_rollout();
    quiet().await;
    assert_eq!(running.pool.stats().rollout.direction, Some(RolloutDirection::Back));
    sleep(secs(1)).await;
    assert!(rollout.is_finished(), "the pool waits for its next start");
    assert_eq!(failure_of(rollout.await.expect("no panic")), RolloutFailure::Undone);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_begins_while_its_pool_starts_sets_the_arguments_when_that_start_has_failed() {
    let (running, _) = started().await;
    sleep(secs(6)).await;
    running.kill_pool().await;
    sleep(ms(10_500)).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::Starts)));
    sleep(secs(1)).await;
    assert!(rollout.is_finished(), "the pool waits for its next start");
    let report = rollout.await.expect("no panic").expect("the arguments are set");
    assert_eq!((report.revision, report.unavailable), (2, vec![0, 1]));
    sleep(secs(11)).await;
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_surplus_worker_of_a_pool_that_is_down_keeps_no_change_waiting() {
    let (running, _) = started().await;
    let jobs = [running.submit(secs(20)), running.submit(secs(20))];
    quiet().await;
    let pool = running.pool.clone();
    let shrinking = tokio::spawn(async move { soon(pool.resize(1)).await });
    sleep(secs(1)).await;
    running.kill_pool().await;
    assert_eq!(shrinking.await.expect("no panic"), Ok(()));
    let killed = Instant::now();
    assert_eq!(soon(running.pool.resize(3)).await, Ok(()));
    assert_eq!(soon(running.pool.rolling_restart()).await, Ok(()));
    assert_eq!(killed.elapsed(), secs(0), "the numbers hold for the next start");
    drop(jobs);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_rollout_ends_with_the_stop_of_a_pool_that_is_down() {
    let (running, init) = started().await;
    running.kill_pool().await;
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, init)));
    quiet().await;
    assert!(!rollout.is_finished(), "it is paused");
    soon(running.pool.stop(PoolShutdown::Abort)).await;
    quiet().await;
    assert!(rollout.is_finished(), "the pool has stopped");
    assert_eq!(rollout.await.expect("no panic"), Err(RolloutError::Stopped));
    running.close().await;
}
