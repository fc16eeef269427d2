//! The pools of a system, and the changes of their sizes.
//!
//! ```
//! use perennial_actors::System;
//! use perennial_supervision::pool::{Pool, PoolInfo};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let pool = Pool::from_fn("squares", 2, |n: &u64| {
//!     let n = *n;
//!     async move { Ok::<u64, std::io::Error>(n * n) }
//! });
//! let app = pool.start(&system).await?;
//! let pools = PoolInfo::all(&system);
//! assert_eq!((&*pools[0].status.path, pools[0].status.wanted), ("squares", 2));
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```

use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::host::Broadcast;
use perennial_actors::host::sync::Mutex;
use perennial_actors::{Pid, Subscription, System, SystemEvent};

use super::stats::PoolStats;

/// The size of a pool.
///
/// As an event it is published when a pool starts with its supervisor, and when its target number
/// of workers is set. It always holds the whole status.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolStatus {
    /// The incarnation of the pool's supervisor.
    pub supervisor: Pid,
    /// The path of the pool in its tree.
    pub path: Arc<str>,
    /// The target number of workers.
    pub wanted: usize,
}

/// A pool that has started, and its statistics.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolInfo {
    /// The size.
    pub status: PoolStatus,
    /// The statistics.
    pub stats: PoolStats,
    /// How many jobs waited for how long before they started: upper bounds, an eighth apart, and
    /// the number of jobs between each and the one before. Of the first 1,024 jobs each is
    /// measured, and one in 16 of the later ones.
    pub wait_times: Vec<(Duration, u64)>,
    /// How many attempts took how long, of the jobs that are measured.
    pub run_times: Vec<(Duration, u64)>,
}

impl PoolInfo {
    /// Returns all pools of a system that have started, in the order of their first start. A pool
    /// whose tree has ended is among them as long as it has handles.
    #[must_use]
    pub fn all(system: &System) -> Vec<Self> {
        let pools: Vec<Arc<dyn AnyPool>> = {
            let list = Pools::of(system).list.lock();
            list.iter().filter_map(Weak::upgrade).collect()
        };
        // The last reference to a pool may be dropped here, under no lock.
        pools.iter().filter_map(|pool| pool.info()).collect()
    }
}

impl PoolStatus {
    pub(super) const fn new(supervisor: Pid, path: Arc<str>, wanted: usize) -> Self {
        Self { supervisor, path, wanted }
    }
}

impl SystemEvent for PoolStatus {
    fn subscribe(system: &System) -> Subscription<Self> {
        Pools::of(system).changes.subscribe()
    }
}

/// A pool without the type of its jobs.
pub(super) trait AnyPool: Send + Sync {
    /// Returns the size and the statistics, or `None` before the first start.
    fn info(&self) -> Option<PoolInfo>;
}

/// The pools of one system.
#[derive(Default)]
pub(super) struct Pools {
    list: Mutex<Vec<Weak<dyn AnyPool>>>,
    pub(super) changes: Broadcast<PoolStatus>,
}

impl Pools {
    pub(super) fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// Adds a pool, and removes those that are gone.
    pub(super) fn add(&self, pool: Weak<dyn AnyPool>) {
        let mut list = self.list.lock();
        let mut gone = Vec::new();
        list.retain(|known| {
            known.strong_count() > 0 || {
                gone.push(known.clone());
                false
            }
        });
        list.push(pool);
        drop(list);
        drop(gone);
    }
}
