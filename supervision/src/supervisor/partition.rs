//! A supervisor of copies of one child, and the distribution of keys among them.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use tokio::sync::Mutex;

use super::app::App;
use super::builder::Supervisor;
use super::handle::SupervisorHandle;
use super::partitions::{PartitionCount, Partitions};
use crate::error::StartError;
use crate::policy::{Backoff, Restart, Strategy};
use crate::spec::{Child, ChildSpec, SpecError};

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
/// let partitions = counters.partitions();
/// let app = counters.start(&system).await?;
///
/// let address = partitions.address(&4_u64).ok_or("there are partitions")?;
/// assert_eq!(address.call(|reply| reply).await?, 1);
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
        let mut supervisor = Supervisor::new(id).intensity_per_children();
        let mut addresses = Vec::with_capacity(max.get());
        for number in 0..max.get() {
            let count = size.clone();
            let child = child(number).with_id(number.to_string()).enabled_if(move || number < count.target());
            addresses.push(child.address());
            supervisor = supervisor.child(child);
        }
        let partitions = Partitions { supervisor: supervisor.handle(), addresses: addresses.into(), size };
        Self { supervisor, partitions }
    }

    /// Sets which partitions are restarted together with a partition.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let app = shards.strategy(Strategy::OneForAll).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn strategy(self, strategy: Strategy) -> Self {
        Self { supervisor: self.supervisor.strategy(strategy), ..self }
    }

    /// Sets how many restarts within `period` are tolerated. By default the number grows with the
    /// number of partitions, as that of [dynamic
    /// children](crate::DynamicSupervisor#choosing-restart-types-and-intensity) does.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let app = shards.intensity(10, Duration::from_secs(1)).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn intensity(self, restarts: u32, period: Duration) -> Self {
        Self { supervisor: self.supervisor.intensity(restarts, period), ..self }
    }

    /// Sets which of its own exits cause a restart when it is a child.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let app = Supervisor::new("app").child(shards.restart(Restart::Transient));
assert!(app.check().is_ok());"#
    )]
    pub fn restart(self, restart: Restart) -> Self {
        Self { supervisor: self.supervisor.restart(restart), ..self }
    }

    /// Sets the delay before its own restarts when it is a child. The delay grows with each
    /// restart.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
let app = Supervisor::new("app").child(shards.backoff(backoff));
assert!(app.check().is_ok());"#
    )]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { supervisor: self.supervisor.backoff(backoff), ..self }
    }

    /// Sets how long a killed partition may take to end before it is abandoned: its mailbox is then
    /// taken away from it. The default is 5 seconds.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let app = shards.abandon_after(Duration::from_secs(1)).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn abandon_after(self, kill_grace: Duration) -> Self {
        Self { supervisor: self.supervisor.abandon_after(kill_grace), ..self }
    }

    /// Returns the handle that finds and resizes the partitions. It is valid before the start and
    /// through every restart.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let partitions = shards.partitions();
let app = shards.start(&System::new()).await?;
assert!(partitions.address("any key").is_some());
# assert!(app.shutdown().await.is_clean());"#
    )]
    #[must_use]
    pub fn partitions(&self) -> Partitions<M> {
        self.partitions.clone()
    }

    /// Checks the spec. [`start`](Self::start) checks the same first.
    ///
    /// # Errors
    ///
    /// The first error found.
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
assert!(shards.check().is_ok());"#
    )]
    pub fn check(&self) -> Result<(), SpecError> {
        self.supervisor.check()
    }

    /// Starts it as the root of a tree.
    ///
    /// # Errors
    ///
    /// As for [`Supervisor::start`].
    ///
    #[doc = supervision_example!(
        r#"let shards = PartitionSupervisor::new("shards", NonZeroUsize::MIN, |_| clock("shard"));
let app = shards.start(&System::new()).await?;
assert!(app.shutdown().await.is_clean());"#
    )]
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
