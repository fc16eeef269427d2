//! Rollouts under way: the grace of jobs, pauses, undoing, and what else happens to the pool.

use perennial_supervision::pool::{
    PoolShutdown, RolloutDirection, RolloutError, RolloutFailure, RolloutLimit,
};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{ms, quiet, secs, soon};
use crate::support::versioned::{Init, Take, spawn, start, started};

#[tokio::test(start_paused = true)]
async fn a_worker_finishes_its_job_within_the_grace_and_takes_no_other() {
    let running = started(1).await;
    let (first, second) = (running.submit(secs(20)), running.submit(secs(1)));
    quiet().await;
    let begun = Instant::now();
    soon(running.pool.rollout().args(running.version(2, Init::Starts))).await.expect("it is good");
    assert_eq!(begun.elapsed().as_secs(), 19, "no longer than the job");
    assert_eq!(soon(first).await.expect("it is done"), (1, 1, 1));
    assert_eq!(soon(second).await.expect("it is done"), (2, 2, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_exceeds_the_grace_is_interrupted_and_loses_no_attempt() {
    for grace in [1, 3, 30, 100] {
        let running = start(1, |pool| pool.attempts(2)).await;
        let long = running.submit(secs(200));
        quiet().await;
        let begun = Instant::now();
        for _ in 0..3 {
            soon(running.pool.rollout().grace(secs(grace))).await.expect("it goes well");
        }
        assert_eq!(begun.elapsed().as_secs(), 3 * grace);
        assert_eq!(soon(long).await.expect("it has attempts left").0, 1);
        assert_eq!(running.pool.stats().retried, 3);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_key_wait_for_the_next_incarnation_of_their_worker() {
    let running = started(3).await;
    let submit = || pool::now(running.pool.submit(Take(secs(3))).key(&7));
    let (first, second) = (submit(), submit());
    quiet().await;
    let begun = Instant::now();
    soon(running.pool.rollout().args(running.version(2, Init::Starts)).max_unavailable(3))
        .await
        .expect("good");
    assert_eq!(soon(first).await.expect("it is done").0, 1);
    assert_eq!(soon(second).await.expect("it is done").0, 2);
    assert_eq!(begun.elapsed().as_secs(), 5, "one after the other");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_rollout_begins_no_replacement_until_it_is_resumed() {
    let running = started(4).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
    let rollout = spawn(rollout);
    sleep(ms(1_500)).await;
    running.pool.pause_rollout();
    sleep(secs(600)).await;
    assert_eq!(running.versions().await, [2, 2, 1, 1], "it finished the one that it had begun");
    running.app.supervisor().terminate_child("3").await.expect("it is there");
    sleep(secs(10)).await;
    assert_eq!(running.versions().await, [2, 2, 1, 1], "a missing worker comes back meanwhile, as it was");
    assert!(!rollout.is_finished());
    running.pool.resume_rollout();
    let report = rollout.await.expect("no panic").expect("it is good");
    assert_eq!(report.replaced, [0, 1, 2, 3]);
    assert_eq!(running.versions().await, [2; 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_is_undone_on_request() {
    let running = started(4).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(ms(2_500)).await;
    running.pool.pause_rollout();
    running.pool.undo_rollout();
    let error = rollout.await.expect("no panic").expect_err("it was undone");
    let RolloutError::RolledBack { failure: RolloutFailure::Undone, report } = error else {
        panic!("{error}")
    };
    assert_eq!((report.rolled_back, report.kept), (vec![0, 1, 2], vec![3]));
    assert_eq!(running.versions().await, [1; 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_undo_without_a_rollout_has_no_effect_on_the_next_one() {
    let running = started(2).await;
    running.pool.undo_rollout();
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts));
    assert_eq!(soon(rollout).await.expect("it is good").replaced, [0, 1]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_an_owner_starts_meanwhile_with_the_old_arguments_is_replaced_again() {
    let running = started(1).await;
    let job = running.submit(secs(28));
    quiet().await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::Starts)));
    sleep(secs(26)).await;
    let supervisor = running.pool.supervisor().clone();
    let started = tokio::spawn(async move { supervisor.restart_child("0").await });
    assert!(rollout.await.expect("no panic").is_ok());
    started.await.expect("no panic").expect("it starts");
    assert_eq!(running.result().await.0, 2);
    soon(job).await.expect("it is done");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_belongs_to_the_pool_and_lasts_until_it_is_resumed() {
    let running = started(3).await;
    let status = || running.pool.stats().rollout;
    let shown = || (status().paused, status().direction, status().to_string());
    assert_eq!(shown(), (false, None, "no rollout".to_owned()));
    running.pool.pause_rollout();
    assert_eq!(shown(), (true, None, "rollouts paused".to_owned()));
    assert!(running.pool.stats().to_string().contains(", rollouts paused, "));

    let forward = Some(RolloutDirection::Forward);
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(secs(100)).await;
    assert_eq!(shown(), (true, forward, "rollout paused".to_owned()));
    running.pool.resume_rollout();
    sleep(ms(1_500)).await;
    assert_eq!(shown(), (false, forward, "rolling out".to_owned()));
    let jobs: Vec<_> = (0..3).map(|_| running.submit(secs(5))).collect();
    quiet().await;
    running.pool.pause_rollout();
    running.pool.undo_rollout();
    quiet().await;
    assert_eq!(shown(), (true, Some(RolloutDirection::Back), "rolling back".to_owned()));
    rollout.await.expect("no panic").expect_err("it was undone");
    assert_eq!(shown(), (true, None, "rollouts paused".to_owned()), "an undo does not resume");
    for job in jobs {
        soon(job).await.expect("its worker finished it");
    }

    let next = spawn(running.pool.rollout().args(running.version(3, Init::Starts)));
    sleep(secs(100)).await;
    assert!(!next.is_finished(), "the pause holds for the next rollout");
    assert_eq!(running.versions().await, [1; 3]);
    running.pool.resume_rollout();
    assert_eq!(next.await.expect("no panic").expect("it is good").replaced, [0, 1, 2]);
    assert_eq!(shown(), (false, None, "no rollout".to_owned()));

    let last =
        spawn(running.pool.rollout().args(running.version(4, Init::StartsAfter(secs(1)))).max_unavailable(3));
    sleep(ms(500)).await;
    running.pool.pause_rollout();
    assert_eq!(last.await.expect("no panic").expect("it had begun all").replaced, [0, 1, 2]);
    assert_eq!(shown(), (true, None, "rollouts paused".to_owned()), "an end does not resume");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_worker_that_crashes_meanwhile_is_restarted_from_the_old_arguments() {
    let running = started(3).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(10)))));
    sleep(secs(1)).await;
    running.app.tree().at(["2"]).expect("it is there").handle.kill().expect("it lives");
    sleep(secs(1)).await;
    assert_eq!((running.workers(), running.result().await.0), (2, 1));
    rollout.await.expect("no panic").expect("it is good");
    assert_eq!(running.versions().await, [2; 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_without_new_arguments_halts_at_a_failure() {
    let running = started(3).await;
    soon(running.pool.rollout().args(running.version(2, Init::FailsIn(9)))).await.expect("it is good");
    running.app.tree().at(["2"]).expect("it is there").handle.suspend().expect("it lives");
    let rollout = running.pool.rollout().grace(secs(1)).progress_deadline(secs(5));
    let rollout = spawn(rollout);
    running.pool.pause_rollout();
    quiet().await;
    running.pool.undo_rollout();
    let error = rollout.await.expect("no panic").expect_err("it was undone");
    assert!(matches!(error, RolloutError::Halted { failure: RolloutFailure::Undone, .. }), "{error}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_rollout_continues() {
    let running = started(2).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
    assert!(tokio::time::timeout(ms(10), rollout).await.is_err());
    sleep(secs(5)).await;
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_ends_with_its_pool() {
    let running = started(2).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(ms(500)).await;
    soon(running.pool.stop(PoolShutdown::Drain)).await;
    assert_eq!(rollout.await.expect("no panic"), Err(RolloutError::Stopped));
    running.close().await;
    let running = started(2).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
    let rollout = spawn(rollout);
    sleep(ms(500)).await;
    running.close().await;
    let error = soon(rollout).await.expect("no panic").expect_err("its tree has ended");
    assert_eq!(error, RolloutError::Stopped);
}

#[tokio::test(start_paused = true)]
async fn settings_that_allow_nothing_are_errors() {
    let running = started(2).await;
    let error = running.pool.rollout().max_unavailable(0).await.expect_err("it could do nothing");
    assert_eq!(error, RolloutError::NoRoom);
    let zero = RolloutLimit::percent(0);
    let error = running.pool.rollout().max_unavailable(zero).max_surge(zero).await;
    assert_eq!(error, Err(RolloutError::NoRoom));
    let rollout = running.pool.rollout().max_unavailable(RolloutLimit::percent(101));
    assert_eq!(rollout.await, Err(RolloutError::MoreThanAll));
    let rollout = running.pool.rollout().min_ready(secs(600));
    assert_eq!(rollout.await.expect_err("none is available in time"), RolloutError::DeadlineTooShort);
    assert_eq!(running.result().await, (1, 1, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_without_workers_takes_the_new_arguments() {
    let running = started(2).await;
    running.pool.resize(0).await.expect("it goes well");
    let report =
        soon(running.pool.rollout().args(running.version(2, Init::Starts))).await.expect("it is good");
    assert_eq!((report.revision, report.replaced), (2, vec![]));
    running.pool.resize(2).await.expect("it grows");
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_of_an_elastic_pool_may_exceed_its_maximum_by_the_additional_workers() {
    let running = started(2..=2).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts));
    soon(rollout.max_unavailable(0).max_surge(1)).await.expect("it is good");
    assert_eq!((running.most(), running.workers()), (3, 2));
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}
