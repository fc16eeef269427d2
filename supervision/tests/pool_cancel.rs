//! Cancellation of jobs in every state.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};

use perennial_supervision::Backoff;
use perennial_supervision::pool::{JobEvent, JobHandle};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{spawn_blocking, yield_now};

use crate::support::pool;
use crate::support::pool::{
    ScriptedPoolHandle, Step, events, job, long, now, outcome_of, pends, quick, quiet, scripted_pool, secs,
    start, started,
};

#[tokio::test(start_paused = true)]
async fn a_cancelled_queued_or_delayed_job_does_not_start() {
    let running = started(1).await;
    let busy = running.submit(long(1, secs(1)));
    quiet().await;
    let waiting = running.submit(quick(2));
    let keyed = now(running.pool.submit(quick(3)).key(&"a"));
    let urgent = now(running.pool.submit(quick(4)).priority(7));
    let delayed = now(running.pool.submit(quick(5)).delay(secs(9)));
    let dropped = running.pool.stats().dropped;
    for (gone, job_handle) in (1..).zip([waiting, keyed, urgent, delayed]) {
        assert!(job_handle.cancel());
        assert_eq!(running.pool.stats().dropped, dropped + gone);
        assert_eq!(outcome_of(job_handle).await, "cancelled");
    }
    assert_eq!(running.pool.stats().queued, 0);
    assert_eq!(outcome_of(busy).await, "done 1");
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_running_job_is_dropped_at_its_next_await() {
    let running = started(1).await;
    let stuck = running.submit(job(1, [Step::Hang]));
    let next = running.submit(quick(2));
    quiet().await;
    assert!(stuck.cancel());
    // The submitter has the result at once; the worker has not observed the cancellation yet.
    assert_eq!((running.pool.stats().running, running.pool.stats().dropped), (1, 0));
    assert_eq!(outcome_of(stuck).await, "cancelled");
    assert_eq!(outcome_of(next).await, "done 2");
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
    let (done, dead) = (running.submit(quick(1)), running.submit(job(2, [Step::Fail])));
    let cancelled = now(running.pool.submit(quick(3)).delay(secs(1)));
    running.pool.submit(quick(4)).detach().await.expect("it is accepted");
    assert!(cancelled.cancel());
    running.drained().await;
    let stats = running.pool.stats();
    for job_handle in [&done, &dead, &cancelled] {
        assert!(!job_handle.cancel());
    }
    assert_eq!(running.pool.stats(), stats);
    assert_eq!(
        (outcome_of(done).await, outcome_of(cancelled).await),
        ("done 1".to_owned(), "cancelled".to_owned())
    );
    assert_eq!(outcome_of(dead).await, "no luck, no luck, no luck");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_cancelled_before_its_retry_does_not_start() {
    let running = started(1).await;
    let ill = running.pool.submit(job(1, [Step::Fail, Step::Do])).backoff(Backoff::new(secs(1), secs(1)));
    let ill = now(ill);
    quiet().await;
    assert!(ill.cancel());
    assert_eq!(outcome_of(ill).await, "cancelled after no luck");
    running.drained().await;
    tokio::time::sleep(secs(9)).await;
    assert_eq!(running.journal.jobs(), [1]);
    assert!(running.pool.drain_dead_jobs().is_empty());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_cancelled_while_its_worker_is_killed_is_not_retried() {
    let running = started(1).await;
    let stuck = running.submit(job(1, [Step::Hang]));
    quiet().await;
    let tree = running.app.tree();
    tree.at(["0"]).expect("it is there").handle.kill().expect("it lives");
    assert!(stuck.cancel());
    assert_eq!(outcome_of(stuck).await, "cancelled");
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1]);
    assert_eq!(running.pool.stats().retried, 0);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_has_no_other_final_event() {
    let running = started(1).await;
    let mut received = running.pool.subscribe();
    let stuck = running.submit(job(1, [Step::Hang]));
    quiet().await;
    let waiting = running.submit(quick(2));
    for job_handle in [&stuck, &waiting] {
        assert!(job_handle.cancel());
    }
    running.drained().await;
    running.pool.clear();
    let received = events(&mut received);
    for job_handle in [&stuck, &waiting] {
        let of_it = received.iter().filter(|event| {
            !matches!(event, JobEvent::Started { .. })
                && format!("{event:?}").contains(&format!("{:?}", job_handle.id()))
        });
        let of_it: Vec<_> = of_it.copied().collect();
        assert_eq!(of_it, [JobEvent::Submitted(job_handle.id()), JobEvent::Cancelled(job_handle.id())]);
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_job_of_a_dropped_pool_has_no_effect() {
    let running = started(1).await;
    let done = running.submit(quick(1));
    running.drained().await;
    let pool::Running { app, pool, .. } = running;
    let late = now(pool.submit(long(2, secs(60))));
    quiet().await;
    // The job is interrupted.
    assert_eq!(app.shutdown().await.unstopped.len(), 1);
    drop((app, pool));
    assert!(!late.cancel() && !done.cancel());
    assert_eq!(outcome_of(late).await, "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_pool_dropped_before_its_start_drops_its_jobs() {
    let (pool, _) = scripted_pool(1);
    let handle = pool.handle();
    let mut early = now(handle.submit(quick(1)));
    assert!(pends(&mut early).await);
    drop((pool, handle));
    assert_eq!(outcome_of(early).await, "dropped");
}

/// A waker that notes how many jobs are queued when it is called.
struct Noting(ScriptedPoolHandle, Mutex<Vec<usize>>);

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        let queued = self.0.stats().queued;
        self.1.lock().expect("no thread panics under the lock").push(queued);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_cancelled_in_portions_between_which_the_pool_can_be_used() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(2_000), journal)).await;
    running.pool.pause();
    let mut jobs = running.submit_all(0..1_000);
    let ids: Vec<_> = jobs.iter().map(JobHandle::id).collect();
    let noting = Arc::new(Noting(running.pool.clone(), Mutex::default()));
    let waker = Waker::from(noting.clone());
    for place in [0, 500, 999] {
        let job = Pin::new(&mut jobs[place]);
        assert!(job.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let last = running.submit(quick(2_000));
    running.pool.resume();
    assert_eq!(running.pool.cancel_all(&ids), 1_000);
    let left = noting.1.lock().expect("no thread panics under the lock").clone();
    assert_eq!(left, [745, 489, 1], "256 under one lock");
    assert_eq!(outcome_of(last).await, "done 2000");
    assert_eq!(running.journal.jobs(), [2_000], "no job of the list has started");
    for job in jobs {
        assert_eq!(outcome_of(job).await, "cancelled");
    }
    running.close().await;
}

/// A waker that resumes its pool, and waits until the workers have had time to take jobs.
struct Resuming(ScriptedPoolHandle, UnboundedSender<mpsc::Sender<()>>);

impl Wake for Resuming {
    fn wake(self: Arc<Self>) {
        self.0.resume();
        let (answer, answered) = mpsc::channel();
        self.1.send(answer).expect("the test answers");
        answered.recv().expect("the test answers");
    }
}

#[tokio::test(start_paused = true)]
async fn no_job_of_a_long_list_starts_on_another_thread_between_two_portions() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(2_000), journal)).await;
    running.pool.pause();
    let mut jobs = running.submit_all(0..1_000);
    let ids: Vec<_> = jobs.iter().map(JobHandle::id).collect();
    let (sender, mut waits) = unbounded_channel();
    let waker = Waker::from(Arc::new(Resuming(running.pool.clone(), sender)));
    assert!(Pin::new(&mut jobs[0]).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    let pool = running.pool.clone();
    let cancelling = spawn_blocking(move || pool.cancel_all(&ids));
    let answer = waits.recv().await.expect("the first job is cancelled in the first portion");
    for _ in 0..1_000 {
        yield_now().await;
    }
    answer.send(()).expect("the waker waits");
    assert_eq!(cancelling.await.expect("it does not panic"), 1_000);
    assert_eq!(outcome_of(running.submit(quick(2_000))).await, "done 2000");
    assert_eq!(running.journal.jobs(), [2_000]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn queued_jobs_are_cancelled_by_a_predicate_wherever_they_wait() {
    let running = started(1).await;
    let busy = running.submit(long(0, secs(1)));
    quiet().await;
    let submit = |number| running.pool.submit(quick(number));
    let jobs = vec![
        now(submit(1)),
        now(submit(2)),
        now(submit(3).priority(9)),
        now(submit(4).delay(secs(9))),
        now(submit(5).delay(secs(9))),
        now(submit(6).key(&"a")),
        now(submit(7).key(&"a")),
        now(submit(8).rate_key(&"kind")),
        now(submit(9).rate_key(&"kind")),
    ];
    let mut asked = Vec::new();
    let cancelled = running.pool.cancel_where(|job| {
        // The queue is not locked.
        asked.push((job.number, running.pool.stats().queued));
        job.number % 2 == 1
    });
    asked.sort_unstable();
    assert_eq!((cancelled, asked), (5, (1..=9).map(|number| (number, 9)).collect()));
    for (number, job) in (1..).zip(jobs) {
        let expected = if number % 2 == 1 { "cancelled".to_owned() } else { format!("done {number}") };
        assert_eq!(outcome_of(job).await, expected);
    }
    assert_eq!(outcome_of(busy).await, "done 0", "it was not queued");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_predicate_that_panics_cancels_nothing() {
    let running = started(1).await;
    running.pool.pause();
    let jobs = running.submit_all(0..3);
    let cancel = || running.pool.cancel_where(|job| job.number == 0 || panic!("a bug"));
    assert!(catch_unwind(AssertUnwindSafe(cancel)).is_err());
    running.pool.resume();
    for (number, job) in jobs.into_iter().enumerate() {
        assert_eq!(outcome_of(job).await, format!("done {number}"));
    }
    running.close().await;
}
