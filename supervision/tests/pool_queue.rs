//! The queue of a pool: its capacity, its order, and the wait for room.

use perennial_actors::{Capacity, System};
use perennial_supervision::pool::SubmitError;
use perennial_supervision::{Backoff, SpecError, StartError, Supervisor};
use tokio::task::JoinHandle;

use crate::support::pool;
use crate::support::pool::{
    Running, ScriptedJob, ScriptedPoolHandle, Step, job, long, ms, now, outcome_of, pends, quick, quiet,
    scripted_pool, secs, soon, start, started,
};

/// Starts a pool with one worker, which runs a job of one minute, and this capacity.
async fn busy(capacity: usize) -> (Running, ScriptedJob) {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(capacity), journal)).await;
    let first = running.submit(long(0, secs(60)));
    quiet().await;
    (running, first)
}

/// A submission that waits for room.
fn waiting_submission(
    pool: &ScriptedPoolHandle,
    number: u64,
) -> JoinHandle<Result<ScriptedJob, SubmitError<pool::Job>>> {
    let submission = pool.submit(quick(number));
    tokio::spawn(async move { submission.await })
}

#[tokio::test(start_paused = true)]
async fn try_submit_to_a_full_queue_returns_the_job() {
    let (running, first) = busy(2).await;
    let _waiting = running.submit_all([1, 2]);
    let refused = running.pool.submit(quick(3)).try_submit().expect_err("two wait");
    assert_eq!(format!("{refused:?}: {refused}"), "Full(..): the queue of the pool is full");
    assert_eq!(refused.into_job().number, 3);
    assert_eq!(outcome_of(first).await, "done 0");
    running.drained().await;
    assert_eq!(running.journal.jobs(), [0, 1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_capacity_of_a_pool_is_1024_unless_it_is_set() {
    for (capacity, expected) in
        [(None, 1024), (Some(7.into()), 7), (Some(1.into()), 1), (Some(Capacity::Unbounded), 3_000)]
    {
        let (pool, journal) = scripted_pool(1);
        let running =
            start((capacity.into_iter().fold(pool, |pool, jobs: Capacity| pool.capacity(jobs)), journal))
                .await;
        running.pool.pause();
        let fit = (0..3_000).map_while(|number| running.pool.submit(quick(number)).try_submit().ok()).count();
        assert_eq!(fit, expected);
        running.pool.clear();
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_with_a_capacity_of_zero_does_not_start_alone_or_in_a_tree() {
    let zero = || SpecError::ZeroCapacity { id: "pool".into() };
    let alone = scripted_pool(1).0.capacity(0).start(&System::new()).await.expect_err("it has no room");
    assert!(matches!(alone, StartError::Spec(error) if error == zero()));
    let app = Supervisor::new("app").child(scripted_pool(1).0.capacity(0));
    let below = app.start(&System::new()).await.expect_err("it has no room");
    assert!(matches!(below, StartError::Spec(error) if error == zero()));
    let corrected =
        scripted_pool(1).0.capacity(0).capacity(1).start(&System::new()).await.expect("it has room");
    assert!(corrected.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn waiting_submitters_are_admitted_in_arrival_order() {
    let (running, first) = busy(1).await;
    let _waiting = running.submit_all([1]);
    let mut waiter = Vec::new();
    for number in 2..=4 {
        waiter.push(waiting_submission(&running.pool, number));
        quiet().await;
    }
    assert!(pends(&mut waiter[0]).await);
    assert_eq!(running.pool.stats().queued, 1);
    assert_eq!(outcome_of(first).await, "done 0");
    for submitter in waiter {
        let job_handle = soon(submitter).await.expect("it does not panic").expect("it is accepted");
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(running.journal.jobs(), [0, 1, 2, 3, 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_submitter_gets_the_first_room_in_a_long_queue() {
    let (running, first) = busy(100).await;
    for number in 1..=100 {
        drop(running.submit(long(number, secs(60))));
    }
    let waiter = waiting_submission(&running.pool, 101);
    assert_eq!(outcome_of(first).await, "done 0");
    quiet().await;
    assert!(waiter.is_finished(), "the next has started and made room");
    assert_eq!(running.pool.clear(), 100);
    running.drained().await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn room_for_a_dropped_submission_goes_to_the_next() {
    let (running, _first) = busy(1).await;
    let waiting = running.submit_all([1]);
    let (gone, next) = (waiting_submission(&running.pool, 2), waiting_submission(&running.pool, 3));
    quiet().await;
    // There is room and the first waiting submission is admitted, but it is dropped before it
    // observes that.
    assert!(waiting[0].cancel());
    gone.abort();
    let job_handle = soon(next).await.expect("it does not panic").expect("it is accepted");
    assert_eq!(outcome_of(job_handle).await, "done 3");
    assert_eq!(running.journal.jobs(), [0, 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn every_way_to_make_room_admits_waiting_submitters() {
    type Making = fn(&Running, &ScriptedJob) -> usize;
    let ways: [(&str, Making); 2] = [
        ("cancel", |_, waiting| usize::from(waiting.cancel())),
        ("clear", |running, _| running.pool.clear()),
    ];
    for (way, make_room) in ways {
        let (running, _first) = busy(1).await;
        let waiting = now(running.pool.submit(quick(1)).expires_in(secs(5)));
        let mut waiter = waiting_submission(&running.pool, 2);
        quiet().await;
        assert!(pends(&mut waiter).await);
        assert_eq!(make_room(&running, &waiting), 1);
        quiet().await;
        assert!(waiter.is_finished(), "{way}");
        running.drained().await;
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn expired_jobs_make_room() {
    let (running, _first) = busy(1).await;
    let _waiting = now(running.pool.submit(quick(1)).expires_in(secs(5)));
    let waiter = waiting_submission(&running.pool, 2);
    quiet().await;
    tokio::time::sleep(secs(5)).await;
    assert!(waiter.is_finished());
    running.drained().await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn retries_enter_a_full_queue_before_waiting_submitters() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1), journal)).await;
    let ill = running.submit(job(1, [Step::FailAfter(ms(10)), Step::Take(ms(10))]));
    quiet().await;
    let waiting = running.submit_all([2]);
    let waiter = waiting_submission(&running.pool, 3);
    tokio::time::sleep(ms(12)).await;
    assert!(!waiter.is_finished(), "the second waits for the first, which is tried again");
    assert_eq!((running.pool.stats().queued, running.pool.stats().running), (1, 1));
    let last = soon(waiter).await.expect("it does not panic").expect("it is accepted");
    for job_handle in waiting.into_iter().chain([ill, last]) {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(running.journal.jobs(), [1, 1, 2, 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn delayed_jobs_and_retries_use_capacity() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(2), journal)).await;
    let delayed = now(running.pool.submit(quick(1)).delay(secs(9)));
    let ill =
        now(running.pool.submit(job(2, [Step::Fail, Step::Do])).backoff(Backoff::new(secs(9), secs(9))));
    quiet().await;
    assert_eq!(running.pool.stats().queued, 2);
    assert!(matches!(running.pool.submit(quick(3)).try_submit(), Err(SubmitError::Full(_))));
    let third = soon(running.pool.submit(quick(3))).await.expect("it is accepted");
    for job_handle in [delayed, ill, third] {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn urgent_jobs_come_first_and_equal_ones_in_submission_order() {
    let (running, _first) = busy(9).await;
    for (number, priority) in [(1, None), (2, Some(5)), (3, Some(0)), (4, Some(255)), (5, Some(5))] {
        let submission = running.pool.submit(quick(number));
        drop(now(priority
            .into_iter()
            .fold(submission, |submission, priority| submission.priority(priority))));
    }
    running.drained().await;
    assert_eq!(running.journal.jobs(), [0, 4, 2, 5, 1, 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_pool_finishes_running_jobs_and_starts_none() {
    let running = started(2).await;
    let begun = running.submit(long(1, ms(10)));
    quiet().await;
    running.pool.pause();
    let mut waiting = running.submit(quick(2));
    let delayed = now(running.pool.submit(quick(3)).delay(ms(5)));
    let ill = now(running.pool.submit(quick(4)).priority(9));
    assert_eq!(outcome_of(begun).await, "done 1");
    tokio::time::sleep(secs(9)).await;
    assert!(pends(&mut waiting).await);
    assert_eq!(running.journal.jobs(), [1]);
    running.pool.resume();
    for job_handle in [waiting, delayed, ill] {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(running.journal.jobs()[0], 4, "the urgent first");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn clear_drops_every_queued_job_and_keeps_running_ones() {
    let running = started(1).await;
    let ill =
        now(running.pool.submit(job(1, [Step::Fail, Step::Do])).backoff(Backoff::new(secs(9), secs(9))));
    quiet().await;
    let begun = running.submit(long(2, ms(10)));
    quiet().await;
    let delayed = now(running.pool.submit(quick(3)).delay(secs(1)));
    let keyed = now(running.pool.submit(quick(4)).key(&"a"));
    let urgent = now(running.pool.submit(quick(5)).priority(1));
    assert_eq!(running.pool.clear(), 4);
    assert_eq!(running.pool.clear(), 0);
    assert_eq!(outcome_of(ill).await, "dropped after no luck");
    for dropped in [delayed, keyed, urgent] {
        assert_eq!(outcome_of(dropped).await, "dropped");
    }
    assert_eq!(outcome_of(begun).await, "done 2");
    assert_eq!(running.pool.stats().dropped, 4);
    assert_eq!(outcome_of(running.submit(quick(6))).await, "done 6");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_queued_running_delayed_and_retried_jobs() {
    let running = started(1).await;
    let before = tokio::time::Instant::now();
    running.drained().await;
    assert_eq!(before.elapsed(), ms(0), "there is nothing");
    let backoff = Backoff::new(secs(3), secs(3));
    let jobs = [
        (1, running.pool.submit(long(1, secs(1)))),
        (2, running.pool.submit(quick(1)).delay(secs(2))),
        (3, running.pool.submit(job(1, [Step::Fail, Step::Do])).backoff(backoff)),
    ];
    for (expected, submission) in jobs {
        let (before, job_handle) = (tokio::time::Instant::now(), now(submission));
        running.drained().await;
        assert_eq!(before.elapsed().as_secs(), expected);
        assert_eq!(outcome_of(job_handle).await, "done 1");
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn every_drain_resolves_also_if_the_last_job_is_cancelled_cleared_or_expires() {
    let running = started(1).await;
    let drain = || {
        let pool = running.pool.clone();
        tokio::spawn(async move { pool.drain().await })
    };
    for way in ["cancel", "clear", "expire", "kill"] {
        let submission = running.pool.submit(job(1, [Step::Hang, Step::Do]));
        let last = now(match way {
            "cancel" | "kill" => submission,
            "clear" => submission.delay(secs(1)),
            _ => submission.delay(secs(2)).expires_in(secs(1)),
        });
        let drains = [drain(), drain()];
        quiet().await;
        assert!(drains.iter().all(|drain| !drain.is_finished()), "{way}");
        match way {
            "cancel" => assert!(last.cancel()),
            "kill" => running.kill(0).await,
            "clear" => assert_eq!(running.pool.clear(), 1),
            _ => tokio::time::sleep(secs(1)).await,
        }
        quiet().await;
        assert!(drains.iter().all(JoinHandle::is_finished), "{way}");
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn room_made_in_a_long_queue_is_given_at_once_while_no_job_starts() {
    let (running, _first) = busy(8).await;
    let waiting = running.submit_all(1..=8);
    let next = waiting_submission(&running.pool, 9);
    quiet().await;
    assert!(waiting[3].cancel());
    let job_handle = soon(next).await.expect("it does not panic").expect("it is accepted");
    assert_eq!(running.pool.stats().running, 1, "the first job still runs");
    assert_eq!(outcome_of(job_handle).await, "done 9");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_new_submission_passes_waiting_submitters() {
    let (running, _first) = busy(1).await;
    let waiting = running.submit_all([1]);
    let first_waiting = waiting_submission(&running.pool, 2);
    quiet().await;
    assert!(waiting[0].cancel());
    // The submitter was woken and has not run yet.
    assert!(matches!(running.pool.submit(quick(3)).try_submit(), Err(SubmitError::Full(_))));
    let job_handle = soon(first_waiting).await.expect("it does not panic").expect("it is accepted");
    assert_eq!(outcome_of(job_handle).await, "done 2");
    running.close().await;
}
