//! Rollouts: workers are replaced while the pool runs, and go back if the new ones fail.

use perennial_supervision::ChildError;
use perennial_supervision::pool::{PoolError, RolloutError, RolloutFailure, RolloutLimit};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{ms, secs, soon};
use crate::support::versioned::{Init, Take, spawn, start, started};

#[tokio::test(start_paused = true)]
async fn new_arguments_hold_for_all_workers_and_for_every_later_start() {
    let running = started(3).await;
    assert_eq!(running.result().await, (1, 1, 1));
    let report =
        soon(running.pool.rollout().args(running.version(2, Init::Starts))).await.expect("it is good");
    assert_eq!((report.revision, report.replaced, report.kept), (2, vec![0, 1, 2], vec![]));
    assert_eq!((report.rolled_back, report.unavailable), (vec![], vec![]));
    assert_eq!(running.versions().await, [2, 2, 2]);
    running.app.tree().at(["1"]).expect("it is there").handle.kill().expect("it lives");
    running.pool.resize(5).await.expect("it grows");
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!(running.versions().await, [2; 5]);
    assert_eq!(running.result().await, (2, 2, 1), "a restart is no revision");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limits_are_unavailable_or_run_in_addition() {
    for limits in [None, Some((2, 0)), Some((0, 1)), Some((0, 3)), Some((2, 2)), Some((9, 0))] {
        let running = started(5).await;
        let new = running.version(2, Init::StartsAfter(secs(1)));
        let rollout = running.pool.rollout().args(new);
        let rollout = match limits {
            None => rollout,
            Some((unavailable, surge)) => rollout.max_unavailable(unavailable).max_surge(surge),
        };
        let (max_unavailable, max_surge) = limits.unwrap_or((1, 0));
        let _ = running.most();
        let rollout = spawn(rollout);
        let mut least = 5;
        while !rollout.is_finished() {
            least = least.min(running.workers());
            sleep(ms(10)).await;
        }
        let report = rollout.await.expect("no panic").expect("it is good");
        assert_eq!(report.replaced, [0, 1, 2, 3, 4]);
        assert_eq!(least, 5_usize.saturating_sub(max_unavailable), "as many at once as possible");
        assert!(running.most() <= 5 + max_surge);
        assert_eq!((running.workers(), running.pool.stats().workers.running), (5, 5));
        assert_eq!(running.versions().await, [2; 5]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn limits_may_be_percentages_of_the_wanted_workers() {
    // As in the docs of Kubernetes: of 10 workers, 2 are down and 3 are additional; of one worker,
    // none is down and one is additional.
    let percent = RolloutLimit::percent;
    for (workers, down, up, least, most) in
        [(10, 25, 25, 8, 13), (1, 25, 25, 1, 2), (10, 30, 0, 7, 10), (1, 25, 0, 0, 1)]
    {
        let running = started(workers).await;
        let new = running.version(2, Init::StartsAfter(secs(1)));
        let rollout = running.pool.rollout().args(new);
        let _ = running.most();
        let rollout = spawn(rollout.max_unavailable(percent(down)).max_surge(percent(up)));
        let mut fewest = workers;
        while !rollout.is_finished() {
            fewest = fewest.min(running.workers());
            sleep(ms(10)).await;
        }
        assert_eq!(rollout.await.expect("no panic").expect("it is good").replaced.len(), workers);
        assert_eq!((fewest, running.most()), (least, most), "{workers} workers, {down} %, {up} %");
        assert_eq!(running.versions().await, vec![2; workers]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_go_on_during_a_rollout_and_none_is_lost_or_run_twice() {
    for (max_unavailable, max_surge) in [(1, 0), (0, 2)] {
        let running = started(4).await;
        let jobs: Vec<_> = (0..400).map(|number| running.submit(ms(number % 13))).collect();
        let keyed: Vec<_> = (0..100_u64)
            .map(|number| pool::now(running.pool.submit(Take(ms(number % 5))).key(&(number % 7))))
            .collect();
        let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(ms(50))));
        let report = soon(rollout.max_unavailable(max_unavailable).max_surge(max_surge)).await;
        assert_eq!(report.expect("it is good").replaced.len(), 4);
        let mut versions = Vec::new();
        for job in jobs.into_iter().chain(keyed) {
            let (version, revision, attempt) = soon(job).await.expect("it is done");
            assert_eq!((version, attempt), (revision, 1));
            versions.push(version);
        }
        assert!(versions.contains(&1) && versions.contains(&2));
        assert_eq!(running.pool.stats().retried, 0);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_start_is_rolled_back_with_its_error() {
    for (bad_slot, replaced) in [(0, 0), (2, 2)] {
        let running = started(4).await;
        let rollout = running.pool.rollout().args(running.version(3, Init::FailsIn(bad_slot)));
        let error = soon(rollout).await.expect_err("it does not start");
        assert!(error.to_string().contains("a bad version"), "{error}");
        let RolloutError::RolledBack { failure, report } = error else { panic!("{error}") };
        let RolloutFailure::Worker(PoolError::Worker { slot, error: ChildError::StartFailed(_) }) = failure
        else {
            panic!("{failure}")
        };
        assert_eq!(slot, bad_slot);
        assert_eq!((report.revision, report.replaced, report.unavailable), (1, vec![], vec![]));
        assert_eq!(report.rolled_back, (0..=replaced).collect::<Vec<_>>());
        assert_eq!(report.kept, (replaced + 1..4).collect::<Vec<_>>());
        assert_eq!(running.versions().await, [1; 4]);
        let next = soon(running.pool.rollout().args(running.version(2, Init::Starts))).await;
        assert_eq!(next.expect("it is good").revision, 3, "the second one was bad");
        assert_eq!(running.versions().await, [2; 4]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_version_beside_additional_workers_stops_no_old_one() {
    let running = started(3).await;
    let rollout = running.pool.rollout().args(running.version(3, Init::Fails));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(2));
    while !rollout.is_finished() {
        assert!(running.workers() >= 3);
        sleep(ms(10)).await;
    }
    let error = rollout.await.expect("no panic").expect_err("it does not start");
    let RolloutError::RolledBack { report, .. } = error else { panic!("{error}") };
    assert_eq!((report.kept, report.rolled_back), (vec![0, 1, 2], vec![]));
    assert_eq!(running.versions().await, [1; 3]);
    running.close().await;
}

/// Kubernetes: `progressDeadlineSeconds`, 600 by default.
#[tokio::test(start_paused = true)]
async fn a_version_that_is_not_ready_in_time_is_rolled_back_and_its_start_killed() {
    for deadline in [None, Some(60)] {
        let running = start(2, |pool| pool.start_timeout(secs(3_600))).await;
        let begun = Instant::now();
        let rollout = running.pool.rollout().args(running.version(3, Init::Hangs));
        let rollout = match deadline {
            None => rollout,
            Some(seconds) => rollout.progress_deadline(secs(seconds)),
        };
        let error = soon(rollout).await.expect_err("it hangs");
        let RolloutError::RolledBack { failure, report } = error else { panic!("{error}") };
        assert_eq!(failure, RolloutFailure::NotReady { slot: 0 });
        assert_eq!((report.rolled_back, report.kept), (vec![0], vec![1]));
        let expected = deadline.unwrap_or(600);
        assert_eq!((begun.elapsed().as_secs(), report.elapsed.as_secs()), (expected, expected));
        assert_eq!(running.versions().await, [1; 2]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_worker_is_available_only_after_its_minimum_time() {
    let running = started(3).await;
    let begun = Instant::now();
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).min_ready(secs(10));
    soon(rollout).await.expect("it is good");
    assert_eq!(begun.elapsed().as_secs(), 30);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_crashes_before_its_minimum_time_is_over_is_not_available() {
    let running = started(1).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts));
    let rollout = spawn(rollout.min_ready(secs(10)).progress_deadline(secs(60)));
    for _ in 0..15 {
        sleep(secs(5)).await;
        if rollout.is_finished() {
            break;
        }
        running.app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    }
    let error = rollout.await.expect("no panic").expect_err("it crashes every five seconds");
    let RolloutError::RolledBack { failure, .. } = error else { panic!("{error}") };
    assert_eq!(failure, RolloutFailure::NotReady { slot: 0 });
    assert_eq!(running.versions().await, [1]);
    running.close().await;
}
