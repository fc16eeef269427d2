//! What all requests share: the observation of the system, the cached snapshot, and the limits.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use perennial_actors::host::sync::{Mutex, OnceLock};
use perennial_actors::{ActorHandle, CallWatch, System};
use perennial_operations::{HealthCheck, Operations};
use perennial_supervision::Tree;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::actions::Audit;
use crate::api::{HandleSamples, HandleTimes, Tally, TreeHealth, View, millis};
use crate::config::{BoundAddress, Config};
use crate::pools::Pools;
use crate::stores::Stores;
use crate::while_read::WhileRead;

/// How long an answer is used again.
const FRESH: Duration = Duration::from_millis(250);

/// After how long without a request nothing of an answer is kept.
const KEPT: Duration = Duration::from_secs(2);

/// The number of answers that are computed at once. The other threads are for the program.
const COMPUTED_AT_ONCE: usize = 2;

/// What stays of a console over its restarts.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pools: Pools,
    pub(crate) stores: Stores,
    pub(crate) bound: BoundAddress,
    /// Differs between two processes, or two consoles.
    pub(crate) boot: String,
    pub(crate) started_at_millis: u64,
    pub(crate) audit: Audit,
    operations: OnceLock<Operations>,
}

impl Shared {
    pub(crate) fn new(config: Config, pools: Pools, stores: Stores, bound: BoundAddress) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let boot = RandomState::new().hash_one((since.as_nanos(), std::process::id()));
        Self {
            config,
            pools,
            stores,
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
            view.await
        });
        let taken = taken.await?;
        if taken.is_new {
            let site = Arc::downgrade(self);
            tokio::spawn(async move {
                tokio::time::sleep(KEPT).await;
                if let Some(site) = site.upgrade() {
                    site.view.forget_old().await;
                }
            });
        }
        Some(taken.value)
    }

    /// Returns the health of the trees, as it was within the last quarter of a second.
    pub(crate) async fn health(&self) -> Arc<Vec<TreeHealth>> {
        let taken = self.health.get(async || Some(self.check_health().await)).await;
        taken.map_or_else(Arc::default, |taken| taken.value)
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

/// A value that is computed once for all that ask for it within a short time.
struct Cached<T>(tokio::sync::Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::default())
    }
}

/// A value of a [`Cached`].
struct Taken<T> {
    value: Arc<T>,
    /// `true` if it was computed for this call.
    is_new: bool,
}

impl<T> Cached<T> {
    /// Returns the value. Calls that come while it is computed wait for it.
    async fn get(&self, compute: impl AsyncFnOnce() -> Option<T>) -> Option<Taken<T>> {
        let mut kept = self.0.lock().await;
        if let Some((_, value)) = kept.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Some(Taken { value: value.clone(), is_new: false });
        }
        // A value that is not used any more is freed before the next one is made.
        *kept = None;
        let value = Arc::new(compute().await?);
        *kept = Some((Instant::now(), value.clone()));
        Some(Taken { value, is_new: true })
    }

    /// Drops the value, unless it is new.
    async fn forget_old(&self) {
        let mut kept = self.0.lock().await;
        if kept.as_ref().is_some_and(|(at, _)| at.elapsed() >= KEPT) {
            *kept = None;
        }
    }
}
