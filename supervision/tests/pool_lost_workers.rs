//! The counts of a job: attempts that failed by themselves, lost workers, and interruptions.

use perennial_supervision::pool::{JobError, JobEvent, Retry, RetryCause};
use tokio::time::sleep;

use crate::support::pool::{
    Step, events, job, long, ms, now, outcome_of, quiet, scripted_pool, secs, soon, start,
};

#[tokio::test(start_paused = true)]
async fn errors_and_lost_workers_are_counted_apart() {
    use Step::{Fail, Panic};
    for (steps, expected) in [
        (vec![Fail, Panic, Fail, Panic, Step::Do], "done 1"),
        (vec![Fail, Panic, Fail, Panic, Fail], "no luck, panicked, no luck, panicked, no luck"),
        (vec![Fail, Panic, Fail, Panic, Panic], "no luck, panicked, no luck, panicked, panicked"),
        (
            vec![Step::Hang, Panic, Fail, Panic, Step::Hang],
            "timed out, panicked, no luck, panicked, timed out",
        ),
    ] {
        let running = start(scripted_pool(1)).await;
        let ill = now(running.pool.submit(job(1, steps)).time_limit(secs(1)));
        assert_eq!(outcome_of(ill).await, expected);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_lost_workers_is_set_for_a_pool_or_a_job_and_is_at_least_one() {
    for (of_pool, of_job, expected) in
        [(None, None, 5), (Some(2), None, 2), (Some(2), Some(4), 4), (Some(0), None, 1), (None, Some(0), 1)]
    {
        let (pool, journal) = scripted_pool(1);
        let pool = pool.attempts(5);
        let pool = if let Some(workers) = of_pool { pool.lost_workers(workers) } else { pool };
        let running = start((pool, journal)).await;
        let submission = running.pool.submit(job(1, [Step::Panic]));
        let submission =
            if let Some(workers) = of_job { submission.lost_workers(workers) } else { submission };
        assert_eq!(outcome_of(now(submission)).await, vec!["panicked"; expected].join(", "));
        assert_eq!(outcome_of(running.submit(job(2, [Step::Fail]))).await, ["no luck"; 5].join(", "));
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn killed_and_hung_workers_are_lost() {
    let (pool, journal) = scripted_pool(1);
    let pool = pool.attempts(1).lost_workers(4).handler_deadline(secs(1));
    let running = start((pool, journal)).await;
    let ill = running.submit(job(1, [Step::Hang, Step::Panic, Step::Hang, Step::Do]));
    quiet().await;
    running.kill(0).await;
    // The third attempt exceeds the deadline.
    assert_eq!(outcome_of(ill).await, "done 1");
    let stats = running.pool.stats();
    assert_eq!((stats.retried, stats.retried_lost, stats.retried_interrupted), (3, 3, 0));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_disruption_uses_up_nothing_even_of_a_single_attempt() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.attempts(1), journal)).await;
    let mut received = running.pool.subscribe();
    let slow = running.submit(long(1, secs(8)));
    quiet().await;
    running.pool.rolling_restart().await.expect("it goes well");
    quiet().await;
    running.pool.resize(0).await.expect("it goes well");
    running.pool.resize(1).await.expect("it goes well");
    sleep(secs(1)).await;
    running.app.supervisor().terminate_child("0").await.expect("it is there");
    let id = slow.id();
    assert_eq!(outcome_of(slow).await, "done 1");
    assert_eq!(running.journal.jobs(), [1; 4]);
    let interrupted = JobEvent::Retried { id, cause: RetryCause::Interrupted };
    let retries = events(&mut received).into_iter().filter(|event| *event == interrupted).count();
    let stats = running.pool.stats();
    assert_eq!((retries, stats.retried, stats.retried_lost, stats.retried_interrupted), (3, 3, 0, 3));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_at_most_once_job_is_never_started_twice_whatever_its_other_limits() {
    for step in [Step::Fail, Step::Panic, Step::Hang, Step::Take(secs(60))] {
        let is_interrupted = matches!(step, Step::Take(_));
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.retry_if(|_| Retry::After(ms(1))), journal)).await;
        let once = running.pool.submit(job(1, [step, Step::Do])).at_most_once();
        let once = now(once.attempts(9).lost_workers(9).time_limit(secs(20)));
        quiet().await;
        if is_interrupted {
            running.pool.rolling_restart().await.expect("it goes well");
        }
        let error = soon(once).await.expect_err("it is not retried");
        assert!(matches!(error, JobError::Failed(_)) && error.failures().len() == 1, "{error:?}");
        running.drained().await;
        assert_eq!(running.journal.jobs(), [1]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_says_why() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.time_limit(secs(1)), journal)).await;
    let mut received = running.pool.subscribe();
    let ill = running.submit(job(1, [Step::Fail, Step::Panic, Step::Hang, Step::Do]));
    let id = ill.id();
    assert_eq!(outcome_of(ill).await, "done 1");
    let causes: Vec<RetryCause> = events(&mut received)
        .into_iter()
        .filter_map(|event| match event {
            JobEvent::Retried { id: retried, cause } => Some((retried, cause)),
            _ => None,
        })
        .map(|(retried, cause)| {
            assert_eq!(retried, id);
            cause
        })
        .collect();
    assert_eq!(causes, [RetryCause::Error, RetryCause::LostWorker, RetryCause::TimedOut]);
    let stats = running.pool.stats();
    assert_eq!((stats.retried, stats.retried_lost, stats.retried_interrupted), (3, 1, 0));
    running.close().await;
}
