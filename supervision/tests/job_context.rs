//! The context of a job: its identity and the number of its start.

use std::convert::Infallible;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{JobContext, JobId, Pool, Worker, WorkerContext};

use crate::support::pool::now;

/// Fails until a job starts for the third time.
struct Third;

impl Worker for Third {
    type Job = ();
    type Output = (JobId, u32);
    type Error = u32;
    type Args = ();

    async fn init(_: &(), _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn work(&mut self, (): &(), ctx: &JobContext<'_>) -> Result<(JobId, u32), u32> {
        if ctx.attempt() < 3 { Err(ctx.attempt()) } else { Ok((ctx.id(), ctx.attempt())) }
    }
}

#[tokio::test(start_paused = true)]
async fn it_has_the_number_of_the_job_and_counts_its_starts_from_one() {
    let pool = Pool::<Third>::new("third", 2, ()).retry_errors(true);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    for _ in 0..3 {
        let job = now(jobs.submit(()));
        let id = job.id();
        assert_eq!(job.await.expect("it is done"), (id, 3));
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_owned_context_belongs_to_the_same_attempt_in_another_task() {
    let pool = Pool::from_fn_with_context("owned", 1, |(): &(), ctx: JobContext<'static>| async move {
        let same = ctx.to_owned();
        let other = tokio::spawn(async move { (same.id(), same.attempt()) }).await.expect("it returns");
        Ok::<_, Infallible>((other, (ctx.id(), ctx.attempt())))
    });
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let (first, second) = (now(jobs.submit(())), now(jobs.submit(())));
    for job in [first, second] {
        let id = job.id();
        assert_eq!(job.await.expect("it is done"), ((id, 1), (id, 1)));
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_blocking_function_gets_it_too() {
    let square = |n: u64, ctx: JobContext<'static>| match ctx.attempt() {
        1 => Err("the first start"),
        _ => Ok((ctx.id(), n * n)),
    };
    let pool = Pool::from_blocking_fn_with_context("squares", 1, square).retry_errors(true);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let job = now(jobs.submit(7));
    let id = job.id();
    assert_eq!(job.await.expect("it is done"), (id, 49));
    assert!(app.shutdown().await.is_clean());
}
