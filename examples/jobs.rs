//! Jobs as a service has them: errors that are retried and errors that are final, progress, results
//! by id, cancelled jobs, and a chain and a chord of jobs.
//!
//! ```text
//! cargo run --release --example jobs
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::Backoff;
use perennial::pool::{
    JobContext, JobError, JobStatus, Pool, PoolHandle, PoolShutdown, Retry, Worker, WorkerContext,
};
use perennial::prelude::*;

/// A report to render, page by page.
#[derive(Clone, Debug)]
struct Report {
    name: &'static str,
    pages: u64,
}

#[derive(Debug, thiserror::Error)]
enum RenderError {
    /// It may work the next time.
    #[error("the printer is offline")]
    Offline,
    /// The server says when.
    #[error("the printer is busy for {0:?}")]
    Busy(Duration),
    /// It never works.
    #[error("the report {0:?} is corrupt")]
    Corrupt(&'static str),
}

/// Renders reports, and takes a moment for each page.
struct Renderer;

impl Worker for Renderer {
    type Job = Report;
    type Output = u64;
    type Error = RenderError;
    type Args = ();

    async fn init(_: &(), _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn work(&mut self, report: &Report, ctx: &JobContext<'_>) -> Result<u64, RenderError> {
        match (report.name, ctx.attempt()) {
            ("flaky", 1 | 2) => return Err(RenderError::Offline),
            ("busy", 1) => return Err(RenderError::Busy(Duration::from_millis(20))),
            ("corrupt", _) => return Err(RenderError::Corrupt(report.name)),
            _ => {}
        }
        for page in 1..=report.pages {
            tokio::time::sleep(Duration::from_millis(1)).await;
            ctx.set_progress(page, report.pages);
        }
        Ok(report.pages)
    }
}

const fn report(name: &'static str, pages: u64) -> Report {
    Report { name, pages }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Delays double and are spread. Results are kept for an hour.
    let delays = Backoff::new(Duration::from_millis(5), Duration::from_millis(50)).full_jitter();
    let pool = Pool::<Renderer>::new("renderers", 2, ())
        .attempts(4)
        .retry_after(delays)
        .retry_if(|error| match error {
            RenderError::Offline => Retry::Backoff,
            RenderError::Busy(time) => Retry::After(*time),
            RenderError::Corrupt(_) => Retry::Never,
        })
        .retain_results(1000, Duration::from_secs(3600));
    let renderers = pool.handle();
    let app = pool.start(&System::new()).await?;

    retry(&renderers).await?;
    follow_by_id(&renderers).await?;
    cancel(&renderers).await?;
    compose(&renderers).await?;

    assert_eq!(renderers.drain_dead_jobs().len(), 1);
    let stopped = renderers.stop(PoolShutdown::Drain).await;
    let stats = renderers.stats();
    print_line!("{stats}");
    assert_eq!((stats.submitted, stats.completed, stats.failed, stats.dropped), (18, 15, 1, 2));
    assert_eq!(stopped.dropped, 0);
    assert!(app.shutdown().await.is_clean());
    Ok(())
}

/// Two errors and a wait that an error asks for are no matter. One error is final.
async fn retry(renderers: &PoolHandle<Renderer>) -> Result<(), Box<dyn Error>> {
    assert_eq!(renderers.submit(report("flaky", 3)).await?.await?, 3);
    assert_eq!(renderers.submit(report("busy", 4)).await?.await?, 4);
    let corrupt = renderers.submit(report("corrupt", 5)).await?.await;
    let Err(JobError::Failed(failures)) = corrupt else { panic!("it is corrupt: {corrupt:?}") };
    print_line!("dead after {} attempt: {}", failures.len(), failures[0]);
    assert_eq!((failures.len(), renderers.stats().retried), (1, 3));
    Ok(())
}

/// Only the number of the job goes to the client, which comes back with it.
async fn follow_by_id(renderers: &PoolHandle<Renderer>) -> Result<(), Box<dyn Error>> {
    let id = renderers.submit(report("annual", 30)).detach().await?;
    let mut seen = 0;
    let pages = loop {
        let job = renderers.job(id).ok_or("its result is retained")?;
        if job.status() == JobStatus::Succeeded {
            break job.await?;
        }
        if let Some(progress) = job.progress().filter(|progress| progress.done >= seen + 10) {
            print_line!("{id}: {progress} pages");
            seen = progress.done;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert_eq!(pages, 30);
    Ok(())
}

/// One job runs and one is delayed until both are cancelled by their ids.
async fn cancel(renderers: &PoolHandle<Renderer>) -> Result<(), Box<dyn Error>> {
    let endless = renderers.submit(report("endless", u64::MAX)).await?;
    while endless.status() != JobStatus::Running {
        tokio::task::yield_now().await;
    }
    let delayed = renderers.submit(report("later", 1)).delay(Duration::from_secs(3600)).await?;
    assert_eq!(delayed.status(), JobStatus::Delayed);
    let ids = [endless.id(), delayed.id()];
    assert_eq!(renderers.cancel_all(&ids), 2);
    assert!(!renderers.cancel(delayed.id()), "it has ended");
    assert!(matches!(endless.await, Err(JobError::Cancelled(_))));
    Ok(())
}

/// A chord: many jobs, and one of all their results. A chain: one after the other. Both are
/// composed here and not in a worker: a worker that waits for its own pool may wait for ever.
async fn compose(renderers: &PoolHandle<Renderer>) -> Result<(), Box<dyn Error>> {
    let parts = (1..=10).map(|pages| report("part", pages));
    let pages: u64 = renderers.submit_many(parts).await?.join_all().await.into_iter().flatten().sum();
    let bound = renderers.submit(report("book", pages)).await?.await?;
    let appendix = renderers.submit(report("appendix", bound / 10)).await?.await?;
    assert_eq!((pages, bound, appendix), (55, 55, 5));
    Ok(())
}
