//! A worker that its supervisor ends because it failed a check: the failure of its attempt says
//! which check that was.

use std::future::ready;

use perennial_supervision::pool::{AttemptError, JobError, JobEvent, RetryCause, WorkerProbe};
use perennial_supervision::{LivenessFailure, Shutdown};

use crate::support::pool::{
    ScriptedPool, Step, events, job, long, ms, outcome_of, quiet, scripted_pool, secs, soon, start,
};

/// Returns the failure of the attempt at a job that runs forever in a pool with these settings.
async fn failure_of(
    step: Step,
    set: impl FnOnce(ScriptedPool) -> ScriptedPool,
) -> AttemptError<&'static str> {
    let (pool, journal) = scripted_pool(1);
    let running = start((set(pool.attempts(1)), journal)).await;
    let outcome = soon(running.submit(job(1, [step]))).await;
    let Err(JobError::Failed(failures)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failures.len(), 1);
    assert_eq!(running.pool.stats().retried, 0);
    running.close().await;
    failures[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_which_check_the_worker_failed_and_by_how_much() {
    for shutdown in [Shutdown::BrutalKill, Shutdown::Timeout(secs(5))] {
        let failure = failure_of(Step::Hang, |pool| pool.shutdown(shutdown).handler_deadline(secs(10))).await;
        let AttemptError::WorkerUnresponsive(LivenessFailure::Handler(time)) = failure else {
            panic!("{failure:?}")
        };
        assert!(time >= secs(10) && time < secs(11), "{time:?}");
        assert_eq!(
            failure.to_string(),
            format!("the worker was unresponsive: a handler has been running for {time:?}")
        );

        let failure = failure_of(Step::Hang, |pool| pool.shutdown(shutdown).watchdog(secs(30))).await;
        let AttemptError::WorkerUnresponsive(LivenessFailure::Watchdog(time)) = failure else {
            panic!("{failure:?}")
        };
        assert!(time >= secs(30) && time < secs(31), "{time:?}");

        let probe = WorkerProbe::new(|_| ready(false)).failure_threshold(4);
        let failure = failure_of(Step::Hang, |pool| pool.shutdown(shutdown).probe(probe)).await;
        assert_eq!(failure, AttemptError::WorkerUnresponsive(LivenessFailure::Probe(4)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_before_the_kill_has_its_own_result() {
    let (pool, journal) = scripted_pool(1);
    let pool = pool.attempts(1).handler_deadline(secs(10)).shutdown(Shutdown::Timeout(secs(60)));
    let running = start((pool, journal)).await;
    assert_eq!(outcome_of(running.submit(long(1, secs(30)))).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_check_is_a_lost_worker_and_only_that_of_its_own_incarnation() {
    let (pool, journal) = scripted_pool(1);
    let pool = pool.attempts(1).lost_workers(3).watchdog(secs(10)).shutdown(Shutdown::BrutalKill);
    let running = start((pool, journal)).await;
    let mut heard = running.pool.subscribe();
    let hangs = running.submit(job(1, [Step::Hang, Step::Panic, Step::Hang]));
    let id = hangs.id();
    tokio::time::sleep(secs(11)).await;
    quiet().await;
    running.kill(0).await;
    assert_eq!(outcome_of(hangs).await, "watchdog, panicked, killed");
    let lost = JobEvent::Retried { id, cause: RetryCause::LostWorker };
    assert_eq!(events(&mut heard).iter().filter(|event| **event == lost).count(), 2);
    assert_eq!(running.pool.stats().retried_lost, 2);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_hangs_and_is_replaced_by_a_rollout_was_interrupted() {
    let (pool, journal) = scripted_pool(1);
    let running =
        start((pool.attempts(1).watchdog(secs(60)).shutdown(Shutdown::Timeout(ms(100))), journal)).await;
    let hangs = running.submit(job(1, [Step::Hang, Step::Do]));
    quiet().await;
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!(outcome_of(hangs).await, "done 1");
    assert_eq!(running.pool.stats().retried_interrupted, 1);
    running.close().await;
}
