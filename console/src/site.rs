//! What all requests share: the observation of the system, the cached snapshot, and the limits.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use perennial_actors::host::sync::{Mutex, OnceLock};
use perennial_actors::{ActorHandle, CallWatch, System};
use perennial_operations::{HealthCheck, Operations};
use perennial_supervision::Tree;
use tokio::sync::Semaphore;

use crate::actions::Audit;
use crate::api::{HandleSamples, HandleTimes, Tally, TreeHealth, View, millis};
use crate::cached::{Cached, KEPT};
use crate::config::{BoundAddress, Config};
use crate::nodes::KnownNodes;
use crate::pools::Pools;
use crate::stores::Stores;
use crate::while_read::WhileRead;

/// The number of answers that are computed at once. The other threads are for the program.
const COMPUTED_AT_ONCE: usize = 2;

/// What stays of a console over its restarts.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pools: Pools,
    pub(crate) stores: Stores,
    pub(crate) nodes: Option<Arc<KnownNodes>>,
    pub(crate) bound: BoundAddress,
    /// Differs between two processes, or two consoles.
    pub(crate) boot: String,
    pub(crate) started_at_millis: u64,
    pub(crate) audit: Audit,
    operations: OnceLock<Operations>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        pools: Pools,
        stores: Stores,
        nodes: Option<Arc<KnownNodes>>,
        bound: BoundAddress,
    ) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let boot = RandomState::new().hash_one((since.as_nanos(), std::process::id()));
        Self {
            config,
            pools,
            stores,
            nodes,
            bound,
            boot: format!("{boot:016x}"),
            started_at_millis: millis(since),
            audit: Audit::default(),
            operations: OnceLock::new(),
        }
    }
}

/// The console in one incarnation.
pub(crate) struct Site {
    pub(crate) shared: Arc<Shared>,
    pub(crate) operations: Operations,
    /// The clients that follow the events.
    pub(crate) streams: Arc<Semaphore>,
    /// One search at once, so that answers that take long do not have all threads.
    pub(crate) searching: Arc<Semaphore>,
    computing: Arc<Semaphore>,
    view: Cached<View>,
    health: Cached<Vec<TreeHealth>>,
    tally: Mutex<Tally>,
    watch: WhileRead<Arc<CallWatch>>,
    samples: WhileRead<HandleSamples>,
}

impl Site {
    pub(crate) fn new(shared: &Arc<Shared>, system: &System) -> Arc<Self> {
        let observe = || Operations::with_capacity(system, shared.config.events);
        let operations = shared.operations.get_or_init(observe).clone();
        Arc::new(Self {
            streams: Arc::new(Semaphore::new(shared.config.max_streams)),
            searching: Arc::new(Semaphore::new(1)),
            computing: Arc::new(Semaphore::new(COMPUTED_AT_ONCE)),
            view: Cached::default(),
            health: Cached::default(),
            tally: Mutex::new(Tally::of(&operations)),
            watch: WhileRead::default(),
            samples: WhileRead::default(),
            operations,
            shared: shared.clone(),
        })
    }

    pub(crate) fn system(&self) -> &System {
        self.operations.system()
    }

    /// Runs what takes a while on a thread for that. Returns `None` if it panics.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let permit = self.computing.clone().acquire_owned().await.ok()?;
        // The thread has the permit: it goes on when the client has gone.
        let computing = move || {
            let value = compute();
            drop(permit);
            value
        };
        tokio::task::spawn_blocking(computing).await.ok()
    }

    /// Returns the system as it was within the last quarter of a second. All clients that ask
    /// meanwhile share one snapshot. Returns `None` if taking it panicked.
    pub(crate) async fn view(self: &Arc<Self>) -> Option<Arc<View>> {
        let site = self.clone();
        let taken = self.view.get(async || {
            let view = self.compute(move || {
                let tally = site.tally.lock().read(&site.operations);
                View::new(site.operations.snapshot(), tally)
            });
            view.await.ok_or(())
        });
        let taken = taken.await.ok()?;
        if taken.is_new {
            let site = Arc::downgrade(self);
            tokio::spawn(async move {
                tokio::time::sleep(KEPT).await;
                if let Some(site) = site.upgrade() {
                    site.view.forget_old();
                }
            });
        }
        Some(taken.value)
    }

    /// Returns the health of the trees, as it was within the last quarter of a second.
    pub(crate) async fn health(&self) -> Arc<Vec<TreeHealth>> {
        let Ok(taken) = self.health.get(async || Ok::<_, Infallible>(self.check_health().await)).await;
        taken.value
    }

    async fn check_health(&self) -> Vec<TreeHealth> {
        if let Some(check) = &self.shared.config.health {
            return vec![TreeHealth::new(None, check.check().await)];
        }
        let mut trees = Vec::new();
        for tree in Tree::all(self.system()) {
            let health = HealthCheck::of_tree(self.system(), tree.id.clone()).check().await;
            trees.push(TreeHealth::new(Some(tree.id.to_string()), health));
        }
        trees
    }

    /// Returns an actor by the number of its identity.
    pub(crate) fn actor(&self, identity: u64) -> Option<ActorHandle> {
        self.system().actor_with_identity(identity)
    }

    /// Returns what tells the calls that wait. From the first call on, and until a while after the
    /// last one, the system is watched for them.
    pub(crate) fn watch_calls(&self) -> Arc<CallWatch> {
        self.watch.read(|| Arc::new(self.system().watch_calls()), |watch| watch.clone())
    }

    /// Returns how long an actor takes for its messages. From the first call on, and until a while
    /// after the last one, messages of the system are timed.
    pub(crate) fn handle_times(&self, identity: u64) -> Option<HandleTimes> {
        let times = self.samples.read(|| HandleSamples::of(self.system()), |samples| samples.read(identity));
        times.map(HandleTimes::of)
    }
}
