//! Jobs that are cancelled, wherever they are.

#[path = "support/pool.rs"]
mod support;

use perennial_supervision::Backoff;
use perennial_supervision::pool::JobEvent;
use support::{Deed, events, fate, job, long, now, pends, quick, quiet, secs, started};

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_or_is_delayed_is_not_begun_once_it_is_cancelled() {
    let running = started(1).await;
    let busy = running.submit(long(1, secs(1)));
    quiet().await;
    let waiting = running.submit(quick(2));
    let keyed = now(running.pool.submit(quick(3)).key(&"a"));
    let urgent = now(running.pool.submit(quick(4)).priority(7));
    let delayed = now(running.pool.submit(quick(5)).delay(secs(9)));
    let dropped = running.pool.stats().dropped;
    for (gone, promise) in (1..).zip([waiting, keyed, urgent, delayed]) {
        assert!(promise.cancel());
        assert_eq!(running.pool.stats().dropped, dropped + gone);
        assert_eq!(fate(promise).await, "cancelled");
    }
    assert_eq!(running.pool.stats().queued, 0);
    assert_eq!(fate(busy).await, "done 1");
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_worked_at_is_dropped_at_its_next_await_and_its_worker_goes_on() {
    let running = started(1).await;
    let stuck = running.submit(job(1, [Deed::Hang]));
    let next = running.submit(quick(2));
    quiet().await;
    assert!(stuck.cancel());
    // The submitter hears of it at once, and the worker is still to.
    assert_eq!((running.pool.stats().running, running.pool.stats().dropped), (1, 0));
    assert_eq!(fate(stuck).await, "cancelled");
    assert_eq!(fate(next).await, "done 2");
    let begun = running.journal.take();
    assert_eq!(
        begun.iter().map(|begun| (begun.job, begun.incarnation)).collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
    assert_eq!(running.pool.stats().dropped, 1);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_a_result_or_is_dead_or_cancelled_cannot_be_cancelled() {
    let running = started(1).await;
    let (done, dead) = (running.submit(quick(1)), running.submit(job(2, [Deed::Fail])));
    let cancelled = now(running.pool.submit(quick(3)).delay(secs(1)));
    running.pool.submit(quick(4)).detach().await.expect("it is taken in");
    assert!(cancelled.cancel());
    running.drained().await;
    let stats = running.pool.stats();
    for promise in [&done, &dead, &cancelled] {
        assert!(!promise.cancel());
    }
    assert_eq!(running.pool.stats(), stats);
    assert_eq!((fate(done).await, fate(cancelled).await), ("done 1".to_owned(), "cancelled".to_owned()));
    assert_eq!(fate(dead).await, "no luck, no luck, no luck");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_next_attempt_has_none_once_it_is_cancelled() {
    let running = started(1).await;
    let ill = running.pool.submit(job(1, [Deed::Fail, Deed::Do])).backoff(Backoff::new(secs(1), secs(1)));
    let ill = now(ill);
    quiet().await;
    assert!(ill.cancel());
    assert_eq!(fate(ill).await, "cancelled");
    running.drained().await;
    tokio::time::sleep(secs(9)).await;
    assert_eq!(running.journal.jobs(), [1]);
    assert!(running.pool.drain_dead_jobs().is_empty());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_cancelled_as_its_worker_is_killed_is_not_tried_again() {
    let running = started(1).await;
    let stuck = running.submit(job(1, [Deed::Hang]));
    quiet().await;
    let tree = running.app.tree();
    tree.at(["0"]).expect("it is there").handle.kill().expect("it lives");
    assert!(stuck.cancel());
    assert_eq!(fate(stuck).await, "cancelled");
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1]);
    assert_eq!(running.pool.stats().retried, 0);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn that_a_job_was_cancelled_is_all_that_is_told_of_its_end() {
    let running = started(1).await;
    let mut told = running.pool.subscribe();
    let stuck = running.submit(job(1, [Deed::Hang]));
    quiet().await;
    let waiting = running.submit(quick(2));
    for promise in [&stuck, &waiting] {
        assert!(promise.cancel());
    }
    running.drained().await;
    running.pool.clear();
    let told = events(&mut told);
    for promise in [&stuck, &waiting] {
        let of_it = told.iter().filter(|event| {
            !matches!(event, JobEvent::Started { .. })
                && format!("{event:?}").contains(&format!("{:?}", promise.id()))
        });
        let of_it: Vec<_> = of_it.copied().collect();
        assert_eq!(of_it, [JobEvent::Submitted(promise.id()), JobEvent::Cancelled(promise.id())]);
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn to_cancel_a_job_of_a_pool_that_is_gone_changes_nothing() {
    let running = started(1).await;
    let done = running.submit(quick(1));
    running.drained().await;
    let support::Running { app, pool, .. } = running;
    let late = now(pool.submit(long(2, secs(60))));
    quiet().await;
    // It is cut off in the middle of it.
    assert_eq!(app.shutdown().await.unstopped.len(), 1);
    drop((app, pool));
    assert!(!late.cancel() && !done.cancel());
    assert_eq!(fate(late).await, "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_given_up_before_it_was_started_drops_what_waits_in_it() {
    let (pool, _) = support::hands(1);
    let handle = pool.handle();
    let mut early = now(handle.submit(quick(1)));
    assert!(pends(&mut early).await);
    drop((pool, handle));
    assert_eq!(fate(early).await, "dropped");
}
