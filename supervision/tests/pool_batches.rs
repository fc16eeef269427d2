//! Batches: their options, their ids, and how they are cancelled.

use std::future::pending;

use perennial_actors::System;
use perennial_supervision::Backoff;
use perennial_supervision::pool::{Batch, JobError, JobEvent, JobId, JobStatus, Pool};
use tokio::time::{Instant, timeout};

use crate::support::pool::{
    Job, Running, ScriptedWorker, Step, describe, events, job, long, ms, now, outcome_of, quick, quiet,
    scripted_pool, secs, soon, start, started,
};

async fn batch(running: &Running, jobs: impl IntoIterator<Item = Job>) -> Batch<ScriptedWorker> {
    soon(running.pool.submit_many(jobs)).await.expect("they are accepted")
}

async fn results(batch: Batch<ScriptedWorker>) -> Vec<String> {
    soon(batch.join_all()).await.iter().map(describe).collect()
}

#[tokio::test(start_paused = true)]
async fn the_priority_of_a_batch_is_that_of_each_job() {
    let running = started(1).await;
    let busy = running.submit(long(1, ms(10)));
    quiet().await;
    let plain = running.submit(quick(2));
    let urgent = running.pool.submit_many([quick(3), quick(4)]).priority(7);
    let urgent = soon(urgent).await.expect("they are accepted");
    assert_eq!(results(urgent).await, ["done 3", "done 4"]);
    assert_eq!((outcome_of(busy).await, outcome_of(plain).await), ("done 1".into(), "done 2".into()));
    assert_eq!(running.journal.jobs(), [1, 3, 4, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_retries_of_a_batch_are_counted_for_each_job() {
    let running = started(1).await;
    let jobs = [job(1, [Step::Fail]), job(2, [Step::Fail, Step::Do]), job(3, [Step::Panic])];
    let attempts = soon(running.pool.submit_many(jobs).attempts(2)).await.expect("they are accepted");
    assert_eq!(results(attempts).await, ["no luck, no luck", "done 2", "panicked, panicked"]);
    let jobs = [job(1, [Step::Fail]), job(2, [Step::Panic])];
    let once = soon(running.pool.submit_many(jobs).at_most_once()).await.expect("they are accepted");
    assert_eq!(results(once).await, ["no luck", "panicked"]);
    let jobs = [job(1, [Step::Fail]), job(2, [Step::Panic, Step::Do])];
    let rule = running.pool.submit_many(jobs).retry_if(|error| *error != "no luck");
    assert_eq!(results(soon(rule).await.expect("they are accepted")).await, ["no luck", "done 2"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_times_of_a_batch_are_counted_for_each_job() {
    let running = started(1).await;
    let delayed = running.pool.submit_many([quick(1), quick(2)]).delay(secs(9));
    let before = Instant::now();
    assert_eq!(results(soon(delayed).await.expect("they are accepted")).await, ["done 1", "done 2"]);
    assert_eq!(before.elapsed().as_secs(), 9);
    // Each has its own second, though the second one starts later.
    let limited = [long(1, ms(900)), long(2, ms(900)), job(3, [Step::Hang])];
    let limited = running.pool.submit_many(limited).time_limit(secs(1)).attempts(1);
    let limited = results(soon(limited).await.expect("they are accepted")).await;
    assert_eq!(limited, ["done 1", "done 2", "timed out"]);
    let expiring = running.pool.submit_many([long(1, secs(2)), quick(2)]).expires_in(secs(1));
    assert_eq!(results(soon(expiring).await.expect("they are accepted")).await, ["done 1", "expired"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_jobs_of_a_batch_with_a_key_run_on_one_worker_in_order() {
    let running = started(4).await;
    let jobs = (1..=9).map(|number| long(number, ms(5)));
    let keyed = soon(running.pool.submit_many(jobs).key(&"a")).await.expect("they are accepted");
    assert_eq!(results(keyed).await.len(), 9);
    let starts = running.journal.take();
    assert!(starts.iter().all(|start| start.slot == starts[0].slot));
    assert!(starts.iter().map(|start| start.job).eq(1..=9));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_job_of_a_batch_that_is_retried_leaves_the_options_of_the_others() {
    let running = started(1).await;
    let jobs = [job(1, [Step::Fail, Step::Do]), job(2, [Step::Fail])];
    let jobs = soon(running.pool.submit_many(jobs).delay(secs(9)).attempts(1).priority(3));
    let jobs = jobs.await.expect("they are accepted");
    assert_eq!(results(jobs).await, ["no luck", "no luck"]);
    let (before, dead) = (Instant::now(), running.pool.drain_dead_jobs());
    let again: Vec<_> = dead.into_iter().map(|dead| running.pool.retry_dead_job(dead)).collect();
    let mut ends = Vec::new();
    for job in again {
        ends.push(outcome_of(job.expect("there is room")).await);
    }
    // Without the delay, and with the one attempt.
    assert_eq!((ends, before.elapsed()), (vec!["done 1".into(), "no luck".into()], secs(0)));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_is_dropped_leaves_the_queued_jobs_and_drops_the_others() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(2), journal)).await;
    let jobs = (1..=9).map(|number| long(number, secs(1)));
    let submitting = running.pool.submit_many(jobs).priority(1);
    assert!(timeout(ms(10), submitting).await.is_err(), "it waits for room");
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1, 2, 3]);
    // It was prepared, and is never awaited.
    drop(running.pool.submit_many([quick(1)]).priority(1));
    running.drained().await;
    assert_eq!((running.journal.jobs().len(), running.pool.stats().submitted), (0, 3));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_knows_the_ids_of_its_jobs_in_submission_order() {
    let running = started(2).await;
    let numbered = batch(&running, [quick(1), quick(2), quick(3)]).await;
    let ids: Vec<String> = numbered.ids().iter().map(ToString::to_string).collect();
    assert_eq!(ids, ["#1", "#2", "#3"]);
    assert_eq!(numbered.len(), 3);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_is_a_batch_that_is_cancelled_as_any_other() {
    let pool = Pool::from_fn("hangs", 3, |(): &()| pending::<Result<(), ()>>());
    let (hangs, app) = (pool.handle(), pool.start(&System::new()).await.expect("it starts"));
    let copies = soon(hangs.submit(()).broadcast()).await.expect("it is accepted");
    quiet().await;
    let status = |id: &JobId| hangs.job(*id).map(|job| job.status());
    assert!(copies.ids().iter().map(status).eq([Some(JobStatus::Running); 3]));
    assert_eq!(copies.cancel(), 3);
    let ends = soon(copies.join_all()).await;
    assert!(ends.iter().all(|end| matches!(end, Err(JobError::Cancelled(_)))));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_output_goes_to_the_batch_and_an_error_also_to_a_handle_by_id() {
    let running = started(1).await;
    let jobs = batch(&running, [long(1, ms(10)), job(2, [Step::Fail])]).await;
    let handle = |place: usize| running.pool.job(jobs.ids()[place]).expect("it has not ended");
    let (succeeds, fails) = (handle(0), handle(1));
    running.drained().await;
    assert_eq!(succeeds.status(), JobStatus::Succeeded);
    assert_eq!(outcome_of(succeeds).await, "taken");
    assert_eq!(outcome_of(fails).await, "no luck, no luck, no luck");
    assert_eq!(results(jobs).await, ["done 1", "no luck, no luck, no luck"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_outputs_of_detached_jobs_are_asked_for_by_their_ids() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.retain_results(10, secs(60)), journal)).await;
    let detached = running.pool.submit_many([quick(1), job(2, [Step::Fail])]).attempts(1).detach();
    let ids = soon(detached).await.expect("they are accepted");
    running.drained().await;
    let mut ends = Vec::new();
    for id in ids {
        ends.push(outcome_of(running.pool.job(id).expect("it is retained")).await);
    }
    assert_eq!(ends, ["done 1", "no luck"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_counts_the_jobs_that_have_ended_whether_their_results_were_returned_or_not() {
    let running = started(4).await;
    let jobs = [long(0, ms(40)), long(1, ms(10)), job(2, [Step::FailAfter(ms(20))]), long(3, ms(20))];
    let mut counted = soon(running.pool.submit_many(jobs).attempts(1)).await.expect("they are accepted");
    let mut counts = vec![counted.completed()];
    assert_eq!(soon(counted.next_completed()).await.map(|(place, _)| place), Some(1));
    counts.push(counted.completed());
    tokio::time::sleep(ms(20)).await;
    counts.push(counted.completed());
    assert!(timeout(ms(1), counted.next_ordered()).await.is_err(), "the first one runs");
    counts.push(counted.completed());
    assert!(soon(counted.next_ordered()).await.is_some_and(|first| first.is_ok()));
    counts.push(counted.completed());
    assert_eq!(counts, [0, 1, 3, 3, 4]);
    while soon(counted.next_completed()).await.is_some() {}
    assert_eq!(counted.completed(), 4);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_batch_keeps_its_results_and_no_other_job_of_it_starts() {
    let running = started(1).await;
    let jobs = [quick(1), job(2, [Step::Hang])].into_iter().chain((3..=99).map(quick));
    let revoked = batch(&running, jobs).await;
    let other = running.submit(quick(100));
    quiet().await;
    assert_eq!(running.journal.jobs(), [1, 2]);
    assert_eq!((revoked.cancel(), revoked.cancel()), (98, 0));
    // The worker goes on with the job that is not of the batch.
    assert_eq!(outcome_of(other).await, "done 100");
    assert_eq!(running.journal.jobs(), [100]);
    let ends = results(revoked).await;
    assert_eq!((ends.len(), ends[0].as_str()), (99, "done 1"));
    assert!(ends[1..].iter().all(|end| end == "cancelled"));
    assert_eq!(running.pool.stats().dropped, 98);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_batch_are_cancelled_wherever_they_wait_with_what_failed_before() {
    let running = started(2).await;
    let mut subscription = running.pool.subscribe();
    let delays = Backoff::new(secs(60), secs(60));
    let jobs = [job(1, [Step::Fail]), quick(2)];
    let retried = soon(running.pool.submit_many(jobs).backoff(delays)).await.expect("they are accepted");
    let later = soon(running.pool.submit_many([quick(3)]).delay(secs(60))).await.expect("it is accepted");
    quiet().await;
    let ids = [retried.ids()[0], later.ids()[0]];
    let before = events(&mut subscription);
    assert_eq!((retried.cancel(), later.cancel()), (1, 1));
    assert_eq!(events(&mut subscription), ids.map(JobEvent::Cancelled));
    assert!(!before.contains(&JobEvent::Cancelled(ids[0])));
    assert_eq!(results(retried).await, ["cancelled after no luck", "done 2"]);
    assert_eq!(results(later).await, ["cancelled"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_has_ended_cancels_nothing_not_even_after_its_pool() {
    let running = started(1).await;
    let mut ended = batch(&running, [quick(1), quick(2)]).await;
    running.drained().await;
    assert_eq!(ended.cancel(), 0);
    assert!(soon(ended.next_completed()).await.is_some_and(|(_, first)| first.is_ok()));
    assert_eq!(ended.cancel(), 0);
    running.close().await;
    assert_eq!((ended.cancel(), results(ended).await), (0, vec!["done 2".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn room_that_a_cancelled_batch_leaves_goes_to_the_submitters_that_wait() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(2), journal)).await;
    let busy = running.submit(long(1, secs(1)));
    quiet().await;
    let revoked = batch(&running, [quick(2), quick(3)]).await;
    let (pool, jobs) = (running.pool.clone(), [quick(4), quick(5)]);
    let waiting = tokio::spawn(async move { soon(pool.submit_many(jobs)).await });
    quiet().await;
    assert_eq!(revoked.cancel(), 2);
    let waiting = soon(waiting).await.expect("it does not panic").expect("there is room now");
    assert_eq!(results(waiting).await, ["done 4", "done 5"]);
    assert_eq!(outcome_of(busy).await, "done 1");
    assert_eq!(running.journal.jobs(), [1, 4, 5]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_are_cancelled_by_a_list_of_ids_each_once() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.retain_results(10, secs(60)), journal)).await;
    let done = running.submit(quick(1));
    running.drained().await;
    let single = running.submit(job(2, [Step::Hang]));
    quiet().await;
    let detached = soon(running.pool.submit_many([quick(3), quick(4), quick(5)]).detach());
    let detached = detached.await.expect("they are accepted");
    let left = now(running.pool.submit(quick(6)));
    let ids = [done.id(), single.id(), detached[0], detached[2], detached[0]];
    assert_eq!((running.pool.cancel_all(&ids), running.pool.cancel_all(&ids)), (3, 0));
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1, 2, 4, 6]);
    let status = |id| running.pool.job(id).map(|job| job.status());
    assert_eq!(status(detached[0]), Some(JobStatus::Cancelled));
    assert_eq!(status(detached[1]), Some(JobStatus::Succeeded));
    let ends = [outcome_of(done).await, outcome_of(single).await, outcome_of(left).await];
    assert_eq!(ends, ["done 1", "cancelled", "done 6"]);
    assert_eq!(running.pool.cancel_all(&[]), 0);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_tells_the_number_of_the_latest_attempt() {
    let running = started(1).await;
    let busy = running.submit(long(1, ms(10)));
    quiet().await;
    let flaky = running.submit(job(2, [Step::FailAfter(secs(1)), Step::FailAfter(secs(1)), Step::Do]));
    let mut attempts = vec![flaky.attempt()];
    assert_eq!(outcome_of(busy).await, "done 1");
    for _ in 0..2 {
        quiet().await;
        attempts.push(flaky.attempt());
        tokio::time::sleep(secs(1)).await;
    }
    running.drained().await;
    attempts.push(flaky.attempt());
    assert_eq!(attempts, [0, 1, 2, 3]);
    assert_eq!(outcome_of(flaky).await, "done 2");
    running.close().await;
}
