//! A supervisor of copies of one child, among which keys are divided.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial_actors::{Address, System};
use tokio::sync::Mutex;

use super::app::App;
use super::builder::Supervisor;
use super::handle::{SupervisorHandle, WeakSupervisorHandle};
use crate::error::{ChildError, StartError};
use crate::policy::{Backoff, Restart, Strategy};
use crate::spec::{Child, ChildSpec, SpecError};

/// The spec of a supervisor of some copies of one child: Elixir's `PartitionSupervisor`.
///
/// Work that one actor cannot keep up with is divided among them by a key. The same key leads to the same partition, whichever process,
/// machine or day asks, until the number of partitions is changed; and a partition stays the same through its restarts.
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
///     async fn init(partition: &usize, _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Counter(*partition)) }
///     async fn handle(&mut self, which: Reply<usize>, _: &mut Context<Self>) -> Result<(), ExitReason> {
///         Ok(which.send(self.0))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let three = NonZeroUsize::new(3).ok_or("three is not zero")?;
/// let counters = PartitionSupervisor::new("counters", three, |partition| Child::new::<Counter>("counter", partition));
/// let partitions = counters.partitions();
/// let app = counters.start(&system).await?;
///
/// let address = partitions.address(&4_u64).ok_or("there are partitions")?;
/// assert_eq!(address.call(|which| which).await?, 1);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[must_use = "a supervisor does nothing until it is started"]
pub struct PartitionSupervisor<M: Send + 'static> {
    supervisor: Supervisor,
    partitions: Partitions<M>,
}

impl<M: Send + 'static> PartitionSupervisor<M> {
    /// A supervisor of so many partitions at most, all of which run at first. Each is the child that is made for its number, counted from
    /// zero, and has that for its id.
    pub fn new(id: impl Into<Arc<str>>, max: NonZeroUsize, child: impl Fn(usize) -> Child<M>) -> Self {
        let size =
            Arc::new(Size { wanted: max.get().into(), routed: max.get().into(), changing: Mutex::new(()) });
        let mut supervisor = Supervisor::new(id);
        let mut addresses = Vec::with_capacity(max.get());
        for number in 0..max.get() {
            let wanted = size.clone();
            let child = child(number).called(number.to_string()).only_if(move || number < wanted.wanted());
            addresses.push(child.address());
            supervisor = supervisor.child(child);
        }
        let partitions = Partitions { supervisor: supervisor.handle(), addresses: addresses.into(), size };
        Self { supervisor, partitions }
    }

    /// Sets who is restarted with a partition that is.
    pub fn strategy(self, strategy: Strategy) -> Self {
        Self { supervisor: self.supervisor.strategy(strategy), ..self }
    }

    /// Sets how many restarts within how long it takes before it gives up.
    pub fn intensity(self, restarts: u32, period: Duration) -> Self {
        Self { supervisor: self.supervisor.intensity(restarts, period), ..self }
    }

    /// Sets which of its own ends call for a restart, when it is a child.
    pub fn restart(self, restart: Restart) -> Self {
        Self { supervisor: self.supervisor.restart(restart), ..self }
    }

    /// Makes it wait before it is restarted, longer each time.
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { supervisor: self.supervisor.backoff(backoff), ..self }
    }

    /// Sets how long a partition that was killed may take to die before its mailbox is taken away from it; 5 seconds unless set.
    pub fn abandon_after(self, patience: Duration) -> Self {
        Self { supervisor: self.supervisor.abandon_after(patience), ..self }
    }

    /// The means to find and to resize the partitions, good from now on and through every restart.
    #[must_use]
    pub fn partitions(&self) -> Partitions<M> {
        self.partitions.clone()
    }

    /// Whether it could be started.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SpecError> {
        self.supervisor.check()
    }

    /// Starts it as the root of a tree.
    ///
    /// # Errors
    ///
    /// As of [`Supervisor::start`].
    pub async fn start(self, system: &System) -> Result<App<SupervisorHandle>, StartError> {
        self.supervisor.start(system).await
    }
}

impl<M: Send + 'static> From<PartitionSupervisor<M>> for ChildSpec {
    fn from(partitioned: PartitionSupervisor<M>) -> Self {
        partitioned.supervisor.into()
    }
}

impl<M: Send + 'static> fmt::Debug for PartitionSupervisor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionSupervisor").field("supervisor", &self.supervisor).finish_non_exhaustive()
    }
}

/// The partitions of a [`PartitionSupervisor`], whichever incarnations of them live. Clones are the same.
pub struct Partitions<M: Send + 'static> {
    supervisor: SupervisorHandle,
    addresses: Arc<[Address<M>]>,
    size: Arc<Size>,
}

/// The partitions, without keeping their supervisor: see [`WeakSupervisorHandle`].
pub struct WeakPartitions<M: Send + 'static> {
    supervisor: WeakSupervisorHandle,
    addresses: Arc<[Address<M>]>,
    size: Arc<Size>,
}

impl<M: Send + 'static> WeakPartitions<M> {
    /// Returns the partitions, or `None` if their supervisor is gone.
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

/// How many partitions there are.
struct Size {
    /// How many are to run.
    wanted: AtomicUsize,
    /// Among how many keys are divided: only those that run.
    routed: AtomicUsize,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Size {
    fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Acquire)
    }
}

impl<M: Send + 'static> Partitions<M> {
    /// The partition that a key leads to; none if there are no partitions now.
    #[must_use]
    pub fn address(&self, key: &(impl PartitionKey + ?Sized)) -> Option<&Address<M>> {
        let partitions = self.size.routed.load(Ordering::Acquire) as u64;
        let number = key.number().checked_rem(partitions)?;
        self.addresses.get(number as usize)
    }

    /// The partitions that keys lead to now, by their numbers.
    #[must_use]
    pub fn addresses(&self) -> &[Address<M>] {
        let routed = self.size.routed.load(Ordering::Acquire);
        &self.addresses[..routed.min(self.addresses.len())]
    }

    /// Returns the partitions without keeping their supervisor: for those whom it keeps itself, as the `Args` of a partition.
    #[must_use]
    pub fn downgrade(&self) -> WeakPartitions<M> {
        let Self { supervisor, addresses, size } = self;
        WeakPartitions {
            supervisor: supervisor.downgrade(),
            addresses: addresses.clone(),
            size: size.clone(),
        }
    }

    /// The means to look at the supervisor of the partitions.
    #[must_use]
    pub const fn supervisor(&self) -> &SupervisorHandle {
        &self.supervisor
    }

    /// Changes the number of partitions, and with it where most keys lead. More are started before any key leads to them. Of those that are too
    /// many, no key leads to them any more; then they are stopped, and what waits in their mailboxes goes to the dead letters.
    ///
    /// Also after a restart of the supervisor there are as many. Elixir's `resize!`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some of them are started or stopped; to resize again puts that right.
    ///
    /// # Errors
    ///
    /// If there are to be more than it was made for, or one does not start or stop. Keys then lead to those before it.
    pub async fn resize(&self, partitions: usize) -> Result<(), ResizeError> {
        let max = self.addresses.len();
        if partitions > max {
            return Err(ResizeError::TooMany { max });
        }
        let _one_at_a_time = self.size.changing.lock().await;
        self.size.wanted.store(partitions, Ordering::Release);
        for number in 0..partitions {
            match self.supervisor.restart_child(number.to_string()).await {
                Ok(_) | Err(ChildError::Running | ChildError::Restarting) => {}
                Err(error) => {
                    self.size.routed.fetch_min(number, Ordering::AcqRel);
                    return Err(ResizeError::Child { partition: number, error });
                }
            }
        }
        self.size.routed.store(partitions, Ordering::Release);
        for number in (partitions..max).rev() {
            let stopped = self.supervisor.terminate_child(number.to_string()).await;
            stopped.map_err(|error| ResizeError::Child { partition: number, error })?;
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

/// Why the number of partitions was not changed, or not all the way.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// There are to be more than the supervisor was made for.
    #[error("there may be {max} partitions at most")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// One did not start, or was not stopped.
    #[error("partition {partition}: {error}")]
    Child {
        /// Which one.
        partition: usize,
        /// Why.
        error: ChildError,
    },
}

/// Something by which work is divided: its number, modulo the number of partitions, is the partition.
///
/// The number of a key has to be the same everywhere and always, which that of `std::hash` is not. That of an integer is its
/// absolute value, as Elixir has it; that of a text or of bytes is their FNV-1a hash of 64 bits.
pub trait PartitionKey {
    /// The number of this key.
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
