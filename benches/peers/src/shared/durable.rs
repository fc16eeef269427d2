//! The works of a durable queue: empty jobs, each of which is on the disk when its submission
//! resolves.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::measure::each;
use super::tally::Tally;

/// The part of the jobs that is done before the measurement: a tenth.
const WARM_UP: u64 = 10;

/// How long the race waits before it asks again whether all jobs are over.
const POLL: Duration = Duration::from_millis(1);

/// The durable queue of one contestant, in a database that only it uses.
pub trait DurableQueue: Sized + Send + Sync + 'static {
    /// Opens the database at an address, which is the path of a file or the URL of a server, and
    /// starts a pool whose workers count down the tally at each job.
    fn start(address: &str, tally: Arc<Tally>) -> impl Future<Output = Result<Self>> + Send;

    /// Submits an empty job. Resolves when it is synced to the disk.
    fn submit(&self) -> impl Future<Output = Result<()>> + Send;

    /// Returns `true` if a job is stored that has not completed.
    fn has_more(&self) -> impl Future<Output = Result<bool>> + Send;
}

/// Returns the cost of each of `count` jobs in nanoseconds, from before the first submission until
/// the completion of the last one is stored.
pub async fn jobs<Q: DurableQueue>(address: &str, submitters: u64, count: u64) -> Result<f64> {
    let tally = Arc::new(Tally::of(0));
    let queue = Arc::new(Q::start(address, tally.clone()).await?);
    run(&queue, &tally, submitters, count / WARM_UP).await?;
    run(&queue, &tally, submitters, count).await
}

async fn run<Q: DurableQueue>(queue: &Arc<Q>, tally: &Tally, submitters: u64, count: u64) -> Result<f64> {
    let share = count.div_ceil(submitters);
    let count = share * submitters;
    tally.expect(count);
    let begin = Instant::now();
    let submitter = || {
        let queue = queue.clone();
        tokio::spawn(async move {
            for _ in 0..share {
                queue.submit().await?;
            }
            anyhow::Ok(())
        })
    };
    let tasks: Vec<_> = (0..submitters).map(|_| submitter()).collect();
    for task in tasks {
        task.await.context("a submitter panicked")??;
    }
    tally.done().await;
    while queue.has_more().await? {
        tokio::time::sleep(POLL).await;
    }
    Ok(each(begin.elapsed(), count))
}
