//! The child of a tree that publishes the metrics.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_supervision::{Child, TaskContext};
use tokio::time::{self, Instant};

use super::collector::Metrics;

/// The time between two publications.
const PERIOD: Duration = Duration::from_secs(5);

/// The time in which events are gathered before they are counted.
const GATHERED: Duration = Duration::from_millis(10);

impl Metrics {
    /// Returns a child that publishes the metrics every five seconds, at its start and at its stop.
    /// It counts events as they come, so that none is lost between two publications.
    ///
    /// A recorder that panics is not noticed: the series for which it does is missing then.
    ///
    /// Place it first among its siblings: it is stopped last, and publishes what they counted.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Metrics;
    /// # use perennial_supervision::Supervisor;
    /// let metrics = Metrics::of(&System::new());
    /// let app = Supervisor::new("app").child(metrics.child("metrics"));
    /// ```
    pub fn child(&self, id: impl Into<Arc<str>>) -> Child<Infallible> {
        let metrics = self.clone();
        Child::task(id, move |task| run(metrics.clone(), task))
    }
}

async fn run(metrics: Metrics, task: TaskContext) -> Result<(), ExitReason> {
    let mut stopped = pin!(task.stopped());
    let shared = metrics.operations().shared();
    let mut next = Instant::now();
    loop {
        if Instant::now() >= next {
            metrics.collect();
            next = Instant::now() + PERIOD;
        }
        let mut changed = pin!(shared.changed());
        // Registered before the events are counted, so that none is missed in between.
        changed.as_mut().enable();
        metrics.count_events();
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            () = changed => {}
            () = time::sleep_until(next) => continue,
        }
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            () = time::sleep(GATHERED) => {}
        }
    }
    metrics.collect();
    Ok(())
}
