//! The jobs that are reserved for an additional worker of a rollout, when that worker ends.

use perennial_supervision::Backoff;
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{ms, quiet, secs, soon};
use crate::support::versioned::{Init, Running, Take, spawn, start, started};

/// Asserts that jobs with any key run at once, and that a broadcast runs on this many workers.
async fn assert_jobs_run(running: &Running, workers: usize) {
    let begun = Instant::now();
    for key in 0..32_u32 {
        soon(pool::now(running.pool.submit(Take(ms(1))).key(&key))).await.expect("it is done");
    }
    assert_eq!(running.versions().await.len(), workers);
    assert!(begun.elapsed() < secs(1), "a job waited for {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_job_waits_for_an_additional_worker_that_was_stopped() {
    let running = started(2).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).min_ready(secs(60));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(1));
    quiet().await;
    assert_jobs_run(&running, 3).await;
    running.pool.supervisor().terminate_child("2").await.expect("it runs");
    assert_jobs_run(&running, 2).await;
    running.pool.undo_rollout();
    rollout.await.expect("no panic").expect_err("it is undone");
    assert_jobs_run(&running, 2).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_job_waits_for_an_additional_worker_that_is_restarted_later() {
    let running = start(2, |pool| pool.backoff(Backoff::new(secs(10), secs(10)))).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).min_ready(secs(60));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(1));
    quiet().await;
    running.app.tree().at(["2"]).expect("it is there").handle.kill().expect("it runs");
    quiet().await;
    assert_jobs_run(&running, 2).await;
    sleep(secs(10)).await;
    assert_jobs_run(&running, 3).await;
    rollout.await.expect("no panic").expect("it is good");
    assert_jobs_run(&running, 2).await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_job_waits_for_an_additional_worker_that_finishes_its_last_job() {
    let running = started(1).await;
    let first = running.submit(secs(5));
    quiet().await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).grace(secs(200));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(1));
    quiet().await;
    let last = running.submit(secs(100));
    sleep(secs(10)).await;
    assert_eq!(running.workers(), 2, "the new worker, and the additional one with its job");
    assert_jobs_run(&running, 1).await;
    assert!(!rollout.is_finished());
    assert_eq!((soon(first).await.map(|done| done.0), soon(last).await.map(|done| done.0)), (Ok(1), Ok(2)));
    assert_eq!(rollout.await.expect("no panic").expect("it is good").replaced, [0]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_additional_worker_that_an_owner_starts_after_the_rollout_declines() {
    let running = started(1).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts));
    soon(rollout.max_unavailable(0).max_surge(1)).await.expect("it is good");
    let _ = running.pool.supervisor().restart_child("1").await;
    quiet().await;
    assert_eq!((running.workers(), running.pool.stats().workers.running), (1, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_surplus_worker_that_is_wanted_again_before_it_is_stopped_runs_on() {
    let running = started(1).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).grace(secs(20));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(1).min_ready(secs(1)));
    quiet().await;
    running.pool.supervisor().terminate_child("0").await.expect("it runs");
    let job = running.submit(secs(30));
    sleep(secs(18)).await;
    // It waits until the additional worker has ended, and makes it a surplus one.
    let supervisor = running.pool.supervisor().clone();
    let owner = tokio::spawn(async move { supervisor.restart_child("1").await });
    rollout.await.expect("no panic").expect("it is good");
    owner.await.expect("no panic").expect("it starts");
    running.pool.pause_rollout();
    let rollout = spawn(running.pool.rollout().args(running.version(3, Init::Starts)));
    sleep(secs(1)).await;
    assert_eq!(running.workers(), 2, "its stop waits for the rollout");
    running.pool.resize(2).await.expect("it runs already");
    running.pool.resume_rollout();
    rollout.await.expect("no panic").expect("it is good");
    let pid = || running.app.tree().at(["1"]).expect("it is there").handle.pid();
    let worker = pid();
    sleep(secs(10)).await;
    assert!(worker.is_some() && worker == pid());
    soon(job).await.expect("it is done");
    running.close().await;
}
