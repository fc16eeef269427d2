//! Attempts: their number, when a job is retried, and dead jobs.

use std::future::ready;
use std::time::Duration;

use perennial_actors::System;
use perennial_supervision::Backoff;
use perennial_supervision::pool::{AttemptError, DeadJob, Failures, JobError, Pool, RateLimit};

use crate::support::pool::{
    ScriptedWorker, StartedAttempt, Step, describe, job, long, ms, now, outcome_of, quick, quiet,
    scripted_pool, secs, soon, start, started,
};
use crate::support::threads;

type Dead = DeadJob<ScriptedWorker>;

#[tokio::test(start_paused = true)]
async fn a_job_has_three_attempts_by_default_without_delay() {
    let running = started(1).await;
    assert_eq!(outcome_of(running.submit(job(1, [Step::Fail, Step::Fail, Step::Do]))).await, "done 1");
    assert_eq!(outcome_of(running.submit(job(2, [Step::Fail]))).await, "no luck, no luck, no luck");
    let begun = running.journal.take();
    assert!(begun.iter().all(|attempt| attempt.at == begun[0].at), "{begun:?}");
    assert_eq!(begun.iter().map(|begun| begun.job).collect::<Vec<_>>(), [1, 1, 1, 2, 2, 2]);
    running.close().await;
}

#[test]
fn the_very_first_attempt_in_a_pool_may_fail_before_it_awaits_anything() {
    threads::on_threads(2, async {
        let pool = Pool::from_fn("refusals", 1, |(): &()| ready(Err::<(), _>("no"))).retry_errors(true);
        let refusals = pool.handle();
        // Jobs may enter the submit buffer while no worker has looked yet.
        refusals.resume();
        let rejected = refusals.submit(()).await.expect("there is room");
        let app = pool.start(&System::new()).await.expect("it starts");
        let outcome = rejected.await;
        assert!(matches!(outcome, Err(JobError::Failed(failures)) if failures.len() == 3));
        assert!(app.shutdown().await.is_clean());
    });
}

#[tokio::test(start_paused = true)]
async fn attempts_are_set_for_a_pool_or_a_job_and_are_at_least_one() {
    for (of_pool, of_job, expected) in [(2, None, 2), (2, Some(4), 4), (0, None, 1), (5, Some(0), 1)] {
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.attempts(of_pool), journal)).await;
        let submission = running.pool.submit(job(1, [Step::Fail]));
        let submission = match of_job {
            Some(attempts) => submission.attempts(attempts),
            None => submission,
        };
        assert_eq!(outcome_of(now(submission)).await, vec!["no luck"; expected].join(", "));
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_without_attempts_left_is_a_dead_job_with_all_its_failures() {
    let running = started(1).await;
    let ill = running.submit(job(7, [Step::Panic, Step::Fail, Step::Panic, Step::Hang]));
    let id = ill.id();
    quiet().await;
    running.kill(0).await;
    let outcome = soon(ill).await;
    assert_eq!(describe(&outcome), "panicked, no luck, panicked, killed");
    assert!(format!("{outcome:?}").contains("a bug"), "{outcome:?}");
    let dead: Vec<Dead> = running.pool.drain_dead_jobs();
    assert_eq!((dead.len(), dead[0].id, dead[0].job.number), (1, id, 7));
    let Err(JobError::Failed(failures)) = outcome else { panic!("it failed") };
    assert_eq!(format!("{:?}", dead[0].failures), format!("{failures:?}"));
    assert!(running.pool.drain_dead_jobs().is_empty(), "they are given away");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn only_the_latest_dead_jobs_are_kept() {
    for (kept, expected) in [(Some(2), vec![3, 4]), (Some(0), vec![]), (None, vec![1, 2, 3, 4])] {
        let (pool, journal) = scripted_pool(1);
        let pool = match kept {
            Some(kept) => pool.max_dead_jobs(kept),
            None => pool,
        };
        let running = start((pool.attempts(1), journal)).await;
        for number in 1..=4 {
            assert_eq!(outcome_of(running.submit(job(number, [Step::Fail]))).await, "no luck");
        }
        let dead: Vec<u64> = running.pool.drain_dead_jobs().iter().map(|dead| dead.job.number).collect();
        assert_eq!(dead, expected);
        assert_eq!(running.pool.stats().failed, 4, "they are counted all the same");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn retried_jobs_precede_later_submissions() {
    for trouble in [Step::Fail, Step::Panic] {
        let (pool, journal) = scripted_pool(1);
        let running = start((pool, journal)).await;
        let first = running.submit(job(1, [trouble, Step::Do]));
        let others = running.submit_all(2..=3);
        running.drained().await;
        assert_eq!(running.journal.jobs(), [1, 1, 2, 3]);
        for job_handle in others.into_iter().chain([first]) {
            assert!(outcome_of(job_handle).await.starts_with("done"));
        }
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_the_worker_and_a_crash_replaces_it() {
    let running = started(1).await;
    for step in [Step::Fail, Step::Panic] {
        assert_eq!(outcome_of(running.submit(job(1, [step, Step::Do]))).await, "done 1");
    }
    let incarnations: Vec<u32> = running.journal.take().iter().map(|begun| begun.incarnation).collect();
    assert_eq!(incarnations, [1, 1, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_job_of_a_worker_that_was_killed_goes_to_another_at_once() {
    let (pool, journal) = scripted_pool(2);
    // The killed worker does not restart in time.
    let running = start((pool.backoff(Backoff::new(secs(60), secs(60))), journal)).await;
    let job_handle = running.submit(job(1, [Step::Hang, Step::Do]));
    quiet().await;
    let first = running.journal.take()[0];
    running.kill(first.slot).await;
    assert_eq!(outcome_of(job_handle).await, "done 1");
    assert_eq!(running.journal.take()[0].slot, 1 - first.slot);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_over_its_time_limit_fails_and_its_worker_continues() {
    for of_job in [false, true] {
        let (pool, journal) = scripted_pool(1);
        let pool = pool.time_limit(if of_job { secs(60) } else { ms(20) });
        let running = start((pool, journal)).await;
        let submission = running.pool.submit(job(1, [Step::Hang, Step::Take(ms(19))]));
        let job_handle = now(if of_job { submission.time_limit(ms(20)) } else { submission });
        assert_eq!(outcome_of(job_handle).await, "done 1");
        let begun = running.journal.take();
        assert_eq!(begun[1].at - begun[0].at, 20, "{begun:?}");
        assert_eq!(begun[1].incarnation, 1);
        let hopeless = running.pool.submit(job(2, [Step::Hang])).time_limit(ms(5));
        assert_eq!(outcome_of(now(hopeless)).await, "timed out, timed out, timed out");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_time_limit_delay_or_deadline_is_too_long() {
    let (pool, journal) = scripted_pool(1);
    let ever = Duration::MAX;
    let pool =
        pool.time_limit(ever).handler_deadline(ever).rate(RateLimit::window(1_000, ever)).scaling(ever, ever);
    let running = start((pool.retry_after(Backoff::new(ever, ever)), journal)).await;
    let patient = running.pool.submit(job(1, [Step::Take(ms(10))])).expires_in(ever);
    assert_eq!(outcome_of(now(patient)).await, "done 1");
    let delayed = now(running.pool.submit(quick(2)).delay(ever));
    let failed = running.submit(job(3, [Step::Fail]));
    assert_eq!(outcome_of(running.submit(quick(4))).await, "done 4");
    assert_eq!(running.pool.stats().queued, 2);
    assert!(delayed.cancel() && failed.cancel());
    running.close().await;
}

/// Returns when a job with a backoff of 100 ms that doubles up to 300 ms is attempted. The backoff
/// is set for the job or for its pool.
async fn tried_at(of_job: bool) -> Vec<u64> {
    let backoff = Backoff::new(ms(100), ms(300));
    let (pool, journal) = scripted_pool(1);
    let running = start((if of_job { pool } else { pool.retry_after(backoff) }, journal)).await;
    let submission = running.pool.submit(job(1, [Step::Fail])).attempts(5);
    let job_handle = now(if of_job { submission.backoff(backoff) } else { submission });
    // The retry does not wait for the worker, though it is the only one.
    quiet().await;
    assert_eq!(outcome_of(running.submit(quick(2))).await, "done 2");
    assert!(outcome_of(job_handle).await.starts_with("no luck"));
    let begun = running.journal.take();
    running.close().await;
    let first: StartedAttempt = begun[0];
    begun.iter().filter(|begun| begun.job == 1).map(|begun| begun.at - first.at).collect()
}

#[tokio::test(start_paused = true)]
async fn a_retry_backoff_grows_with_each_failure() {
    assert_eq!(tried_at(false).await, [0, 100, 300, 600, 900]);
    assert_eq!(tried_at(true).await, [0, 100, 300, 600, 900]);
}

#[tokio::test(start_paused = true)]
async fn jitter_separates_the_retries_of_jobs_that_failed_together() {
    let (pool, journal) = scripted_pool(4);
    let backoff = Backoff::new(secs(10), secs(10)).jitter(1.0);
    let running = start((pool.retry_after(backoff).attempts(2), journal)).await;
    let all: Vec<_> = (0..4).map(|number| running.submit(job(number, [Step::Fail]))).collect();
    for job_handle in all {
        assert_eq!(outcome_of(job_handle).await, "no luck, no luck");
    }
    let mut times: Vec<u64> = running.journal.take().iter().skip(4).map(|begun| begun.at).collect();
    assert!(times.iter().all(|at| (10_000..=20_010).contains(at)), "{times:?}");
    times.dedup_by(|a, b| a.abs_diff(*b) < 100);
    assert_eq!(times.len(), 4, "{times:?}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_at_most_once_job_is_dead_after_any_failed_attempt() {
    for (step, expected) in [
        (Step::Fail, "no luck"),
        (Step::Panic, "panicked"),
        (Step::Hang, "timed out"),
        (Step::Take(secs(9)), "killed"),
    ] {
        let is_killed = matches!(step, Step::Take(_));
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.attempts(9), journal)).await;
        let once = running.pool.submit(job(1, [step, Step::Do])).at_most_once();
        let once = now(if is_killed { once } else { once.time_limit(secs(1)) });
        quiet().await;
        if is_killed {
            running.kill(0).await;
        }
        assert_eq!(outcome_of(once).await, expected);
        running.drained().await;
        assert_eq!(running.journal.jobs(), [1]);
        assert_eq!(running.pool.drain_dead_jobs().len(), 1);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_brutal_rolling_restart_retries_a_job_and_fails_an_at_most_once_job() {
    let running = started(2).await;
    let twice = running.submit(job(1, [Step::Take(secs(60)), Step::Do]));
    let once = now(running.pool.submit(long(2, secs(60))).at_most_once());
    quiet().await;
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!((outcome_of(twice).await, outcome_of(once).await), ("done 1".to_owned(), "killed".to_owned()));
    let mut jobs = running.journal.jobs();
    jobs.sort_unstable();
    assert_eq!(jobs, [1, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn job_errors_display_the_cause() {
    let running = started(1).await;
    let ill = soon(running.submit(job(1, [Step::Fail, Step::Panic, Step::Fail]))).await;
    let ill = ill.expect_err("it fails");
    assert_eq!(ill.to_string(), "the job failed (4 attempts), last failure: no luck");
    let JobError::Failed(failures) = ill else { panic!("it failed") };
    assert!(failures[1].to_string().starts_with("the worker ended: panicked: a bug"), "{}", failures[1]);
    assert_eq!(AttemptError::<&str>::TimedOut.to_string(), "the attempt timed out");
    let others = |of: &Failures<&'static str>| {
        let ends =
            [JobError::Expired(of.clone()), JobError::Cancelled(of.clone()), JobError::Dropped(of.clone())];
        ends.map(|end| {
            assert_eq!(end.failures(), of);
            end.to_string()
        })
    };
    assert_eq!(
        others(&Failures::default()),
        [
            "the job expired before its first attempt",
            "the job was cancelled",
            "the pool dropped the job before it completed"
        ]
    );
    assert_eq!(
        others(&failures),
        [
            "the job expired after it failed (4 attempts), last failure: no luck",
            "the job was cancelled after it failed (4 attempts), last failure: no luck",
            "the pool dropped the job after it failed (4 attempts), last failure: no luck"
        ]
    );
    running.close().await;
}
