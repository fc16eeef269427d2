//! A rollout: a new version of the workers takes over under load, and a bad version is rolled back.
//!
//! ```text
//! cargo run --release --example rollout
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use perennial::pool::{JobContext, Pool, PoolHandle, RolloutError, RolloutFailure, Worker, WorkerContext};
use perennial::prelude::*;
use tokio::time::sleep;

/// Greets, in the way of its version.
struct Greeter {
    version: u32,
}

impl Worker for Greeter {
    type Job = Duration;
    /// The version that greeted.
    type Output = u32;
    type Error = std::convert::Infallible;
    /// The version.
    type Args = u32;

    async fn init(version: &u32, _: &WorkerContext) -> Result<Self, ExitReason> {
        // It warms up.
        sleep(Duration::from_millis(5)).await;
        match *version {
            3 => Err(ExitReason::failed("version 3 lacks its configuration")),
            version => Ok(Self { version }),
        }
    }

    async fn work(&mut self, takes: &Duration, _: &JobContext<'_>) -> Result<u32, Self::Error> {
        sleep(*takes).await;
        Ok(self.version)
    }
}

/// Submits jobs until it is told to stop. Returns the versions that did them, in order.
async fn load(greeters: PoolHandle<Greeter>, is_over: Arc<AtomicBool>) -> Result<Vec<u32>, String> {
    let mut versions = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let jobs = (0..20).map(|n| Duration::from_millis(n % 4));
        let batch = greeters.submit_many(jobs).await.map_err(|error| error.to_string())?;
        for result in batch.join_all().await {
            versions.push(result.map_err(|error| error.to_string())?);
        }
    }
    Ok(versions)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::<Greeter>::new("greeters", 4, 1);
    let greeters = pool.handle();
    let app = pool.start(&System::new()).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let jobs = tokio::spawn(load(greeters.clone(), is_over.clone()));
    sleep(Duration::from_millis(20)).await;

    // Version 2 takes over. An additional worker makes up for the one that is being replaced.
    let report = greeters.rollout().args(2).max_unavailable(0).max_surge(1).await?;
    print_line!("version 2: {report}");
    assert_eq!((report.revision, report.replaced), (2, vec![0, 1, 2, 3]));
    sleep(Duration::from_millis(20)).await;

    // Version 3 does not start. The workers that were stopped for it are version 2 again.
    let error = greeters.rollout().args(3).max_unavailable(2).await.expect_err("a bad version");
    print_line!("version 3: {error}");
    let RolloutError::RolledBack { failure, report } = error else { return Err(error.into()) };
    assert!(matches!(&failure, RolloutFailure::Worker(error)
        if error.to_string().contains("version 3 lacks its configuration")));
    assert_eq!((report.revision, report.replaced.len(), report.unavailable.len()), (2, 0, 0));
    assert_eq!(report.rolled_back.len() + report.kept.len(), 4);
    sleep(Duration::from_millis(20)).await;

    // All jobs were done, by version 1 first and by version 2 in the end. None was done twice.
    is_over.store(true, Ordering::Relaxed);
    let versions = jobs.await??;
    let done = |version| versions.iter().filter(|done_by| **done_by == version).count();
    print_line!("{} jobs: {} by version 1, {} by version 2", versions.len(), done(1), done(2));
    assert_eq!((versions.first(), versions.last()), (Some(&1), Some(&2)));
    assert_eq!(done(1) + done(2), versions.len());
    let stats = greeters.stats();
    assert_eq!(stats.completed, versions.len() as u64);
    assert_eq!((stats.submitted, stats.failed, stats.dropped), (stats.completed, 0, 0));
    assert_eq!(stats.retried, 0);

    // Also a worker that is restarted later is version 2.
    greeters.rolling_restart().await?;
    assert_eq!(greeters.submit(Duration::ZERO).await?.await?, 2);
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
