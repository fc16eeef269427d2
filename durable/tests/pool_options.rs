//! The options of a job hold in whichever process runs it, and what is kept of it is limited.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::{Durable, DurableHandle, DurablePool, OutcomeError, Resolution};
use perennial_durable::{AttemptFailure, MAX_HISTORY, MemoryStore, RecordState};
use perennial_supervision::pool::{JobContext, Pool, RateLimit};
use perennial_supervision::{App, SupervisorHandle};
use tokio::time::{Instant, sleep};

use crate::support::{Numbers, hold, squares};

async fn start(pool: DurablePool<Numbers>) -> (App<SupervisorHandle>, DurableHandle<Numbers>) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("a pool"), handle)
}

#[tokio::test(start_paused = true)]
async fn time_limits_of_a_job_hold_in_the_process_that_runs_it() {
    let store = MemoryStore::new();
    let submitter = squares().durable(Arc::new(store.join())).handle();
    let second = Duration::from_secs(1);
    let hard = submitter.submit(1).time_limit(second).await.unwrap();
    let soft = submitter.submit(2).soft_time_limit(second).await.unwrap();
    let pool = Pool::from_fn_with_context("squares", 2, |n: &u64, ctx: JobContext<'static>| {
        let n = *n;
        async move {
            tokio::select! {
                () = ctx.soft_limit() => Ok(n),
                () = sleep(Duration::from_secs(60)) => Err("too late".to_owned()),
            }
        }
    });
    let began = Instant::now();
    let (app, numbers) = start(pool.durable(Arc::new(store.restart())).attempts(1)).await;
    let hard = numbers.job(hard.id()).outcome().await;
    assert_eq!(hard, Err(OutcomeError::Dead(vec![AttemptFailure::TimedOut; 3])), "its own attempts");
    assert_eq!(numbers.job(soft.id()).outcome().await, Ok(2));
    assert_eq!(began.elapsed().as_secs(), 3);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_kind_are_limited_by_its_rate_and_others_are_not() {
    let pool = squares().rate_per_key(RateLimit::per(1, Duration::from_secs(1)));
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new())).prefetch(20)).await;
    let began = Instant::now();
    let limited = numbers.submit_many(0..5).rate_key("host").await.unwrap();
    assert_eq!(numbers.submit(7).rate_key("other").await.unwrap().outcome().await, Ok(49));
    assert_eq!(began.elapsed().as_secs(), 0);
    assert!(limited.join_all().await.iter().all(Result::is_ok));
    assert_eq!(began.elapsed().as_secs(), 4);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn old_results_and_dead_jobs_are_removed_when_their_time_is_over_also_while_nothing_happens() {
    let pool: Pool<Numbers> = Pool::from_fn("squares", 2, |n: &u64| {
        std::future::ready(if *n == 0 { Err("zero".to_owned()) } else { Ok(*n) })
    });
    let hour = Duration::from_secs(3_600);
    let pool = pool.durable(Arc::new(MemoryStore::new())).retain_results(hour).retain_dead_jobs(2 * hour);
    let (app, numbers) = start(pool).await;
    let done = numbers.submit_many(1..=1_000).await.unwrap();
    let dead = numbers.submit_many([0, 0]).await.unwrap();
    let kept = numbers.submit(0).retain_dead(hour * 10).await.unwrap();
    drop((done.join_all().await, dead.join_all().await, kept.outcome().await));
    let count = async |state| numbers.info().await.unwrap().count(state);
    sleep(hour - Duration::from_secs(60)).await;
    assert_eq!(count(RecordState::Completed).await, 1_000);
    sleep(Duration::from_secs(180)).await;
    assert_eq!((count(RecordState::Completed).await, count(RecordState::Dead).await), (0, 3));
    sleep(hour).await;
    assert_eq!(count(RecordState::Dead).await, 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_of_unknown_outcome_is_shown_and_resolved_by_hand_in_each_way() {
    let store = MemoryStore::new();
    let (pool, _release) = hold();
    let (_old, numbers) = start(pool.durable(Arc::new(store.join())).prefetch(3)).await;
    let batch = numbers.submit_many([5, 6, 7]).at_most_once().await.unwrap();
    let ids: Vec<_> = batch.jobs().iter().map(perennial_durable::pool::DurableJob::id).collect();
    while numbers.info().await.unwrap().count(RecordState::Running) < 3 {
        tokio::task::yield_now().await;
    }
    let (app, next) = start(squares().durable(Arc::new(store.restart()))).await;
    for id in &ids {
        assert_eq!(next.job(*id).outcome().await, Err(OutcomeError::Unknown));
    }
    sleep(Duration::from_secs(60)).await;
    let unknown = next.unknown_jobs(None, 10).await.unwrap();
    assert_eq!(unknown.iter().map(|record| record.id).collect::<Vec<_>>(), ids, "none was replayed");
    assert_eq!(next.resolve(ids[0], Resolution::Completed(1)).await, Ok(true));
    assert_eq!(next.resolve(ids[1], Resolution::Retry).await, Ok(true));
    assert_eq!(next.resolve(ids[2], Resolution::Remove).await, Ok(true));
    assert_eq!(next.job(ids[0]).outcome().await, Ok(1), "what the person has found out");
    assert_eq!(next.job(ids[1]).outcome().await, Ok(36));
    assert_eq!(next.job(ids[2]).outcome().await, Err(OutcomeError::Gone));
    for resolution in [Resolution::Completed(2), Resolution::Retry, Resolution::Remove] {
        assert_eq!(next.resolve(ids[0], resolution).await, Ok(false), "it has completed");
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_given_back_again_and_again_has_a_short_history() {
    let store = MemoryStore::new();
    let (pool, _release) = hold();
    let job = pool.durable(Arc::new(store.join())).handle().submit(7).lost_workers(1_000).await.unwrap().id();
    for _ in 0..150 {
        let (pool, _release) = hold();
        let (app, numbers) = start(pool.durable(Arc::new(store.restart()))).await;
        while numbers.job(job).record().await.unwrap().unwrap().state != RecordState::Running {
            tokio::task::yield_now().await;
        }
        app.handle().kill().unwrap();
    }
    let (app, numbers) = start(squares().durable(Arc::new(store.restart()))).await;
    assert_eq!(numbers.job(job).outcome().await, Ok(49));
    let history = numbers.job(job).history().await.unwrap();
    assert_eq!((history.len(), history.last().map(|attempt| attempt.number)), (MAX_HISTORY, Some(151)));
    let earlier = history[0].failure.as_ref().map(AttemptFailure::counts).unwrap();
    assert_eq!((earlier.attempts, earlier.lost), (52, 52));
    assert!(app.shutdown().await.is_clean());
}
