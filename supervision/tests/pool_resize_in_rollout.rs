//! A pool is resized while a rollout is under way or paused.

use perennial_supervision::pool::{JobEvent, PoolError, PoolShutdown, RolloutError, RolloutLimit};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{ms, quiet, secs, soon};
use crate::support::versioned::{Init, Running, Take, spawn, started, started_below_with};

/// Returns the wanted and the running workers.
fn counts(running: &Running) -> (usize, usize) {
    let counts = running.pool.stats().workers;
    (counts.wanted, counts.running)
}

#[tokio::test(start_paused = true)]
async fn a_resize_does_not_wait_for_a_paused_rollout() {
    let running = started(4).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(ms(500)).await;
    running.pool.pause_rollout();
    sleep(secs(60)).await;
    assert_eq!(running.versions().await, [2, 1, 1, 1]);
    let begun = Instant::now();
    running.pool.resize(6).await.expect("it grows");
    assert_eq!((begun.elapsed(), counts(&running)), (secs(1), (6, 6)), "as long as the starts take");
    assert_eq!(running.versions().await, [2, 1, 1, 1, 2, 2], "the added ones are new");
    running.pool.resize(3).await.expect("it shrinks");
    assert_eq!((counts(&running), running.workers()), ((3, 3), 3));
    assert_eq!(running.versions().await, [2, 1, 1]);
    assert!(!rollout.is_finished());
    running.pool.resume_rollout();
    let report = rollout.await.expect("no panic").expect("it is good");
    assert_eq!((report.revision, report.replaced), (2, vec![0, 1, 2]));
    assert_eq!(running.versions().await, [2; 3]);
    running.pool.resize(5).await.expect("it grows");
    assert_eq!(running.versions().await, [2; 5]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_replaces_what_is_left_and_what_was_added() {
    for (size, down, up) in [(8, 1, 0), (2, 1, 0), (8, 0, 2), (2, 0, 2), (0, 1, 1)] {
        let running = started(5).await;
        let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
        let rollout = spawn(rollout.max_unavailable(down).max_surge(up));
        sleep(ms(1_500)).await;
        running.pool.resize(size).await.expect("it goes well");
        assert!(size == 0 || !rollout.is_finished());
        let report = rollout.await.expect("no panic").expect("it is good");
        assert_eq!(report.replaced, (0..size).collect::<Vec<_>>());
        assert_eq!((counts(&running), running.workers()), ((size, size), size));
        assert_eq!(running.versions().await, vec![2; size], "{size} workers, {down} down, {up} up");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_surplus_worker_finishes_its_job_and_no_job_is_lost() {
    let running = started(4).await;
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::Starts)));
    let jobs: Vec<_> = (0..12).map(|_| running.submit(secs(2))).collect();
    quiet().await;
    let begun = Instant::now();
    running.pool.resize(2).await.expect("it shrinks");
    assert_eq!(begun.elapsed().as_millis() / 100, 19, "no longer than the jobs in hand");
    running.pool.resume_rollout();
    for job in jobs {
        let (version, revision, attempt) = soon(job).await.expect("it is done");
        assert_eq!((version, attempt), (revision, 1));
    }
    rollout.await.expect("no panic").expect("it is good");
    assert_eq!((running.versions().await, running.pool.stats().retried), (vec![2, 2], 0));
    running.close().await;
}

/// Runs a job of each of many keys, and one on each worker.
async fn assert_all_keys_run(running: &Running) {
    for key in 0..32_u32 {
        soon(pool::now(running.pool.submit(Take(ms(1))).key(&key))).await.expect("it is done");
    }
    assert_eq!(running.versions().await.len(), counts(running).0, "a broadcast runs on each worker");
}

#[tokio::test(start_paused = true)]
async fn keyed_jobs_run_after_a_shrink_while_the_rollout_waits_for_the_jobs_of_the_surplus_workers() {
    let running = started(3).await;
    let jobs: Vec<_> = (0..3).map(|_| running.submit(secs(5))).collect();
    quiet().await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).max_unavailable(3);
    let rollout = spawn(rollout);
    sleep(secs(1)).await;
    let early: Vec<_> =
        (0..32_u32).map(|key| pool::now(running.pool.submit(Take(ms(1))).key(&key))).collect();
    running.pool.resize(1).await.expect("it shrinks");
    assert!(rollout.await.expect("no panic").is_ok());
    for job in jobs.into_iter().chain(early) {
        soon(job).await.expect("it is done");
    }
    assert_all_keys_run(&running).await;
    running.close().await;
}

/// Returns a key whose jobs run on this worker.
async fn key_of(running: &Running, worker: &str) -> u32 {
    let worker = running.app.tree().at([worker]).expect("it is there").handle.pid();
    let mut events = running.pool.subscribe();
    let mut key = 0;
    loop {
        soon(pool::now(running.pool.submit(Take(ms(0))).key(&key))).await.expect("it is done");
        let started = |event| matches!(event, JobEvent::Started { worker: on, .. } if worker == Some(on));
        if pool::events(&mut events).into_iter().any(started) {
            return key;
        }
        key += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn keyed_jobs_do_not_wait_for_a_worker_that_turns_surplus_while_the_rollout_stops_it() {
    let running = started(3).await;
    let key = key_of(&running, "2").await;
    let submit = |time| pool::now(running.pool.submit(Take(time)).key(&key));
    let long = submit(secs(20));
    quiet().await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::Starts)));
    sleep(secs(1)).await;
    let early = submit(ms(1));
    let pool = running.pool.clone();
    let resizing = tokio::spawn(async move { pool.resize(2).await });
    quiet().await;
    let begun = Instant::now();
    for job in [early, submit(ms(1))] {
        assert_eq!(soon(job).await.expect("it is done").0, 2, "it runs on a new worker");
    }
    assert!(begun.elapsed() < secs(1), "a job waited for {:?}", begun.elapsed());
    assert_eq!(soon(long).await.expect("it is done"), (1, 1, 1));
    assert_eq!(resizing.await.expect("no panic"), Ok(()));
    assert!(rollout.await.expect("no panic").is_ok());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn keyed_jobs_run_on_all_workers_after_a_shrink_and_a_growth_at_once() {
    let running = started(3).await;
    let jobs: Vec<_> = (0..3).map(|_| running.submit(secs(5))).collect();
    quiet().await;
    for max_unavailable in [1, 3] {
        let new = running.version(2, Init::StartsAfter(secs(1)));
        let rollout = spawn(running.pool.rollout().args(new).max_unavailable(max_unavailable));
        sleep(ms(500)).await;
        let resizes = [1, 3].map(|size| {
            let pool = running.pool.clone();
            tokio::spawn(async move { pool.resize(size).await })
        });
        for resize in resizes {
            assert_eq!(resize.await.expect("no panic"), Ok(()));
        }
        assert!(rollout.await.expect("no panic").is_ok());
        assert_eq!(running.pool.stats().workers.ready, 3, "no slot is left closed");
        assert_all_keys_run(&running).await;
    }
    for job in jobs {
        soon(job).await.expect("it is done");
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_start_for_an_added_worker_is_rolled_back_and_the_size_stays() {
    let running = started(2).await;
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::FailsIn(2))));
    quiet().await;
    running.pool.resize(4).await.expect("it grows with the old version");
    let error = rollout.await.expect("no panic").expect_err("a worker does not start");
    assert!(matches!(error, RolloutError::RolledBack { .. }), "{error}");
    assert_eq!((counts(&running), running.versions().await), ((4, 4), vec![1; 4]));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_resize_during_a_rollout_fails_if_an_added_worker_starts_with_no_version() {
    let running = started_below_with(2, Init::FailsIn(2)).await;
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::FailsIn(2))));
    quiet().await;
    let error = soon(running.pool.resize(3)).await.expect_err("it does not start");
    assert!(matches!(error, PoolError::Worker { slot: 2, .. }), "{error}");
    assert!(rollout.await.expect("no panic").is_err());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_resize_during_a_rollout_stops_a_worker_in_its_start_without_an_error() {
    let running = started(2).await;
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(10)))));
    quiet().await;
    let pool = running.pool.clone();
    let growing = tokio::spawn(async move { pool.resize(3).await });
    sleep(secs(1)).await;
    assert_eq!(soon(running.pool.resize(2)).await, Ok(()));
    assert_eq!(growing.await.expect("no panic"), Ok(()), "the last one counts");
    running.pool.resume_rollout();
    assert!(rollout.await.expect("no panic").is_ok());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn percentages_hold_for_the_new_size() {
    let running = started(2).await;
    running.pool.pause_rollout();
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(RolloutLimit::percent(50)));
    quiet().await;
    running.pool.resize(8).await.expect("it grows");
    let _ = running.most();
    running.pool.resume_rollout();
    rollout.await.expect("no panic").expect("it is good");
    assert_eq!((running.most(), running.workers()), (10, 8), "two old workers are left to replace");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_of_several_resizes_counts_and_none_leaves_the_bounds() {
    let running = started(1..=6).await;
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    quiet().await;
    assert_eq!(running.pool.resize(7).await, Err(PoolError::TooMany { max: 6 }));
    let resizes = [6, 2, 4].map(|size| {
        let pool = running.pool.clone();
        tokio::spawn(async move { pool.resize(size).await })
    });
    for resize in resizes {
        assert_eq!(resize.await.expect("no panic"), Ok(()));
    }
    assert_eq!(counts(&running), (4, 4));
    running.pool.resume_rollout();
    assert!(rollout.await.expect("no panic").is_ok());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_resize_during_a_rollout_ends_with_the_pool() {
    let running = started(2).await;
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::Hangs)));
    quiet().await;
    let pool = running.pool.clone();
    let resize = tokio::spawn(async move { pool.resize(4).await });
    quiet().await;
    assert!(!resize.is_finished());
    soon(running.pool.stop(PoolShutdown::Drain)).await;
    assert_eq!(resize.await.expect("no panic"), Err(PoolError::Stopped));
    assert_eq!(rollout.await.expect("no panic"), Err(RolloutError::Stopped));
    running.close().await;
}
