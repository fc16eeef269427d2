//! A pool: four workers count letters. One word crashes its worker, and no other job is lost.
//!
//! ```text
//! cargo run --release --example pool
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::Backoff;
use perennial::pool::{AttemptError, JobContext, JobError, Pool, PoolShutdown, Worker, WorkerContext};
use perennial::prelude::*;

/// Counts the letters of words, and its completed jobs. A crash loses that count.
struct Counter {
    slot: usize,
    done: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} has no letters")]
struct NoLetters(String);

impl Worker for Counter {
    type Job = String;
    type Output = usize;
    type Error = NoLetters;
    type Args = ();

    async fn init(_: &(), at: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self { slot: at.slot, done: 0 })
    }

    async fn work(&mut self, word: &String, _: &JobContext<'_>) -> Result<usize, NoLetters> {
        tokio::task::yield_now().await;
        assert_ne!(word, "poison", "worker {} after {} jobs", self.slot, self.done);
        self.done += 1;
        match word.chars().filter(|c| c.is_alphabetic()).count() {
            0 => Err(NoLetters(word.clone())),
            letters => Ok(letters),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The panics are on purpose, and reported below.
    std::panic::set_hook(Box::new(|_| {}));
    let pool = Pool::<Counter>::new("counters", 4, ())
        .attempts(3)
        .retry_after(Backoff::new(Duration::from_millis(1), Duration::from_millis(10)).jitter(0.5));
    let counters = pool.handle();
    let app = pool.start(&System::new()).await?;

    // One job and its result.
    let urgent = counters.submit("perennial".to_owned()).priority(9).await?;
    assert_eq!(urgent.await?, 9);

    // Many jobs and their results in order. One of them crashes its worker.
    let words = ["let", "it", "crash", "poison", "and", "go", "on", "..."].map(str::to_owned);
    let results = counters.submit_many(words).await?.join_all().await;
    let letters: Vec<Option<usize>> = results.iter().map(|result| result.as_ref().ok().copied()).collect();
    print_line!("letters: {letters:?}");
    assert_eq!(letters, [Some(3), Some(2), Some(5), None, Some(3), Some(2), Some(2), None]);
    assert!(matches!(&results[3], Err(JobError::Failed(failures))
        if failures.len() == 3 && failures.iter().all(|failure| matches!(failure, AttemptError::WorkerEnded(_)))));

    // Jobs that failed for good are kept with their failures.
    let dead = counters.drain_dead_jobs();
    for job in &dead {
        let last = job.failures.last().map(ToString::to_string).unwrap_or_default();
        print_line!("dead after {} attempts: {:?}, at last: {last}", job.failures.len(), job.job);
    }
    // An error is a result. Only the crashes were tried again.
    assert_eq!(dead.iter().map(|job| job.failures.len()).sum::<usize>(), 3 + 1);

    // A thousand more jobs, while all workers are restarted one after the other.
    let batch = counters.submit_many((0..1000).map(|n| format!("word{n}"))).await?;
    counters.rolling_restart().await?;
    assert!(batch.join_all().await.iter().all(|result| matches!(result, Ok(4))));

    let report = counters.stop(PoolShutdown::Drain).await;
    let stats = counters.stats();
    print_line!("{stats}");
    assert_eq!((stats.completed, stats.failed, stats.submitted), (1007, 2, 1009));
    assert_eq!((report.dropped, stats.queued), (0, 0));
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
