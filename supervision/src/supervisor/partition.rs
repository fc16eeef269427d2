//! A supervisor of copies of one child, among which keys are divided.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial_actors::{Address, Monitor, System};
use tokio::sync::Mutex;

use super::app::App;
use super::builder::Supervisor;
use super::handle::{SupervisorHandle, WeakSupervisorHandle, run_to_completion};
use super::partition_key::PartitionKey;
use crate::error::{ChildError, StartError};
use crate::policy::{Backoff, Restart, Strategy};
use crate::spec::{Child, ChildSpec, SpecError};
use crate::tree::ChildStart;

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
        let mut supervisor = Supervisor::new(id).intensity_per_children();
        let mut addresses = Vec::with_capacity(max.get());
        for number in 0..max.get() {
            let wanted = size.clone();
            let child =
                child(number).with_id(number.to_string()).enabled_if(move || number < wanted.wanted());
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

    /// Sets how many restarts within how long it takes before it gives up. Unless set, the number grows
    /// with that of the partitions, as [that of dynamic
    /// children](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
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

    /// Returns the partitions without keeping their supervisor: for values that it keeps itself, as the `Args` of a partition.
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

    /// Returns a future that resolves when the incarnation of the supervisor that lives has ended, to
    /// the reason: see [`Monitor`].
    pub fn monitor(&self) -> Monitor {
        self.supervisor.monitor()
    }

    /// Changes the number of partitions, and with it where most keys lead. Resolves when every
    /// partition that is wanted runs or is being restarted, and every other one is down.
    ///
    /// More are started before any key leads to them. No key leads to those that are too many
    /// before they are stopped. What waits in the mailboxes of those goes to the dead letters. The
    /// number outlives a restart of the supervisor. Elixir's `resize!`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the change is carried through all the same.
    ///
    /// # Errors
    ///
    /// [`TooMany`](ResizeError::TooMany) if the supervisor was made for fewer. Otherwise a
    /// partition did not start, declined to, or was not stopped. If one of the new ones did not
    /// start, there are as many as before. If one of the old ones was down and did not start, keys
    /// lead to those before it.
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
        let _one_at_a_time = self.size.changing.lock().await;
        let before = self.size.wanted();
        for number in 0..partitions {
            // No more are wanted than have started: a restart of the supervisor would have to start
            // them.
            self.size.wanted.fetch_max(number + 1, Ordering::AcqRel);
            if let Err(error) = self.open(number).await {
                self.size.routed.fetch_min(number, Ordering::AcqRel);
                self.size.wanted.store(before, Ordering::Release);
                self.shut(before..number).await?;
                return Err(error);
            }
        }
        self.size.wanted.store(partitions, Ordering::Release);
        self.size.routed.store(partitions, Ordering::Release);
        self.shut(partitions..self.addresses.len()).await
    }

    /// Starts a partition, unless it runs or is being restarted.
    async fn open(&self, partition: usize) -> Result<(), ResizeError> {
        match self.supervisor.restart_child(partition.to_string()).await {
            Ok(ChildStart::Started(_)) | Err(ChildError::Running | ChildError::Restarting) => Ok(()),
            Ok(ChildStart::Ignored) => Err(ResizeError::Declined { partition }),
            Err(error) => Err(ResizeError::Child { partition, error }),
        }
    }

    /// Stops partitions, the last one first.
    async fn shut(&self, partitions: Range<usize>) -> Result<(), ResizeError> {
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

/// Why the number of partitions was not changed, or not all the way.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// There are to be more than the supervisor was made for.
    #[error("the maximum is {max} partitions")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// One declined to start.
    #[error("partition {partition} declined to start")]
    Declined {
        /// Which one.
        partition: usize,
    },
    /// One did not start, or was not stopped.
    #[error(fmt = partition_failed)]
    Child {
        /// Which one.
        partition: usize,
        /// Why.
        error: ChildError,
    },
}

fn partition_failed(partition: &usize, error: &ChildError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "partition {partition}: ")?;
    fmt::Display::fmt(error, f)
}
