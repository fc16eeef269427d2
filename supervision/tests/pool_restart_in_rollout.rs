//! Rollouts of a pool that is not running, or whose supervisor is killed and restarted meanwhile.

use perennial_actors::System;
use perennial_supervision::pool::{Pool, RolloutDirection, RolloutError, RolloutFailure};
use perennial_supervision::{Backoff, Supervisor};
use tokio::time::{Instant, sleep};

use crate::support::pool::{ms, quiet, secs, soon};
use crate::support::versioned::{Init, Versioned, spawn, started_below};

#[tokio::test(start_paused = true)]
async fn a_rollout_goes_on_after_its_pool_was_killed_at_any_time() {
    for (max_unavailable, max_surge) in [(1, 0), (0, 2), (3, 1)] {
        for after in [0, 500, 1_500, 2_500, 3_900] {
            let running = started_below(4).await;
            let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
            let rollout = spawn(rollout.max_unavailable(max_unavailable).max_surge(max_surge));
            sleep(ms(after)).await;
            quiet().await;
            if rollout.is_finished() {
                running.close().await;
                continue;
            }
            running.kill_pool().await;
            sleep(secs(9)).await;
            assert!(!rollout.is_finished(), "it waits for the pool");
            let report = rollout.await.expect("no panic").expect("the version is good");
            assert_eq!((report.revision, report.replaced), (2, vec![0, 1, 2, 3]), "after {after} ms");
            assert_eq!(running.versions().await, [2; 4]);
            assert_eq!(running.workers(), 4);
            running.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_ends_while_a_worker_finishes_its_job_is_rolled_out_when_it_is_back() {
    let running = started_below(2).await;
    let jobs: Vec<_> = (0..2).map(|_| running.submit(secs(20))).collect();
    quiet().await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::Starts)));
    sleep(secs(5)).await;
    running.kill_pool().await;
    let report = rollout.await.expect("no panic").expect("the version is good");
    assert_eq!(report.replaced, [0, 1]);
    for job in jobs {
        assert_eq!(soon(job).await.expect("it has attempts left").2, 2, "one was lost");
    }
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_start_keeps_no_pool_from_its_restart() {
    for init in [Init::Hangs, Init::StartsAfter(secs(29))] {
        let running = started_below(4).await;
        let rollout =
            spawn(running.pool.rollout().args(running.version(2, init)).progress_deadline(secs(28)));
        sleep(secs(1)).await;
        running.kill_pool().await;
        sleep(secs(11)).await;
        assert_eq!(running.workers(), 3, "the old version, but for the worker that is replaced");
        let error = rollout.await.expect("no panic").expect_err("it is not ready in time");
        let RolloutError::RolledBack { failure, report } = error else { panic!("{error}") };
        assert_eq!(failure, RolloutFailure::NotReady { slot: 0 });
        assert_eq!((report.rolled_back, report.kept), (vec![0], vec![1, 2, 3]));
        assert_eq!(running.versions().await, [1; 4]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_goes_back_does_not_wait_for_the_restart() {
    let running = started_below(3).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(ms(1_500)).await;
    running.kill_pool().await;
    assert_eq!(running.pool.stats().rollout.direction, Some(RolloutDirection::Forward));
    let begun = Instant::now();
    running.pool.undo_rollout();
    let error = rollout.await.expect("no panic").expect_err("it was undone");
    let RolloutError::RolledBack { failure: RolloutFailure::Undone, report } = error else {
        panic!("{error}")
    };
    assert_eq!((report.revision, report.unavailable, begun.elapsed()), (1, vec![0, 1, 2], ms(0)));
    sleep(secs(11)).await;
    assert_eq!(running.versions().await, [1; 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_resize_during_a_rollout_does_not_wait_for_the_restart() {
    let running = started_below(3).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(ms(1_500)).await;
    running.kill_pool().await;
    let begun = Instant::now();
    assert_eq!(soon(running.pool.resize(5)).await, Ok(()));
    assert_eq!(begun.elapsed(), ms(0));
    assert_eq!(rollout.await.expect("no panic").expect("it is good").replaced, [0, 1, 2, 3, 4]);
    assert_eq!(running.versions().await, [2; 5]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_of_a_pool_that_waits_for_its_restart_sets_the_arguments() {
    let running = started_below(3).await;
    running.kill_pool().await;
    let begun = Instant::now();
    assert_eq!(soon(running.pool.rolling_restart()).await, Ok(()), "all workers restart anyway");
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::Starts)));
    quiet().await;
    assert!(!rollout.is_finished(), "it is paused");
    running.pool.resume_rollout();
    let report = rollout.await.expect("no panic").expect("nothing is to be replaced");
    assert_eq!((report.revision, report.unavailable, report.replaced), (2, vec![0, 1, 2], vec![]));
    assert!(begun.elapsed() < secs(1));
    sleep(secs(11)).await;
    assert_eq!(running.versions().await, [2; 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_first_start_fails_starts_from_the_arguments_of_a_rollout() {
    let other = started_below(1).await;
    let delays = Backoff::new(secs(60), secs(60)).factor(1.0).jitter(0.0);
    let pool = Pool::<Versioned>::new("pool", 2, other.version(1, Init::Fails));
    let handle = pool.handle();
    let error = soon(handle.rollout()).await.expect_err("it is part of no tree");
    assert_eq!(error, RolloutError::Stopped);
    let pool = pool.intensity(0, secs(1)).retry_start(delays);
    let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
    sleep(secs(1)).await;
    let report = soon(handle.rollout().args(other.version(2, Init::Starts))).await.expect("it is set");
    assert_eq!((report.revision, report.unavailable), (2, vec![0, 1]));
    sleep(secs(60)).await;
    assert_eq!(handle.stats().workers.running, 2);
    assert!(app.shutdown().await.is_clean());
    let error = soon(handle.rollout()).await.expect_err("it has ended");
    assert_eq!(error, RolloutError::Stopped);
    other.close().await;
}
