//! Rollouts of workers that are renewed sooner than they have to be ready: a renewal is no break.

use perennial_supervision::pool::{RolloutError, RolloutFailure, WorkerProbe};
use tokio::time::{Instant, sleep};

use crate::support::pool::{ms, secs, soon};
use crate::support::versioned::{Init, spawn, start};

#[tokio::test(start_paused = true)]
async fn a_version_whose_workers_are_renewed_by_age_sooner_than_min_ready_is_good() {
    for init in [Init::Starts, Init::StartsAfter(ms(500))] {
        let running = start(2, |pool| pool.max_age(secs(10))).await;
        let begun = Instant::now();
        let rollout = running.pool.rollout().args(running.version(2, init)).min_ready(secs(60));
        let report = soon(rollout.progress_deadline(secs(90))).await.expect("it is good");
        assert_eq!(report.replaced, [0, 1]);
        // Each of the two is available after 60 seconds, or when its renewal is over.
        assert!((120..=123).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        assert_eq!(running.versions().await, [2; 2]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_workers_are_renewed_after_each_job_is_good() {
    let running = start(1, |pool| pool.max_jobs(1)).await;
    let begun = Instant::now();
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).min_ready(secs(60));
    let rollout = spawn(rollout.progress_deadline(secs(61)));
    let mut jobs = 0;
    while !rollout.is_finished() {
        drop(running.submit(ms(1)));
        jobs += 1;
        sleep(ms(700)).await;
    }
    assert_eq!(rollout.await.expect("no panic").expect("it is good").replaced, [0]);
    assert!(jobs > 60 && (60..=61).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_readiness_probe_after_a_renewal_is_part_of_it() {
    let probe = || WorkerProbe::new(|_| std::future::ready(true)).initial_delay(secs(2));
    let running = start(1, |pool| pool.max_age(secs(10)).readiness(probe())).await;
    running.pool.wait_ready(1).await.expect("it runs");
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).min_ready(secs(60));
    let report = soon(rollout.progress_deadline(secs(90))).await.expect("it is good");
    assert_eq!(report.replaced, [0]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_crashes_between_its_renewals_is_rolled_back() {
    let running = start(1, |pool| pool.max_age(secs(10))).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).min_ready(secs(60));
    let rollout = spawn(rollout.progress_deadline(secs(90)));
    while !rollout.is_finished() {
        sleep(secs(25)).await;
        running.app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    }
    let error = rollout.await.expect("no panic").expect_err("it is never available");
    let RolloutError::RolledBack { failure, .. } = error else { panic!("{error}") };
    assert_eq!(failure, RolloutFailure::NotReady { slot: 0 });
    assert_eq!(running.versions().await, [1]);
    running.close().await;
}
