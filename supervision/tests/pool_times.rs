//! Delays, expiry and rates of jobs.

use std::future::IntoFuture;

use perennial_supervision::Backoff;
use perennial_supervision::pool::RateLimit;
use tokio::time::{Instant, sleep};

use crate::support::pool::{
    Step, describe, job, long, ms, now, outcome_of, pends, quick, quiet, scripted_pool, secs, start, started,
};

#[tokio::test(start_paused = true)]
async fn a_delayed_job_starts_in_time_and_blocks_no_other() {
    let running = started(1).await;
    running.journal.take();
    let late = now(running.pool.submit(quick(1)).delay(secs(2)));
    let soon = now(running.pool.submit(quick(2)).delay(secs(1)));
    assert_eq!(outcome_of(running.submit(quick(3))).await, "done 3");
    assert_eq!((outcome_of(late).await, outcome_of(soon).await), ("done 1".to_owned(), "done 2".to_owned()));
    let begun = running.journal.take();
    assert_eq!(begun.iter().map(|begun| begun.job).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!((begun[1].at - begun[0].at, begun[2].at - begun[0].at), (1000, 2000));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_job_keeps_its_submission_order_once_due() {
    let running = started(1).await;
    let first = now(running.pool.submit(quick(1)).delay(ms(10)));
    let busy = running.submit(long(2, ms(20)));
    let third = running.submit(quick(3));
    for job_handle in [first, busy, third] {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(running.journal.jobs(), [2, 1, 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_expires_unless_it_starts_in_time() {
    let running = started(1).await;
    let begun = now(running.pool.submit(long(1, secs(9))).expires_in(secs(1)));
    quiet().await;
    let late = now(running.pool.submit(quick(2)).expires_in(secs(2)));
    let before = Instant::now();
    assert_eq!(outcome_of(late).await, "expired");
    assert_eq!(before.elapsed(), secs(2), "it expires in time, though no worker looks for a job");
    assert_eq!(outcome_of(begun).await, "done 1");
    assert_eq!(running.journal.jobs(), [1]);
    assert_eq!(running.pool.stats().dropped, 1);
    assert!(running.pool.drain_dead_jobs().is_empty(), "nothing failed");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_expires_counted_from_the_first_poll_of_its_submission_also_while_it_waits_for_room() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1), journal)).await;
    let late = running.pool.submit(quick(9)).expires_in(secs(1)).into_future();
    sleep(secs(2)).await;
    assert_eq!(outcome_of(late.await.expect("there is room")).await, "done 9", "it was polled just now");
    let before = Instant::now();
    let first = running.submit(long(0, secs(5)));
    quiet().await;
    let queued = running.submit(quick(1));
    let waits = |number, time| {
        let submission = running.pool.submit(quick(number)).expires_in(secs(time));
        tokio::spawn(async move { outcome_of(submission.await.expect("it is accepted")).await })
    };
    let (expires, runs) = (waits(2, 3), waits(3, 6));
    let batch = running.pool.submit_many([quick(4), quick(5)]).expires_in(secs(3));
    let batch = tokio::spawn(async move { batch.await.expect("it is accepted").join_all().await });
    assert_eq!(outcome_of(first).await, "done 0");
    assert_eq!(outcome_of(queued).await, "done 1");
    assert_eq!(
        (expires.await.expect("it returns"), runs.await.expect("it returns")),
        ("expired".into(), "done 3".into())
    );
    for result in batch.await.expect("it returns") {
        assert_eq!(describe(&result), "expired");
    }
    assert_eq!(before.elapsed(), secs(5));
    assert_eq!(running.journal.jobs(), [9, 0, 1, 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_expires_while_delayed_paused_rate_limited_or_routed() {
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.rate(RateLimit::window(1, secs(60))), journal)).await;
    assert_eq!(outcome_of(running.submit(quick(0))).await, "done 0");
    let kept = now(running.pool.submit(quick(1)).expires_in(secs(1)));
    let delayed = now(running.pool.submit(quick(2)).delay(secs(2)).expires_in(secs(1)));
    let keyed = now(running.pool.submit(quick(3)).key(&1).expires_in(secs(1)));
    let before = Instant::now();
    for job_handle in [kept, delayed, keyed] {
        assert_eq!(outcome_of(job_handle).await, "expired");
    }
    running.pool.pause();
    assert_eq!(outcome_of(now(running.pool.submit(quick(4)).expires_in(secs(1)))).await, "expired");
    assert_eq!(before.elapsed(), secs(2));
    assert_eq!(running.journal.jobs(), [0]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_retried_job_expires_in_time() {
    for backoff in [ms(0), secs(60)] {
        let running = started(1).await;
        let before = Instant::now();
        let ill = running.pool.submit(job(1, [Step::FailAfter(ms(50)), Step::Do])).expires_in(ms(100));
        let ill = now(ill.backoff(Backoff::new(backoff, backoff)));
        quiet().await;
        // It gets the worker as soon as that is free, and becomes due before the first job expires.
        let urgent = now(running.pool.submit(long(2, secs(9))).priority(1));
        let other = now(running.pool.submit(quick(3)).expires_in(ms(20)));
        assert_eq!(outcome_of(other).await, "expired");
        assert_eq!(outcome_of(ill).await, "expired after no luck");
        assert_eq!(before.elapsed(), ms(100));
        assert_eq!(outcome_of(urgent).await, "done 2");
        assert_eq!(running.journal.jobs(), [1, 2]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_retried_job_that_has_expired_does_not_start() {
    let running = started(1).await;
    let ill = now(running.pool.submit(job(1, [Step::FailAfter(secs(2)), Step::Do])).expires_in(secs(1)));
    assert_eq!(outcome_of(ill).await, "expired after no luck");
    assert_eq!(running.journal.jobs(), [1]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_rate_limits_starts_per_period_retries_included() {
    let (pool, journal) = scripted_pool(4);
    let running = start((pool.rate(RateLimit::window(3, secs(1))), journal)).await;
    running.journal.take();
    let before = Instant::now();
    let ill = running.submit(job(0, [Step::Fail, Step::Do]));
    let all: Vec<_> = running.submit_all(1..=7).into_iter().chain([ill]).collect();
    for job_handle in all {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(before.elapsed().as_secs(), 2);
    let times = running.journal.times();
    let begun: Vec<u64> = times.iter().map(|at| at - times[0]).collect();
    assert_eq!(begun, [0, 0, 0, 1000, 1000, 1000, 2000, 2000, 2000]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_unused_rate_may_be_used_at_once() {
    let (pool, journal) = scripted_pool(4);
    let running = start((pool.rate(RateLimit::window(3, secs(1))), journal)).await;
    sleep(secs(60)).await;
    let before = Instant::now();
    let mut all = running.submit_all(1..=4);
    let mut fourth = all.pop().expect("there are four");
    for job_handle in all {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(before.elapsed(), secs(0));
    assert!(pends(&mut fourth).await);
    assert_eq!(outcome_of(fourth).await, "done 4");
    assert_eq!(before.elapsed(), secs(1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_pool_resumes_after_a_pause() {
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.rate(RateLimit::window(1, secs(1))), journal)).await;
    let all = running.submit_all(1..=3);
    quiet().await;
    running.pool.pause();
    sleep(secs(5)).await;
    assert_eq!(running.journal.jobs(), [1]);
    running.pool.resume();
    let before = Instant::now();
    for job_handle in all {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(before.elapsed(), secs(1));
    running.close().await;
}

/// More jobs than are removed at once. All expire at one moment of paused time.
#[tokio::test(start_paused = true)]
async fn all_jobs_that_expire_together_do_so_at_that_moment_however_many() {
    let running = started(1).await;
    let expiring: Vec<_> =
        (0..1000).map(|id| now(running.pool.submit(quick(id)).delay(secs(9)).expires_in(secs(1)))).collect();
    let begun = Instant::now();
    for job_handle in expiring {
        assert_eq!(outcome_of(job_handle).await, "expired");
    }
    assert_eq!(begun.elapsed(), secs(1));
    running.close().await;
}
