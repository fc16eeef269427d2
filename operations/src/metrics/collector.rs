//! The handle with which the metrics of a system are published.

use std::fmt;
use std::sync::{Arc, Weak};

use perennial_actors::System;
use perennial_actors::host::sync::Mutex;

use super::catalog::{ALL, MetricInfo};
use super::publish::publish;
use super::series::MAX_SERIES;
use super::state::{Reading, State};
use crate::operations::Operations;

/// Publishes the metrics of a system through the facade [`metrics`](::metrics).
///
/// Put its [child](Self::child) into the tree: it publishes as long as the tree runs. A program
/// that serves scrapes can [collect](Self::collect) before each of them instead, or as well.
///
/// Counted is what happens from the first value for a system on, and the messages of the actors
/// that live then. The counts end with the last value. Clones count together. Two systems that
/// publish to one recorder overwrite each other.
///
/// The labels `actor`, `supervisor` and `pool` are paths in the tree. Children of a dynamic
/// supervisor and workers of a pool share the label `path/*`. An actor outside a tree has its type.
/// A metric has at most [`MAX_SERIES`](Self::MAX_SERIES) series; the rest is counted as `other`.
///
/// # Examples
///
/// ```
/// use perennial_actors::System;
/// use perennial_operations::Metrics;
/// use perennial_supervision::Supervisor;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let metrics = Metrics::of(&system);
/// let app = Supervisor::new("app").child(metrics.child("metrics")).start(&system).await?;
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Collector>);

struct Collector {
    operations: Operations,
    state: Mutex<State>,
}

/// The metrics of one system, while they are counted.
#[derive(Default)]
struct Slot(Mutex<Weak<Collector>>);

impl Metrics {
    /// The most series of one metric. Its labels with fixed values, like `reason`, are kept where
    /// the others are `other`.
    pub const MAX_SERIES: usize = MAX_SERIES;

    /// Counts what happens in a system from now on, unless it is counted already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Metrics;
    /// Metrics::of(&System::new()).collect();
    /// ```
    #[must_use = "what happens is counted until it is dropped"]
    pub fn of(system: &System) -> Self {
        let operations = Operations::of(system);
        let slot = system.extension(Slot::default);
        let mut known = slot.0.lock();
        if let Some(collector) = known.upgrade() {
            return Self(collector);
        }
        let state = Mutex::new(State::of(operations.shared()));
        let collector = Arc::new(Collector { operations, state });
        *known = Arc::downgrade(&collector);
        Self(collector)
    }

    /// Returns all metrics.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_operations::Metrics;
    /// assert!(Metrics::all().iter().any(|metric| metric.name == "perennial_restarts_total"));
    /// ```
    #[must_use]
    pub const fn all() -> &'static [&'static MetricInfo] {
        ALL
    }

    /// Reads the system and publishes its metrics to the recorder of this thread or program.
    /// Without a recorder it counts only.
    ///
    /// It asks no actor and no supervisor, as [`Operations::snapshot`] does, and takes as long.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Metrics;
    /// let metrics = Metrics::of(&System::new());
    /// // ... before each scrape
    /// metrics.collect();
    /// ```
    pub fn collect(&self) {
        let shared = self.0.operations.shared();
        let reading = Reading::of(shared);
        let mut state = self.0.state.lock();
        let counted = state.count_events(shared);
        state.measure_all(&reading, shared);
        let series = state.tally.series.take();
        drop(state);
        drop(counted);
        publish(series);
    }

    /// Counts the events that happened since the last call.
    pub(super) fn count_events(&self) {
        let shared = self.0.operations.shared();
        shared.take_events();
        let counted = self.0.state.lock().count_events(shared);
        drop(counted);
    }

    pub(super) fn operations(&self) -> &Operations {
        &self.0.operations
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("operations", &self.0.operations).finish_non_exhaustive()
    }
}
