//! What a job learns from its context while it runs: its limits, its cancellation, and the time to
//! clean up; and what its submitter learns: its progress.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::System;
use perennial_supervision::pool::{JobContext, JobError, JobProgress, Pool, PoolHandle, PoolShutdown};
use perennial_supervision::{App, SpecError, SupervisorHandle};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::support::pool::{ms, now, quiet, secs, soon};

type Work<T> = fn(u64) -> Result<T, Infallible>;

/// Returns a pool with one worker that retries and calls this function.
fn pool<T, F, Fut>(function: F) -> Pool<Work<T>>
where
    T: Send + 'static,
    F: Fn(u64, JobContext<'static>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Pool::from_fn_with_context("pool", 1, move |job: &u64, ctx| {
        let work = function(*job, ctx);
        async move { Ok(work.await) }
    })
}

async fn start<T: Send + 'static>(pool: Pool<Work<T>>) -> (App<SupervisorHandle>, PoolHandle<Work<T>>) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("it starts"), handle)
}

#[tokio::test(start_paused = true)]
async fn a_job_knows_its_deadline_and_the_time_that_is_left_in_each_attempt() {
    let work = |_, ctx: JobContext<'static>| async move {
        if ctx.attempt() == 1 {
            pending::<()>().await;
        }
        let deadline = ctx.deadline().map(|deadline| deadline - Instant::now());
        sleep(secs(3)).await;
        (deadline, ctx.time_left())
    };
    let (app, jobs) = start(pool(work).time_limit(secs(10))).await;
    let began = Instant::now();
    assert_eq!(soon(now(jobs.submit(1))).await.expect("it is done"), (Some(secs(10)), Some(secs(7))));
    assert_eq!(began.elapsed(), secs(13), "the first attempt had all of its time");
    let own = now(jobs.submit(1).time_limit(secs(4)));
    assert_eq!(soon(own).await.expect("it is done"), (Some(secs(4)), Some(secs(1))));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_without_limits_has_no_deadline_and_is_never_told_to_stop() {
    let work = |_, ctx: JobContext<'static>| async move {
        let told = tokio::time::timeout(secs(86_400), ctx.soft_limit()).await.is_ok();
        (ctx.deadline(), ctx.time_left(), told, ctx.should_stop(), ctx.is_cancelled())
    };
    let (app, jobs) = start(pool(work)).await;
    let learned = soon(now(jobs.submit(1))).await.expect("it is done");
    assert_eq!(learned, (None, None, false, false, false));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_is_told_at_its_soft_limit_and_may_return_before_the_hard_one() {
    let work = |_, ctx: JobContext<'static>| async move {
        let before = ctx.should_stop();
        ctx.soft_limit().await;
        let told = (before, ctx.should_stop(), ctx.is_cancelled());
        sleep(ms(500)).await;
        told
    };
    let (app, jobs) = start(pool(work).soft_time_limit(secs(2)).time_limit(secs(3))).await;
    let began = Instant::now();
    assert_eq!(soon(now(jobs.submit(1))).await.expect("it is done"), (false, true, false));
    assert_eq!(began.elapsed(), ms(2500));
    // As of Celery: the soft limit alone ends no job.
    let (began, own) = (Instant::now(), now(jobs.submit(1).soft_time_limit(ms(100))));
    assert_eq!(soon(own).await.expect("it is done"), (false, true, false));
    assert_eq!(began.elapsed(), ms(600));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ignores_its_soft_limit_ends_at_the_hard_one() {
    let work = |_, _: JobContext<'static>| pending::<()>();
    let (app, jobs) = start(pool(work).soft_time_limit(secs(2)).time_limit(secs(3)).attempts(1)).await;
    let began = Instant::now();
    let Err(JobError::Failed(failures)) = soon(now(jobs.submit(1))).await else { panic!("it has failed") };
    assert_eq!((failures.len(), began.elapsed()), (1, secs(3)));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_soft_limit_of_a_submission_is_at_most_its_time_limit() {
    let told_after = |_, ctx: JobContext<'static>| async move {
        let began = Instant::now();
        ctx.soft_limit().await;
        began.elapsed()
    };
    let (app, jobs) = start(pool(told_after)).await;
    let job = now(jobs.submit(1).soft_time_limit(secs(9)).time_limit(secs(3)));
    // Both are over at once, and the job is asked first.
    assert_eq!(soon(job).await.expect("it is done"), secs(3));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_soft_limit_that_is_not_shorter_than_the_time_limit_is_a_mistake() {
    let work = |_, _: JobContext<'static>| async {};
    for (soft, hard, is_mistake) in [(2, 3, false), (3, 3, true), (4, 3, true)] {
        let started =
            pool(work).soft_time_limit(secs(soft)).time_limit(secs(hard)).start(&System::new()).await;
        let mistake = started.err().map(|error| error.to_string());
        let expected = SpecError::SoftLimitTooLate { id: "pool".into() }.to_string();
        assert_eq!(mistake.is_some_and(|error| error.contains(&expected)), is_mistake);
    }
}

/// Is set when it is dropped.
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs in a task that the job spawned: sends the time at which it learned that it is cancelled.
async fn observe(ctx: JobContext<'static>, learned: mpsc::UnboundedSender<(Instant, bool, bool)>) {
    let before = ctx.is_cancelled();
    ctx.cancelled().await;
    let _ = learned.send((Instant::now(), before, ctx.is_cancelled() && ctx.should_stop()));
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_job_is_told_however_its_attempt_ends() {
    let (sender, mut learned) = mpsc::unbounded_channel();
    let work = move |step, ctx: JobContext<'static>| {
        let sender = sender.clone();
        async move {
            tokio::spawn(observe(ctx.to_owned(), sender));
            sleep(ms(step)).await;
            assert_ne!(step, 13, "a bug");
        }
    };
    let (app, jobs) = start(pool(work).time_limit(ms(1000)).attempts(1)).await;
    let began = Instant::now();
    let mut told_after = async || {
        let (at, before, after) = learned.recv().await.expect("there is a task");
        assert_eq!((before, after), (false, true));
        at - began
    };
    soon(now(jobs.submit(10))).await.expect("it is done");
    assert_eq!(told_after().await, ms(10), "it returned");
    soon(now(jobs.submit(13))).await.expect_err("it panicked");
    assert_eq!(told_after().await, ms(23));
    soon(now(jobs.submit(5000))).await.expect_err("its time is over");
    assert_eq!(told_after().await, ms(1023));
    let job = now(jobs.submit(5000));
    sleep(ms(100)).await;
    assert!(job.cancel());
    assert_eq!(told_after().await, ms(1123), "it was cancelled");
    let job = now(jobs.submit(5000));
    sleep(ms(100)).await;
    app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    assert_eq!(told_after().await, ms(1223), "its worker was killed");
    job.await.expect_err("it had one attempt");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_without_a_grace_period_is_dropped_at_its_next_await() {
    let dropped = Arc::new(AtomicBool::new(false));
    let cleaned = Arc::new(AtomicBool::new(false));
    let (guard, end) = (dropped.clone(), cleaned.clone());
    let work = move |_, ctx: JobContext<'static>| {
        let (guard, end) = (OnDrop(guard.clone()), end.clone());
        async move {
            ctx.cancelled().await;
            sleep(ms(1)).await;
            end.store(true, Ordering::SeqCst);
            drop(guard);
        }
    };
    let (app, jobs) = start(pool(work)).await;
    let job = now(jobs.submit(1));
    quiet().await;
    assert!(job.cancel());
    quiet().await;
    assert_eq!((dropped.load(Ordering::SeqCst), jobs.stats().running), (true, 0));
    sleep(secs(1)).await;
    assert!(!cleaned.load(Ordering::SeqCst));
    assert!(app.shutdown().await.is_clean());
}

/// A job that asks for this time, and takes that time to clean up.
async fn clean_up(asked: Duration, takes: Duration, ctx: JobContext<'static>, cleaned: Arc<AtomicBool>) {
    ctx.set_grace_period(asked);
    ctx.cancelled().await;
    assert!(ctx.is_cancelled());
    sleep(takes).await;
    cleaned.store(true, Ordering::SeqCst);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_has_the_grace_period_that_it_asked_for_and_no_more() {
    for (takes, is_cleaned, ends_after) in [(secs(2), true, secs(2)), (secs(9), false, secs(5))] {
        let cleaned = Arc::new(AtomicBool::new(false));
        let flag = cleaned.clone();
        let work = move |_, ctx: JobContext<'static>| clean_up(secs(5), takes, ctx, flag.clone());
        let (app, jobs) = start(pool(work).time_limit(secs(60))).await;
        let job = now(jobs.submit(1));
        quiet().await;
        let began = Instant::now();
        assert!(job.cancel());
        assert!(matches!(job.await, Err(JobError::Cancelled(_))), "the result is there at once");
        assert_eq!((began.elapsed(), jobs.stats().running), (ms(0), 1));
        soon(jobs.drain()).await;
        assert_eq!((began.elapsed(), cleaned.load(Ordering::SeqCst)), (ends_after, is_cleaned));
        let stats = jobs.stats();
        assert_eq!((stats.completed, stats.dropped, stats.running), (0, 1, 0));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_that_cleans_up_longer_than_the_stop_of_its_worker_takes_is_not_retried() {
    let work = |_, ctx: JobContext<'static>| clean_up(secs(60), secs(60), ctx, Arc::default());
    let (app, jobs) = start(pool(work)).await;
    let job = now(jobs.submit(1));
    quiet().await;
    assert!(job.cancel());
    let began = Instant::now();
    jobs.resize(0).await.expect("it goes well");
    assert_eq!(began.elapsed(), secs(5), "the worker was killed then");
    let stats = jobs.stats();
    assert_eq!((stats.dropped, stats.retried, stats.queued, stats.running), (1, 0, 0, 0));
    assert!(matches!(job.await, Err(JobError::Cancelled(_))));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_abort_leaves_no_grace_period() {
    let cleaned = Arc::new(AtomicBool::new(false));
    let flag = cleaned.clone();
    let work = move |_, ctx: JobContext<'static>| clean_up(secs(5), secs(1), ctx, flag.clone());
    let (app, jobs) = start(pool(work)).await;
    let job = now(jobs.submit(1));
    quiet().await;
    let began = Instant::now();
    assert_eq!(soon(jobs.stop(PoolShutdown::Abort)).await.dropped, 1);
    assert_eq!((began.elapsed(), cleaned.load(Ordering::SeqCst)), (ms(0), false));
    assert!(matches!(job.await, Err(JobError::Dropped(_))));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_progress_of_a_job_is_there_until_its_next_attempt_starts() {
    let attempts = Arc::new(AtomicU32::new(0));
    let seen = attempts.clone();
    let work = move |total, ctx: JobContext<'static>| {
        seen.store(ctx.attempt(), Ordering::SeqCst);
        async move {
            sleep(secs(1)).await;
            for done in 1..=total {
                ctx.set_progress(done, total);
                sleep(secs(1)).await;
            }
            if ctx.attempt() == 1 {
                pending::<()>().await;
            }
        }
    };
    let (app, jobs) = start(pool(work).time_limit(secs(20))).await;
    let job = now(jobs.submit(4));
    assert_eq!(job.progress(), None);
    let reported = || job.progress().map(|progress| (progress.done, progress.total));
    sleep(ms(500)).await;
    assert_eq!(reported(), None);
    for done in 1..=4 {
        sleep(secs(1)).await;
        assert_eq!(reported(), Some((done, 4)));
    }
    sleep(secs(16)).await;
    assert_eq!((attempts.load(Ordering::SeqCst), reported()), (2, None));
    sleep(secs(1)).await;
    assert_eq!(reported(), Some((1, 4)));
    sleep(secs(4)).await;
    assert_eq!(reported(), Some((4, 4)), "also once it is done");
    assert_eq!(job.progress().map(|progress: JobProgress| progress.to_string()).as_deref(), Some("4 of 4"));
    soon(job).await.expect("it is done");
    assert!(app.shutdown().await.is_clean());
}
