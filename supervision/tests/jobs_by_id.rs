//! Jobs by their ids: status, result and cancel, while they wait or run and after their ends.

use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering;

use perennial_actors::System;
use perennial_supervision::Backoff;
use perennial_supervision::pool::{JobError, JobId, JobStatus, Pool, PoolShutdown};
use tokio::time::sleep;

use crate::support::bombs::Bomb;
use crate::support::pool::{
    Job, Running, Step, describe, job, long, now, outcome_of, pends, quick, quiet, scripted_pool, secs, soon,
    start, started,
};

/// A pool of one worker that retains this many results for a minute.
async fn retaining(max: usize) -> Running {
    let (pool, journal) = scripted_pool(1);
    start((pool.retain_results(max, secs(60)), journal)).await
}

async fn detach(running: &Running, job: Job) -> JobId {
    soon(running.pool.submit(job).detach()).await.expect("it is accepted")
}

fn status(running: &Running, id: JobId) -> Option<JobStatus> {
    running.pool.job(id).map(|job| job.status())
}

async fn outcome(running: &Running, id: JobId) -> String {
    outcome_of(running.pool.job(id).expect("there is such a job")).await
}

#[tokio::test(start_paused = true)]
async fn a_job_is_found_by_its_id_wherever_it_waits_and_while_it_runs() {
    let running = started(2).await;
    let busy = running.submit(long(1, secs(1)));
    let other = running.submit(long(2, secs(1)));
    quiet().await;
    let plain = detach(&running, quick(3)).await;
    let keyed = now(running.pool.submit(quick(4)).key(&"a"));
    let urgent = now(running.pool.submit(quick(5)).priority(7));
    let delayed = now(running.pool.submit(quick(6)).delay(secs(9)));
    assert_eq!(status(&running, busy.id()), Some(JobStatus::Running));
    assert_eq!(status(&running, other.id()), Some(JobStatus::Running));
    for id in [plain, keyed.id(), urgent.id()] {
        assert_eq!(status(&running, id), Some(JobStatus::Queued));
    }
    assert_eq!(status(&running, delayed.id()), Some(JobStatus::Delayed));
    assert_eq!(outcome(&running, delayed.id()).await, "done 6");
    // The results of a pool that retains none are found by their handles only.
    for id in [plain, keyed.id(), urgent.id(), delayed.id(), busy.id()] {
        assert!(running.pool.job(id).is_none() && !running.pool.cancel(id));
    }
    assert_eq!(busy.status(), JobStatus::Succeeded);
    assert_eq!(outcome_of(busy).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_job_is_awaited_by_its_id() {
    let running = started(1).await;
    let id = detach(&running, long(1, secs(1))).await;
    let handle = running.pool.job(id).expect("it runs");
    assert_eq!((handle.id(), outcome_of(handle).await.as_str()), (id, "done 1"));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_retry_is_delayed() {
    let running = started(1).await;
    let flaky = running.pool.submit(job(1, [Step::Fail, Step::Do])).backoff(Backoff::new(secs(9), secs(9)));
    let id = soon(flaky.detach()).await.expect("it is accepted");
    quiet().await;
    assert_eq!(status(&running, id), Some(JobStatus::Delayed));
    assert_eq!(outcome(&running, id).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn each_handle_of_a_job_waits_and_one_gets_the_output() {
    let running = started(1).await;
    let mut first = running.submit(long(1, secs(1)));
    let mut second = running.pool.job(first.id()).expect("it runs");
    let mut third = running.pool.job(first.id()).expect("it runs");
    let left = running.pool.job(first.id()).expect("it runs");
    for handle in [&mut first, &mut second, &mut third] {
        assert!(pends(handle).await);
    }
    // A handle that gives up takes nothing with it.
    drop(left);
    drop(second);
    let (first, third) = tokio::join!(soon(first), soon(third));
    let mut outcomes = [describe(&first), describe(&third)];
    outcomes.sort();
    assert_eq!(outcomes, ["done 1", "taken"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn each_handle_of_a_job_gets_its_error() {
    let running = started(1).await;
    let busy = running.submit(long(1, secs(1)));
    quiet().await;
    let (fails, cancelled) = (running.submit(job(2, [Step::Fail])), running.submit(quick(3)));
    let (again, also) = (running.pool.job(fails.id()), running.pool.job(cancelled.id()));
    let (again, also) = (again.expect("it waits"), also.expect("it waits"));
    assert!(running.pool.cancel(cancelled.id()) && !running.pool.cancel(cancelled.id()));
    for handle in [fails, again] {
        assert_eq!(outcome_of(handle).await, "no luck, no luck, no luck");
    }
    for handle in [cancelled, also] {
        assert_eq!(outcome_of(handle).await, "cancelled");
    }
    assert_eq!(outcome_of(busy).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_was_awaited_does_not_hang_when_it_is_awaited_again() {
    let running = started(1).await;
    let (mut done, mut dead) = (running.submit(quick(1)), running.submit(job(2, [Step::Fail])));
    assert_eq!(soon(&mut done).await, Ok(1));
    assert!(matches!(soon(&mut done).await, Err(JobError::ResultTaken(_))));
    let failed = soon(&mut dead).await;
    assert_eq!(soon(&mut dead).await, failed);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_retains_results_for_as_long_as_it_is_told() {
    let running = retaining(100).await;
    let done = detach(&running, quick(1)).await;
    let dead = detach(&running, job(2, [Step::Fail])).await;
    let handle = running.submit(quick(3));
    let read = handle.id();
    assert_eq!(outcome_of(handle).await, "done 3");
    let expired = running.pool.submit(quick(4)).delay(secs(9)).expires_in(secs(2));
    let expired = soon(expired.detach()).await.expect("it is accepted");
    let cancelled = detach(&running, quick(5)).await;
    assert!(running.pool.cancel(cancelled));
    sleep(secs(58)).await;
    let statuses = [done, dead, read, expired, cancelled].map(|id| status(&running, id));
    assert_eq!(
        statuses.map(|status| status.expect("it is retained")),
        [
            JobStatus::Succeeded,
            JobStatus::Failed,
            JobStatus::Succeeded,
            JobStatus::Expired,
            JobStatus::Cancelled
        ]
    );
    assert_eq!(outcome(&running, done).await, "done 1");
    assert_eq!(outcome(&running, done).await, "taken");
    assert_eq!(outcome(&running, read).await, "taken");
    for _ in 0..2 {
        assert_eq!(outcome(&running, dead).await, "no luck, no luck, no luck");
        assert_eq!(outcome(&running, expired).await, "expired");
        assert_eq!(outcome(&running, cancelled).await, "cancelled");
        assert!(!running.pool.cancel(cancelled));
    }
    sleep(secs(2)).await;
    assert_eq!([done, dead, read, cancelled].map(|id| status(&running, id)), [None; 4]);
    // It expired two seconds after its submission, so its result is kept two seconds longer.
    assert_eq!(status(&running, expired), Some(JobStatus::Expired));
    sleep(secs(2)).await;
    assert_eq!(status(&running, expired), None);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_retains_as_many_results_as_it_is_told() {
    let running = retaining(2).await;
    let mut ids = Vec::new();
    for number in 1..=4 {
        ids.push(detach(&running, quick(number)).await);
        running.drained().await;
    }
    assert!(running.pool.job(ids[0]).is_none() && running.pool.job(ids[1]).is_none());
    assert_eq!(outcome(&running, ids[2]).await, "done 3");
    assert_eq!(outcome(&running, ids[3]).await, "done 4");
    let (pool, journal) = scripted_pool(1);
    let none = start((pool.retain_results(0, secs(60)), journal)).await;
    let id = detach(&none, quick(1)).await;
    none.drained().await;
    assert!(none.pool.job(id).is_none());
    running.close().await;
    none.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_stop_drops_has_a_status_and_is_retained() {
    let running = retaining(100).await;
    let (hangs, waits) = (detach(&running, job(1, [Step::Hang])).await, detach(&running, quick(2)).await);
    let handle = running.pool.job(waits).expect("it waits");
    soon(running.pool.stop(PoolShutdown::Abort)).await;
    assert_eq!(handle.status(), JobStatus::Dropped);
    for id in [hangs, waits] {
        assert_eq!(status(&running, id), Some(JobStatus::Dropped));
        assert_eq!(outcome(&running, id).await, "dropped");
    }
    let Running { app, pool, .. } = running;
    drop((app, pool));
    quiet().await;
    // The pool is gone, and the job still knows its end.
    assert_eq!(handle.status(), JobStatus::Dropped);
    assert!(!handle.cancel());
}

#[tokio::test(start_paused = true)]
async fn results_that_panic_as_they_are_dropped_age_one_by_one_and_cost_nothing() {
    let bomb = ManuallyDrop::new(Bomb::new());
    let (dropped, result) = (bomb.0.clone(), ManuallyDrop::new(Bomb::clone(&bomb)));
    let pool = Pool::from_fn("bombs", 2, move |(): &()| {
        let result = Bomb::clone(&result);
        async move { Ok::<Bomb, ()>(result) }
    });
    let pool = pool.retain_results(3, secs(60));
    let (bombs, app) = (pool.handle(), pool.start(&System::new()).await.expect("it starts"));
    for _ in 0..5 {
        soon(bombs.submit(()).detach()).await.expect("it is open");
    }
    soon(bombs.drain()).await;
    // Two were too many.
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    sleep(secs(61)).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 5);
    soon(bombs.submit(()).detach()).await.expect("it is open");
    soon(bombs.drain()).await;
    assert_eq!(bombs.stats().completed, 6);
    let counts = bombs.supervisor().count_children().await.expect("it lives");
    // Two workers and the manager.
    assert_eq!(counts.active, 3);
    assert!(app.shutdown().await.is_clean());
    drop((app, bombs));
    quiet().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
}
