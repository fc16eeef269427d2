//! A supervisor of copies of one child, and the distribution of keys among them.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use perennial_actors::Address;
use perennial_actors::host::sync::{AtomicUsize, Ordering};
use tokio::sync::Mutex;

use super::builder::SupervisorBuilder;
use super::group::ChildGroup;
use super::handle::{SupervisorHandle, WeakSupervisorHandle};
use super::requests::run_to_completion;
use crate::error::ChildError;
use crate::policy::RestartLimit;
use crate::spec::{Child, SupervisorSpec};
use crate::tree::ChildStart;

/// The spec of a supervisor of several copies of one child: Elixir's `PartitionSupervisor`.
///
/// Work that exceeds the capacity of one actor is distributed among the copies by a key. The same
/// key selects the same partition in every process and on every machine, until the number of
/// partitions changes. A partition keeps its keys through its restarts.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// use perennial_supervision::{Child, PartitionSupervisor};
///
/// struct Counter(usize);
///
/// impl Actor for Counter {
///     type Msg = Reply<usize>;
///     type Args = usize;
///     async fn init(partition: &usize, _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(Counter(*partition))
///     }
///     async fn handle(
///         &mut self, reply: Reply<usize>, _: &mut Context<Self>,
///     ) -> Result<(), ExitReason> {
///         Ok(reply.send(self.0))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let three = NonZeroUsize::new(3).ok_or("three is not zero")?;
/// let counter = |partition| Child::new::<Counter>("counter", partition);
/// let counters = PartitionSupervisor::new("counters", three, counter);
/// let partitions = counters.handle();
/// let app = counters.start(&system).await?;
///
/// let address = partitions.address(&4_u64).ok_or("there are partitions")?;
/// assert_eq!(address.call(|reply| reply).await?, 1);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub type PartitionSupervisor<M> = SupervisorBuilder<Partitioned<M>>;

/// The handle of a [`PartitionSupervisor`], which finds and resizes its partitions.
///
#[doc = supervision_example!(
    r#"let max = NonZeroUsize::MIN.saturating_add(1);
let shards = PartitionSupervisor::new("shards", max, |_| clock("shard"));
let app = shards.start(&System::new()).await?;
app.supervisor().resize(1).await?;
assert_eq!(app.supervisor().count_children().await?.active, 1);
# assert!(app.shutdown().await.is_clean());"#
)]
pub type Partitions<M> = SupervisorHandle<Partitioned<M>>;

/// A handle that does not keep the supervisor of the partitions alive.
pub type WeakPartitions<M> = WeakSupervisorHandle<Partitioned<M>>;

/// The children of a [`PartitionSupervisor`]: copies of one child, with their numbers as ids.
pub struct Partitioned<M: Send + 'static> {
    addresses: Arc<[Address<M>]>,
    size: Arc<PartitionCount>,
}

/// The number of partitions.
struct PartitionCount {
    /// The number of partitions that are to run.
    target: AtomicUsize,
    /// The number of partitions that keys select. All of them run.
    routed: AtomicUsize,
    /// Held during a change, so that changes do not overlap.
    change_lock: Mutex<()>,
}

impl PartitionCount {
    fn target(&self) -> usize {
        self.target.load(Ordering::Acquire)
    }
}

impl<M: Send + 'static> ChildGroup for Partitioned<M> {
    type ChildId = Arc<str>;
}

impl<M: Send + 'static> Clone for Partitioned<M> {
    fn clone(&self) -> Self {
        Self { addresses: self.addresses.clone(), size: self.size.clone() }
    }
}

impl<M: Send + 'static> fmt::Debug for Partitioned<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitioned").field("running", &self.size.routed).finish_non_exhaustive()
    }
}

impl<M: Send + 'static> PartitionSupervisor<M> {
    /// Creates a supervisor of at most `max` partitions and starts all of them. Partition `n`,
    /// counted from zero, is the child that `child(n)` returns, with `n` as its id.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let app = shards.start(&System::new()).await?;
assert!(app.tree().at(["0"]).is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn new(id: impl Into<Arc<str>>, max: NonZeroUsize, child: impl Fn(usize) -> Child<M>) -> Self {
        let size = Arc::new(PartitionCount {
            target: max.get().into(),
            routed: max.get().into(),
            change_lock: Mutex::new(()),
        });
        let mut spec = SupervisorSpec { intensity: RestartLimit::PerChildren, ..SupervisorSpec::ordered() };
        let mut addresses = Vec::with_capacity(max.get());
        for number in 0..max.get() {
            let count = size.clone();
            let child = child(number).with_id(number.to_string()).enabled_if(move || number < count.target());
            addresses.push(child.address());
            spec.children.push(child.into());
        }
        Self::with(id.into(), spec, Partitioned { addresses: addresses.into(), size })
    }
}

impl<M: Send + 'static> Partitions<M> {
    /// Returns the address of the partition that `key` selects, or `None` if the number of
    /// partitions is zero.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let partitions = shards.handle();
let app = shards.start(&System::new()).await?;
assert!(partitions.address(&42_u64).is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn address(&self, key: &(impl PartitionKey + ?Sized)) -> Option<&Address<M>> {
        let partitions = self.group.size.routed.load(Ordering::Acquire) as u64;
        let number = key.number().checked_rem(partitions)?;
        self.group.addresses.get(number as usize)
    }

    /// Returns the addresses of the partitions that keys can select, in order of their numbers.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
assert_eq!(shards.handle().addresses().len(), 1);"#
    )]
    #[must_use]
    pub fn addresses(&self) -> &[Address<M>] {
        let routed = self.group.size.routed.load(Ordering::Acquire);
        &self.group.addresses[..routed.min(self.group.addresses.len())]
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
let partitions = shards.handle();
let app = shards.start(&System::new()).await?;
partitions.resize(2).await?;
assert_eq!(partitions.addresses().len(), 2);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn resize(&self, partitions: usize) -> Result<(), ResizeError> {
        let max = self.group.addresses.len();
        if partitions > max {
            return Err(ResizeError::TooMany { max });
        }
        let these = self.clone();
        let changed = run_to_completion(async move { these.set_size(partitions).await }).await;
        changed.unwrap_or(Err(ResizeError::Child { partition: 0, error: ChildError::ShuttingDown }))
    }

    async fn set_size(&self, partitions: usize) -> Result<(), ResizeError> {
        let _one_at_a_time = self.group.size.change_lock.lock().await;
        let before = self.group.size.target();
        for number in 0..partitions {
            // The target never exceeds the started partitions: a restart of the supervisor
            // starts as many as the target.
            self.group.size.target.fetch_max(number + 1, Ordering::AcqRel);
            if let Err(error) = self.start_partition(number).await {
                self.group.size.routed.fetch_min(number, Ordering::AcqRel);
                self.group.size.target.store(before, Ordering::Release);
                self.stop_partitions(before..number).await?;
                return Err(error);
            }
        }
        self.group.size.target.store(partitions, Ordering::Release);
        self.group.size.routed.store(partitions, Ordering::Release);
        self.stop_partitions(partitions..self.group.addresses.len()).await
    }

    /// Starts a partition, unless it runs or is being restarted.
    async fn start_partition(&self, partition: usize) -> Result<(), ResizeError> {
        match self.restart_child(partition.to_string()).await {
            Ok(ChildStart::Started(_)) | Err(ChildError::Running | ChildError::Restarting) => Ok(()),
            Ok(ChildStart::Ignored) => Err(ResizeError::Declined { partition }),
            Err(error) => Err(ResizeError::Child { partition, error }),
        }
    }

    /// Stops partitions, the last one first.
    async fn stop_partitions(&self, partitions: Range<usize>) -> Result<(), ResizeError> {
        for partition in partitions.rev() {
            let stopped = self.terminate_child(partition.to_string()).await;
            stopped.map_err(|error| ResizeError::Child { partition, error })?;
        }
        Ok(())
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

/// A key that selects a partition: its number modulo the number of partitions.
///
/// The number of a key is the same in every process and on every machine, unlike a hash of
/// `std::hash`. The number of an integer is its absolute value, as in Elixir. The number of a
/// string or of bytes is their 64-bit FNV-1a hash.
pub trait PartitionKey {
    /// Returns the number of this key.
    fn number(&self) -> u64;
}

macro_rules! integers_are_keys {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl PartitionKey for $unsigned {
            fn number(&self) -> u64 {
                *self as u64
            }
        }

        impl PartitionKey for $signed {
            fn number(&self) -> u64 {
                self.unsigned_abs() as u64
            }
        }
    )*};
}

integers_are_keys! { u8, i8; u16, i16; u32, i32; u64, i64; usize, isize; }

impl PartitionKey for [u8] {
    fn number(&self) -> u64 {
        let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        self.iter().fold(0xcbf2_9ce4_8422_2325, hash)
    }
}

impl PartitionKey for str {
    fn number(&self) -> u64 {
        self.as_bytes().number()
    }
}

impl PartitionKey for String {
    fn number(&self) -> u64 {
        self.as_bytes().number()
    }
}

impl<K: PartitionKey + ?Sized> PartitionKey for &K {
    fn number(&self) -> u64 {
        (**self).number()
    }
}
