//! The number of workers: no change of it loses a job.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use perennial_actors::System;
use perennial_supervision::pool::{PoolError, PoolShutdown, PoolSize, RateLimit};
use perennial_supervision::{Backoff, StartError};
use tokio::time::{Instant, sleep, timeout};

use crate::support::pool::{
    Running, Step, job, long, ms, now, outcome_of, quick, quiet, scripted_pool, scripted_pool_starting_if,
    secs, soon, start, started,
};

/// Returns the slots that have started a job since the last call.
fn slots(running: &Running) -> BTreeSet<usize> {
    running.journal.take().iter().map(|begun| begun.slot).collect()
}

#[tokio::test(start_paused = true)]
async fn the_number_of_workers_is_restored_after_any_exit() {
    let running = started(5).await;
    for slot in [0, 4, 2, 2, 1, 3, 0] {
        running.kill(slot).await;
        assert_eq!(running.active().await, 5);
    }
    let crashes: Vec<_> =
        (0..20).map(|number| running.submit(job(number, [Step::Panic, Step::Do]))).collect();
    for job_handle in crashes {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    quiet().await;
    assert_eq!((running.active().await, running.pool.stats().workers.running), (5, 5));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_can_be_made_smaller_and_larger_again_down_to_none() {
    let running = started(4).await;
    for size in [2, 0, 4, 1, 3, 3] {
        running.pool.resize(size).await.expect("it goes well");
        assert_eq!((running.active().await, running.pool.stats().workers.running), (size, size));
        let all: Vec<_> = (0..8).map(|number| running.submit(long(number, ms(1)))).collect();
        if size == 0 {
            sleep(secs(9)).await;
            assert_eq!(running.pool.stats().queued, 8, "they wait");
            running.pool.clear();
        }
        running.drained().await;
        assert_eq!(slots(&running), (0..size).collect());
        drop(all);
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_queued_without_workers_run_on_the_first_worker() {
    let running = started(2).await;
    running.pool.resize(0).await.expect("it goes well");
    let (any, keyed) = (running.submit(quick(1)), now(running.pool.submit(quick(2)).key(&7)));
    quiet().await;
    running.pool.resize(1).await.expect("it goes well");
    assert_eq!((outcome_of(any).await, outcome_of(keyed).await), ("done 1".to_owned(), "done 2".to_owned()));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_surplus_worker_finishes_its_job_or_another_does() {
    let running = started(2).await;
    let (short, endless) = (running.submit(long(1, secs(3))), running.submit(long(2, secs(20))));
    quiet().await;
    running.pool.resize(0).await.expect("it goes well");
    assert_eq!(outcome_of(short).await, "done 1");
    assert_eq!(running.pool.stats().queued, 1, "it was killed after five seconds");
    running.pool.resize(2).await.expect("it goes well");
    assert_eq!(outcome_of(endless).await, "done 2");
    assert_eq!(running.journal.jobs(), [1, 2, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_surplus_worker_starts_another_job_while_it_waits_to_be_stopped() {
    let running = started(3).await;
    let jobs: Vec<_> = (0..9).map(|number| running.submit(long(number, ms(30)))).collect();
    quiet().await;
    running.journal.take();
    let begun = Instant::now();
    running.pool.resize(1).await.expect("it goes well");
    assert_eq!(begun.elapsed(), ms(29), "the surplus workers finish together");
    for job in jobs {
        assert!(outcome_of(job).await.starts_with("done"));
    }
    assert!(running.journal.take().iter().all(|begun| begun.slot == 0));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_job_is_lost_or_done_twice_as_a_pool_is_resized_and_restarted_under_load() {
    let running = started(6).await;
    let pool = running.pool.clone();
    let submitting = tokio::spawn(async move {
        let jobs = (0..2000).map(|number| long(number, ms(number % 11)));
        pool.submit_many(jobs).await.expect("they are accepted").join_all().await
    });
    for size in [1, 6, 3, 0, 2, 5, 4, 6, 1, 6] {
        sleep(ms(30)).await;
        running.pool.resize(size).await.expect("it goes well");
        running.pool.rolling_restart().await.expect("it goes well");
    }
    let results = soon(submitting).await.expect("it does not panic");
    assert_eq!(
        results.into_iter().map(|result| result.expect("it is done")).collect::<Vec<_>>(),
        (0..2000).collect::<Vec<_>>()
    );
    let begun = running.journal.jobs();
    assert_eq!((begun.len(), begun.into_iter().collect::<BTreeSet<_>>().len()), (2000, 2000));
    assert_eq!((running.pool.stats().retried, running.pool.stats().completed), (0, 2000));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_replaces_each_worker_one_after_the_other_and_counts_as_no_crash() {
    let (pool, journal) = scripted_pool(4);
    let running = start((pool.intensity(0, secs(60)), journal)).await;
    let pids = |running: &Running| {
        let tree = running.app.tree();
        (0..4)
            .map(|slot: usize| tree.at([slot.to_string().as_str()]).expect("it is there").pid)
            .collect::<Vec<_>>()
    };
    let before = pids(&running);
    let busy: Vec<_> = (0..4).map(|number| running.submit(long(number, secs(1)))).collect();
    quiet().await;
    let (pool, begun) = (running.pool.clone(), Instant::now());
    let restart = tokio::spawn(async move { pool.rolling_restart().await });
    while !restart.is_finished() {
        assert!(running.active().await >= 3, "one at a time");
        sleep(ms(10)).await;
    }
    restart.await.expect("it does not panic").expect("it goes well");
    assert!(begun.elapsed() < secs(2), "all jobs ended together");
    assert!(pids(&running).iter().zip(&before).all(|(after, before)| after != before));
    for job_handle in busy {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_restart_or_resize_future_leaves_no_worker_behind() {
    let running = started(3).await;
    let busy: Vec<_> = (0..3).map(|number| running.submit(long(number, secs(2)))).collect();
    quiet().await;
    assert!(timeout(ms(10), running.pool.rolling_restart()).await.is_err());
    assert!(timeout(ms(10), running.pool.resize(1)).await.is_err());
    for job_handle in busy {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    sleep(secs(9)).await;
    assert_eq!((running.active().await, running.pool.stats().workers.running), (1, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_resize_cannot_leave_the_bounds_or_follow_a_stop() {
    let running = started(1..=2).await;
    running.pool.resize(2).await.expect("it goes well");
    let error = running.pool.resize(0).await.expect_err("one is the least");
    assert_eq!(
        (error.to_string(), error),
        ("the minimum is 1 workers".to_owned(), PoolError::TooFew { min: 1 })
    );
    let Err(error @ PoolError::TooMany { max: 2 }) = running.pool.resize(3).await else {
        panic!("two are the most");
    };
    assert_eq!(error.to_string(), "the maximum is 2 workers");
    assert_eq!(running.pool.stats().workers.running, 2);
    running.pool.stop(PoolShutdown::Drain).await;
    assert!(matches!(running.pool.resize(1).await, Err(PoolError::Stopped)));
    let error = running.pool.rolling_restart().await.expect_err("it has stopped");
    assert_eq!(error.to_string(), "the pool has stopped");
    assert_eq!((running.active().await, running.pool.stats().workers.running), (0, 0));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_does_not_start_if_a_worker_does_not() {
    let (pool, _) = scripted_pool_starting_if(3, |at| at.slot != 0);
    let handle = pool.handle();
    let early = now(handle.submit(quick(1)));
    let error = pool.start(&System::new()).await.expect_err("one fails");
    assert!(matches!(error, StartError::Failed(_)), "{error}");
    assert_eq!(outcome_of(early).await, "dropped");
    assert!(handle.submit(quick(2)).try_submit().is_err());
}

#[tokio::test(start_paused = true)]
async fn jobs_for_a_worker_that_does_not_start_run_on_the_others() {
    let fails = Arc::new(AtomicBool::new(false));
    let shared_fails = fails.clone();
    let running =
        start(scripted_pool_starting_if(3, move |at| at.slot != 1 || !shared_fails.load(Ordering::Relaxed)))
            .await;
    fails.store(true, Ordering::Relaxed);
    let error = running.pool.rolling_restart().await.expect_err("one fails");
    assert!(matches!(error, PoolError::Worker { slot: 1, .. }), "{error}");
    assert!(error.to_string().starts_with("worker 1: "), "{error}");
    for number in 0..30 {
        drop(now(running.pool.submit(quick(number)).key(&number)));
    }
    quiet().await;
    assert_eq!(running.pool.stats().completed, 30);
    assert_eq!(slots(&running), BTreeSet::from([0, 2]));
    fails.store(false, Ordering::Relaxed);
    running.pool.resize(3).await.expect("it comes up again");
    assert_eq!(running.active().await, 3);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_fails_to_restart_is_retried_and_its_keys_wait() {
    let (pool, journal) =
        scripted_pool_starting_if(2, |at| at.pid.incarnation() != 2 && at.pid.incarnation() != 3);
    let running = start((pool.backoff(Backoff::new(secs(1), secs(1))), journal)).await;
    for slot in [0, 1] {
        running.kill(slot).await;
    }
    let (any, keyed) = (running.submit(quick(1)), now(running.pool.submit(quick(2)).key(&7)));
    assert_eq!((outcome_of(any).await, outcome_of(keyed).await), ("done 1".to_owned(), "done 2".to_owned()));
    assert!(running.journal.take().iter().all(|begun| begun.incarnation == 4 && begun.at >= 3000));
    running.close().await;
}

/// Starts an elastic pool: workers are added after a second of waiting, and removed after ten calm
/// seconds.
async fn elastic(size: impl Into<PoolSize>) -> Running {
    let (pool, journal) = scripted_pool(size);
    start((pool.scaling(secs(1), secs(10)), journal)).await
}

#[tokio::test(start_paused = true)]
async fn workers_are_added_when_a_job_has_waited_too_long_and_not_before() {
    let running = elastic(1..=8).await;
    let first = running.submit(long(0, ms(900)));
    quiet().await;
    assert_eq!(outcome_of(running.submit(quick(1))).await, "done 1");
    assert_eq!((running.active().await, outcome_of(first).await), (1, "done 0".to_owned()));
    let many: Vec<_> = (2..90).map(|number| running.submit(long(number, secs(1)))).collect();
    let mut sizes = Vec::new();
    for _ in 0..100 {
        sleep(ms(50)).await;
        let size = running.active().await;
        if sizes.last() != Some(&size) {
            sizes.push(size);
        }
    }
    assert_eq!(sizes, [1, 2, 4, 8]);
    for job_handle in many {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(slots(&running), (0..8).collect());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn workers_are_removed_one_by_one_and_never_below_the_minimum() {
    let running = elastic(2..=5).await;
    let many: Vec<_> = (0..50).map(|number| running.submit(long(number, secs(1)))).collect();
    running.drained().await;
    drop(many);
    assert_eq!(running.active().await, 5, "all of them were needed");
    let calm = Instant::now();
    let mut gone = Vec::new();
    for _ in 0..400 {
        sleep(ms(100)).await;
        if running.active().await < 5 - gone.len() {
            gone.push(calm.elapsed().as_millis() as i64);
        }
    }
    // The first jobs were taken before all were done.
    assert!(
        gone.iter().zip(1..).all(|(at, nth)| (9_000..10_200).contains(&(at - (nth - 1) * 10_000))),
        "{gone:?}"
    );
    sleep(secs(600)).await;
    assert_eq!(running.active().await, 2);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_may_have_no_workers_at_all_until_there_is_something_to_do() {
    let running = elastic(0..=3).await;
    assert_eq!(running.active().await, 0);
    let before = Instant::now();
    assert_eq!(outcome_of(running.submit(quick(1))).await, "done 1");
    assert!(before.elapsed() >= secs(1) && before.elapsed() < ms(1200), "{:?}", before.elapsed());
    sleep(secs(11)).await;
    assert_eq!(running.active().await, 0);
    assert_eq!(outcome_of(now(running.pool.submit(quick(2)).key(&1))).await, "done 2");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_or_rate_limited_pool_does_not_grow() {
    let running = elastic(1..=8).await;
    running.pool.pause();
    let waiting = running.submit_all(0..50);
    sleep(secs(60)).await;
    assert_eq!(running.active().await, 1);
    running.pool.resume();
    running.drained().await;
    drop(waiting);
    running.close().await;
    let (pool, journal) = scripted_pool(1..=8);
    let running = start((pool.rate(RateLimit::window(1, secs(2))).scaling(secs(1), secs(10)), journal)).await;
    let waiting = running.submit_all(0..20);
    running.drained().await;
    assert_eq!(slots(&running), BTreeSet::from([0]));
    drop(waiting);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_growing_pool_retries_a_failed_worker_start() {
    let starts = Arc::new(AtomicUsize::new(0));
    let (pool, journal) = scripted_pool_starting_if(0..=1, {
        let starts = starts.clone();
        move |_| starts.fetch_add(1, Ordering::Relaxed) >= 3
    });
    let running = start((pool.scaling(secs(1), secs(10)), journal)).await;
    let job_handle = running.submit(quick(1));
    assert_eq!(outcome_of(job_handle).await, "done 1");
    assert_eq!((starts.load(Ordering::Relaxed), running.pool.stats().workers.running), (4, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_starts_late_runs_jobs() {
    let luck = Arc::new(AtomicBool::new(true));
    let (pool, journal) = scripted_pool_starting_if(1, {
        let luck = luck.clone();
        move |_| luck.load(Ordering::Relaxed)
    });
    let running = start((pool, journal)).await;
    luck.store(false, Ordering::Relaxed);
    assert!(running.pool.rolling_restart().await.is_err());
    let job_handle = running.submit(quick(1));
    luck.store(true, Ordering::Relaxed);
    running.app.supervisor().restart_child("0").await.expect("it comes up");
    assert_eq!(outcome_of(job_handle).await, "done 1");
    running.close().await;
}
