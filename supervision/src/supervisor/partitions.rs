//! The partitions of a supervisor: the selection by keys, and the change of their number.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use perennial_actors::host::sync::{AtomicUsize, Ordering};
use perennial_actors::{Address, Monitor};
use tokio::sync::Mutex;

use super::handle::{SupervisorHandle, WeakSupervisorHandle};
use super::partition_key::PartitionKey;
use super::requests::run_to_completion;
use crate::error::ChildError;
use crate::tree::ChildStart;

/// The partitions of a [`PartitionSupervisor`](crate::PartitionSupervisor). It reaches their
/// current incarnations. Clones refer to the same partitions.
pub struct Partitions<M: Send + 'static> {
    pub(super) supervisor: SupervisorHandle,
    pub(super) addresses: Arc<[Address<M>]>,
    pub(super) size: Arc<PartitionCount>,
}

/// The partitions, without keeping their supervisor alive: see [`WeakSupervisorHandle`].
pub struct WeakPartitions<M: Send + 'static> {
    supervisor: WeakSupervisorHandle,
    addresses: Arc<[Address<M>]>,
    size: Arc<PartitionCount>,
}

impl<M: Send + 'static> WeakPartitions<M> {
    /// Returns the partitions, or `None` if their supervisor was dropped.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let weak = shards.partitions().downgrade();
assert!(weak.upgrade().is_some());
drop(shards);
assert!(weak.upgrade().is_none());"#
    )]
    #[must_use]
    pub fn upgrade(&self) -> Option<Partitions<M>> {
        let supervisor = self.supervisor.upgrade()?;
        Some(Partitions { supervisor, addresses: self.addresses.clone(), size: self.size.clone() })
    }
}

impl<M: Send + 'static> Clone for WeakPartitions<M> {
    fn clone(&self) -> Self {
        let Self { supervisor, addresses, size } = self;
        Self { supervisor: supervisor.clone(), addresses: addresses.clone(), size: size.clone() }
    }
}

impl<M: Send + 'static> fmt::Debug for WeakPartitions<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakPartitions").field(&self.upgrade()).finish()
    }
}

/// The number of partitions.
pub(super) struct PartitionCount {
    /// The number of partitions that are to run.
    pub(super) target: AtomicUsize,
    /// The number of partitions that keys select. All of them run.
    pub(super) routed: AtomicUsize,
    /// Held during a change, so that changes do not overlap.
    pub(super) change_lock: Mutex<()>,
}

impl PartitionCount {
    pub(super) fn target(&self) -> usize {
        self.target.load(Ordering::Acquire)
    }
}

impl<M: Send + 'static> Partitions<M> {
    /// Returns the address of the partition that `key` selects, or `None` if the number of
    /// partitions is zero.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let partitions = shards.partitions();
let app = shards.start(&System::new()).await?;
assert!(partitions.address(&42_u64).is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn address(&self, key: &(impl PartitionKey + ?Sized)) -> Option<&Address<M>> {
        let partitions = self.size.routed.load(Ordering::Acquire) as u64;
        let number = key.number().checked_rem(partitions)?;
        self.addresses.get(number as usize)
    }

    /// Returns the addresses of the partitions that keys can select, in order of their numbers.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
assert_eq!(shards.partitions().addresses().len(), 1);"#
    )]
    #[must_use]
    pub fn addresses(&self) -> &[Address<M>] {
        let routed = self.size.routed.load(Ordering::Acquire);
        &self.addresses[..routed.min(self.addresses.len())]
    }

    /// Returns the partitions without keeping their supervisor alive: for values that the
    /// supervisor keeps itself, such as the `Args` of a partition.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let weak = shards.partitions().downgrade();
assert!(weak.upgrade().is_some());"#
    )]
    #[must_use]
    pub fn downgrade(&self) -> WeakPartitions<M> {
        let Self { supervisor, addresses, size } = self;
        WeakPartitions {
            supervisor: supervisor.downgrade(),
            addresses: addresses.clone(),
            size: size.clone(),
        }
    }

    /// Returns the handle of the supervisor of the partitions.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let partitions = shards.partitions();
let app = shards.start(&System::new()).await?;
assert_eq!(partitions.supervisor().count_children().await?.active, 1);
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub const fn supervisor(&self) -> &SupervisorHandle {
        &self.supervisor
    }

    /// Returns a future that resolves to the exit reason of the current incarnation of the
    /// supervisor, once that has ended. See [`Monitor`].
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let partitions = shards.partitions();
let app = shards.start(&System::new()).await?;
let down = partitions.monitor();
assert!(app.shutdown().await.is_clean());
assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));"#
    )]
    pub fn monitor(&self) -> Monitor {
        self.supervisor.monitor()
    }

    /// Changes the number of partitions, and with it the partition that most keys select. Resolves
    /// once every partition below the new number runs or is being restarted, and every other one is
    /// stopped. Elixir's `resize!`.
    ///
    /// New partitions are started before any key selects them. Removed partitions are stopped after
    /// no key selects them any more. Messages in their mailboxes become dead letters. The number
    /// survives a restart of the supervisor.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the change is completed all the same.
    ///
    /// # Errors
    ///
    /// [`TooMany`](ResizeError::TooMany) if `partitions` exceeds the maximum of the supervisor.
    /// Otherwise a partition did not start, declined to start, or was not stopped. If a new
    /// partition did not start, the number is the same as before. If an old partition was stopped
    /// and did not start, keys select the partitions with lower numbers.
    ///
    #[doc = supervision_example!(
        r#"let max = NonZeroUsize::MIN.saturating_add(3);
let shards = PartitionSupervisor::new("shards", max, |_| clock("shard"));
let partitions = shards.partitions();
let app = shards.start(&System::new()).await?;
partitions.resize(2).await?;
assert_eq!(partitions.addresses().len(), 2);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn resize(&self, partitions: usize) -> Result<(), ResizeError> {
        let max = self.addresses.len();
        if partitions > max {
            return Err(ResizeError::TooMany { max });
        }
        let these = self.clone();
        let changed = run_to_completion(async move { these.set_size(partitions).await }).await;
        changed.unwrap_or(Err(ResizeError::Child { partition: 0, error: ChildError::ShuttingDown }))
    }

    async fn set_size(&self, partitions: usize) -> Result<(), ResizeError> {
        let _one_at_a_time = self.size.change_lock.lock().await;
        let before = self.size.target();
        for number in 0..partitions {
            // The target never exceeds the started partitions: a restart of the supervisor
            // starts as many as the target.
            self.size.target.fetch_max(number + 1, Ordering::AcqRel);
            if let Err(error) = self.start_partition(number).await {
                self.size.routed.fetch_min(number, Ordering::AcqRel);
                self.size.target.store(before, Ordering::Release);
                self.stop_partitions(before..number).await?;
                return Err(error);
            }
        }
        self.size.target.store(partitions, Ordering::Release);
        self.size.routed.store(partitions, Ordering::Release);
        self.stop_partitions(partitions..self.addresses.len()).await
    }

    /// Starts a partition, unless it runs or is being restarted.
    async fn start_partition(&self, partition: usize) -> Result<(), ResizeError> {
        match self.supervisor.restart_child(partition.to_string()).await {
            Ok(ChildStart::Started(_)) | Err(ChildError::Running | ChildError::Restarting) => Ok(()),
            Ok(ChildStart::Ignored) => Err(ResizeError::Declined { partition }),
            Err(error) => Err(ResizeError::Child { partition, error }),
        }
    }

    /// Stops partitions, the last one first.
    async fn stop_partitions(&self, partitions: Range<usize>) -> Result<(), ResizeError> {
        for partition in partitions.rev() {
            let stopped = self.supervisor.terminate_child(partition.to_string()).await;
            stopped.map_err(|error| ResizeError::Child { partition, error })?;
        }
        Ok(())
    }
}

impl<M: Send + 'static> Clone for Partitions<M> {
    fn clone(&self) -> Self {
        let Self { supervisor, addresses, size } = self;
        Self { supervisor: supervisor.clone(), addresses: addresses.clone(), size: size.clone() }
    }
}

impl<M: Send + 'static> fmt::Debug for Partitions<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitions").field("partitions", &self.addresses().len()).finish_non_exhaustive()
    }
}

/// The reason why the number of partitions was not changed, or not completely.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// The number exceeds the maximum of the supervisor.
    #[error("the maximum is {max} partitions")]
    TooMany {
        /// The maximum number of partitions.
        max: usize,
    },
    /// A partition declined to start.
    #[error("partition {partition} declined to start")]
    Declined {
        /// The number of the partition.
        partition: usize,
    },
    /// A partition did not start, or was not stopped.
    #[error(fmt = partition_failed)]
    Child {
        /// The number of the partition.
        partition: usize,
        /// The error of the start or stop.
        error: ChildError,
    },
}

fn partition_failed(partition: &usize, error: &ChildError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "partition {partition}: ")?;
    fmt::Display::fmt(error, f)
}
