//! How often a job is tried, when it is tried again, and where it goes when it has had all its attempts.

#[path = "support/pool.rs"]
mod support;
#[path = "support/threads.rs"]
mod threads;

use std::future::ready;
use std::time::Duration;

use perennial_actors::System;
use perennial_supervision::Backoff;
use perennial_supervision::pool::{AttemptError, DeadJob, JobError, Pool};
use support::{
    Begun, Deed, Job, fate, hands, job, long, ms, now, quick, quiet, secs, soon, start, started, told,
};

type Dead = DeadJob<Job, &'static str>;

#[tokio::test(start_paused = true)]
async fn a_job_has_three_attempts_unless_it_is_set_and_the_next_one_comes_at_once() {
    let running = started(1).await;
    assert_eq!(fate(running.submit(job(1, [Deed::Fail, Deed::Fail, Deed::Do]))).await, "done 1");
    assert_eq!(fate(running.submit(job(2, [Deed::Fail]))).await, "no luck, no luck, no luck");
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
        // It takes jobs in then that nobody looks at before a worker does.
        refusals.resume();
        let rejected = refusals.submit(()).await.expect("there is room");
        let app = pool.start(&System::new()).await.expect("it starts");
        let outcome = rejected.await;
        assert!(matches!(outcome, Err(JobError::Failed(failures)) if failures.len() == 3));
        assert!(app.shutdown().await.is_clean());
    });
}

#[tokio::test(start_paused = true)]
async fn how_many_is_set_for_a_pool_or_for_a_job_and_is_one_at_least() {
    for (of_pool, of_job, expected) in [(2, None, 2), (2, Some(4), 4), (0, None, 1), (5, Some(0), 1)] {
        let (pool, journal) = hands(1);
        let running = start((pool.attempts(of_pool), journal)).await;
        let submission = running.pool.submit(job(1, [Deed::Fail]));
        let submission = match of_job {
            Some(attempts) => submission.attempts(attempts),
            None => submission,
        };
        assert_eq!(fate(now(submission)).await, vec!["no luck"; expected].join(", "));
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_had_all_its_attempts_is_among_the_dead_with_all_that_went_wrong() {
    let running = started(1).await;
    let ill = running.submit(job(7, [Deed::Fail, Deed::Panic, Deed::Hang]));
    let id = ill.id();
    quiet().await;
    running.kill(0).await;
    let outcome = soon(ill).await;
    assert_eq!(told(&outcome), "no luck, panicked, killed");
    assert!(format!("{outcome:?}").contains("a bug"), "{outcome:?}");
    let dead: Vec<Dead> = running.pool.drain_dead_jobs();
    assert_eq!((dead.len(), dead[0].id, dead[0].job.number), (1, id, 7));
    let Err(JobError::Failed(failures)) = outcome else { panic!("it failed") };
    assert_eq!(format!("{:?}", dead[0].failures), format!("{failures:?}"));
    assert!(running.pool.drain_dead_jobs().is_empty(), "they are given away");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn only_so_many_of_the_dead_are_kept_the_last() {
    for (kept, expected) in [(Some(2), vec![3, 4]), (Some(0), vec![]), (None, vec![1, 2, 3, 4])] {
        let (pool, journal) = hands(1);
        let pool = match kept {
            Some(kept) => pool.max_dead_jobs(kept),
            None => pool,
        };
        let running = start((pool.attempts(1), journal)).await;
        for number in 1..=4 {
            assert_eq!(fate(running.submit(job(number, [Deed::Fail]))).await, "no luck");
        }
        let dead: Vec<u64> = running.pool.drain_dead_jobs().iter().map(|dead| dead.job.number).collect();
        assert_eq!(dead, expected);
        assert_eq!(running.pool.stats().failed, 4, "they are counted all the same");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_failed_or_whose_worker_crashed_comes_before_those_that_were_submitted_after_it() {
    for trouble in [Deed::Fail, Deed::Panic] {
        let (pool, journal) = hands(1);
        let running = start((pool, journal)).await;
        let first = running.submit(job(1, [trouble, Deed::Do]));
        let others = running.submit_all(2..=3);
        running.drained().await;
        assert_eq!(running.journal.jobs(), [1, 1, 2, 3]);
        for promise in others.into_iter().chain([first]) {
            assert!(fate(promise).await.starts_with("done"));
        }
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_leaves_the_worker_as_it_is_and_a_crash_brings_the_next() {
    let running = started(1).await;
    for deed in [Deed::Fail, Deed::Panic] {
        assert_eq!(fate(running.submit(job(1, [deed, Deed::Do]))).await, "done 1");
    }
    let incarnations: Vec<u32> = running.journal.take().iter().map(|begun| begun.incarnation).collect();
    assert_eq!(incarnations, [1, 1, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_job_of_a_worker_that_was_killed_goes_to_another_at_once() {
    let (pool, journal) = hands(2);
    // The one that was killed does not come back in time.
    let running = start((pool.backoff(Backoff::new(secs(60), secs(60))), journal)).await;
    let promise = running.submit(job(1, [Deed::Hang, Deed::Do]));
    quiet().await;
    let first = running.journal.take()[0];
    running.kill(first.slot).await;
    assert_eq!(fate(promise).await, "done 1");
    assert_eq!(running.journal.take()[0].slot, 1 - first.slot);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_has_failed_and_its_worker_goes_on() {
    for of_job in [false, true] {
        let (pool, journal) = hands(1);
        let pool = pool.time_limit(if of_job { secs(60) } else { ms(20) });
        let running = start((pool, journal)).await;
        let submission = running.pool.submit(job(1, [Deed::Hang, Deed::Take(ms(19))]));
        let promise = now(if of_job { submission.time_limit(ms(20)) } else { submission });
        assert_eq!(fate(promise).await, "done 1");
        let begun = running.journal.take();
        assert_eq!(begun[1].at - begun[0].at, 20, "{begun:?}");
        assert_eq!(begun[1].incarnation, 1);
        let hopeless = running.pool.submit(job(2, [Deed::Hang])).time_limit(ms(5));
        assert_eq!(fate(now(hopeless)).await, "timed out, timed out, timed out");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_limit_delay_or_deadline_is_too_long() {
    let (pool, journal) = hands(1);
    let ever = Duration::MAX;
    let pool = pool.time_limit(ever).handler_deadline(ever).rate(1_000, ever).scaling(ever, ever);
    let running = start((pool.retry_after(Backoff::new(ever, ever)), journal)).await;
    let patient = running.pool.submit(job(1, [Deed::Take(ms(10))])).expires_in(ever);
    assert_eq!(fate(now(patient)).await, "done 1");
    let delayed = now(running.pool.submit(quick(2)).delay(ever));
    let failed = running.submit(job(3, [Deed::Fail]));
    assert_eq!(fate(running.submit(quick(4))).await, "done 4");
    assert_eq!(running.pool.stats().queued, 2);
    assert!(delayed.cancel() && failed.cancel());
    running.close().await;
}

/// When a job is tried that has a backoff of 100 ms that doubles, up to 300 ms: with its pool, or by itself.
async fn tried_at(of_job: bool) -> Vec<u64> {
    let backoff = Backoff::new(ms(100), ms(300));
    let (pool, journal) = hands(1);
    let running = start((if of_job { pool } else { pool.retry_after(backoff) }, journal)).await;
    let submission = running.pool.submit(job(1, [Deed::Fail])).attempts(5);
    let promise = now(if of_job { submission.backoff(backoff) } else { submission });
    // It does not wait for it, though there is but one worker.
    quiet().await;
    assert_eq!(fate(running.submit(quick(2))).await, "done 2");
    assert!(fate(promise).await.starts_with("no luck"));
    let begun = running.journal.take();
    running.close().await;
    let first: Begun = begun[0];
    begun.iter().filter(|begun| begun.job == 1).map(|begun| begun.at - first.at).collect()
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_a_job_waits_for_longer_each_time_if_that_is_asked_for() {
    assert_eq!(tried_at(false).await, [0, 100, 300, 600, 900]);
    assert_eq!(tried_at(true).await, [0, 100, 300, 600, 900]);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_failed_together_come_back_apart_if_there_is_jitter() {
    let (pool, journal) = hands(4);
    let backoff = Backoff::new(secs(10), secs(10)).jitter(1.0);
    let running = start((pool.retry_after(backoff).attempts(2), journal)).await;
    let all: Vec<_> = (0..4).map(|number| running.submit(job(number, [Deed::Fail]))).collect();
    for promise in all {
        assert_eq!(fate(promise).await, "no luck, no luck");
    }
    let mut times: Vec<u64> = running.journal.take().iter().skip(4).map(|begun| begun.at).collect();
    assert!(times.iter().all(|at| (10_000..=20_010).contains(at)), "{times:?}");
    times.dedup_by(|a, b| a.abs_diff(*b) < 100);
    assert_eq!(times.len(), 4, "{times:?}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_begun_twice_is_dead_after_whatever_happens_to_its_first_attempt() {
    for (deed, expected) in [
        (Deed::Fail, "no luck"),
        (Deed::Panic, "panicked"),
        (Deed::Hang, "timed out"),
        (Deed::Take(secs(9)), "killed"),
    ] {
        let is_killed = matches!(deed, Deed::Take(_));
        let (pool, journal) = hands(1);
        let running = start((pool.attempts(9), journal)).await;
        let once = running.pool.submit(job(1, [deed, Deed::Do])).at_most_once();
        let once = now(if is_killed { once } else { once.time_limit(secs(1)) });
        quiet().await;
        if is_killed {
            running.kill(0).await;
        }
        assert_eq!(fate(once).await, expected);
        running.drained().await;
        assert_eq!(running.journal.jobs(), [1]);
        assert_eq!(running.pool.drain_dead_jobs().len(), 1);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_rolling_restart_that_cannot_wait_one_is_tried_again_and_one_that_must_not_be_is_dead() {
    let running = started(2).await;
    let twice = running.submit(job(1, [Deed::Take(secs(60)), Deed::Do]));
    let once = now(running.pool.submit(long(2, secs(60))).at_most_once());
    quiet().await;
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!((fate(twice).await, fate(once).await), ("done 1".to_owned(), "killed".to_owned()));
    let mut jobs = running.journal.jobs();
    jobs.sort_unstable();
    assert_eq!(jobs, [1, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn errors_say_in_words_what_went_wrong() {
    let running = started(1).await;
    let ill = soon(running.submit(job(1, [Deed::Fail, Deed::Panic, Deed::Fail]))).await;
    let ill = ill.expect_err("it fails");
    assert_eq!(ill.to_string(), "the job failed (3 attempts), last failure: no luck");
    let JobError::Failed(failures) = ill else { panic!("it failed") };
    assert!(failures[1].to_string().starts_with("the worker ended: panicked: a bug"), "{}", failures[1]);
    assert_eq!(AttemptError::<&str>::TimedOut.to_string(), "the attempt timed out");
    let others: [JobError<&str>; 3] = [JobError::Expired, JobError::Cancelled, JobError::Dropped];
    assert_eq!(
        others.map(|error| error.to_string()),
        [
            "the job expired before its first attempt",
            "the job was cancelled",
            "the pool dropped the job before it completed"
        ]
    );
    running.close().await;
}
