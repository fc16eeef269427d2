//! The worker process: a durable pool that computes checksums for its client, until it is killed or
//! its client has no more requests.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use perennial::System;
use perennial::durable::pool::{Durable, DurableHandle, DurableJob, DurablePool};
use perennial::durable::{JobId, Store, Unique};
use perennial::pool::Pool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::options::Options;
use super::jobs::{FileJob, FileResult};
use super::protocol::{Answer, Request};
use super::rescue::RescueTimer;
use super::sabotage::sabotaged;
use super::store;

/// The most requests that are answered at the same time.
const WINDOW: usize = 64;

/// How long results are kept: longer than the run.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

type Hash = fn(FileJob) -> Result<FileResult, Infallible>;

/// Opens the store and answers the requests on the standard input. `began` is when the process
/// began.
pub async fn work(options: &Options, target: &str, queue: &str, began: Instant) -> Result<(), String> {
    let opened = store::open(target).await?;
    let epoch = opened.epoch().0;
    say(&Answer::Up(epoch));
    let opened = sabotaged(opened, options.sabotage).await.map_err(|error| error.to_string())?;
    let pool = pool(options.workers, queue, epoch, Arc::new(RescueTimer::new(opened, began)));
    let files = pool.handle();
    let app = pool.start(&System::new()).await.map_err(|error| error.to_string())?;
    answer_all(&files).await;
    let report = app.shutdown().await;
    if report.is_clean() { Ok(()) } else { Err(format!("the pool did not stop: {report:?}")) }
}

fn pool(workers: usize, queue: &str, epoch: u64, store: Arc<dyn Store>) -> DurablePool<Hash> {
    let workers = Pool::from_fn("hashers", workers, move |job: &FileJob| hash(job.clone(), epoch));
    // A job is tried again as often as its process is killed.
    workers.durable(store).queue(queue).lost_workers(u32::MAX).retain_results(RETENTION)
}

/// Computes a checksum. A file that cannot be read is a result.
async fn hash(job: FileJob, epoch: u64) -> Result<FileResult, Infallible> {
    say(&Answer::Started(job.path()));
    let computed = tokio::task::spawn_blocking(move || job.compute(epoch)).await;
    Ok(computed.unwrap_or_else(|error| FileResult::unread(&error.to_string(), epoch)))
}

/// Answers requests until the client has closed the pipe, and all of them.
async fn answer_all(files: &DurableHandle<Hash>) {
    let (lines, mut requests) = mpsc::channel(WINDOW);
    // It blocks until the client closes the pipe, or this process ends.
    std::thread::spawn(move || {
        let requests = io::stdin().lines().map_while(Result::ok).filter_map(|line| Request::parse(&line));
        requests.map_while(|request| lines.blocking_send(request).ok()).for_each(drop);
    });
    let mut answers = JoinSet::new();
    while let Some(request) = requests.recv().await {
        while answers.len() >= WINDOW {
            answers.join_next().await;
        }
        answers.spawn(answer(files.clone(), request));
    }
    while answers.join_next().await.is_some() {}
}

async fn answer(files: DurableHandle<Hash>, request: Request) {
    let job = match request {
        Request::Await(id) => files.job(JobId(id)),
        Request::File(path) => {
            let job = FileJob::new(&path);
            let unique = Unique { key: job.key(), over_counts: true, period: None };
            match files.submit(job).unique(unique).await {
                Ok(job) => {
                    say(&Answer::Stored(job.id().0, path));
                    job
                }
                // It was not acknowledged, so the client asks again.
                Err(error) => return print_error!("chaos: {}: {error}", path.display()),
            }
        }
    };
    say(&outcome(&job).await);
}

async fn outcome(job: &DurableJob<Hash>) -> Answer {
    match job.outcome().await {
        Ok(result) => Answer::Done(job.id().0, result.sum()),
        Err(error) => Answer::Lost(job.id().0, error.to_string()),
    }
}

/// Writes a line to the client.
pub fn say(answer: &Answer) {
    let mut out = io::stdout().lock();
    // A client that is gone needs no answer.
    let _ = writeln!(out, "{answer}").and_then(|()| out.flush());
}
