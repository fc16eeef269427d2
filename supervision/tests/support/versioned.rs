//! A pool whose workers have versions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, ProcessState, System};
use perennial_supervision::pool::{
    JobContext, JobHandle, Pool, PoolHandle, PoolSize, RolloutError, RolloutFuture, RolloutReport, Worker,
    WorkerContext,
};
use perennial_supervision::{App, Backoff, Supervisor, SupervisorHandle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::support::pool::{self, ms, quiet, secs, soon};

/// What the workers of a version do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Init {
    Starts,
    StartsAfter(Duration),
    Fails,
    FailsIn(usize),
    Hangs,
    /// It starts before this time. From then on it fails after a second.
    StartsUntil(Instant),
}

/// The arguments of a version.
#[derive(Debug)]
pub(crate) struct Version {
    number: u64,
    init: Init,
    /// How many workers run now, and how many ran at most.
    pub(crate) running: Arc<(AtomicUsize, AtomicUsize)>,
}

/// A worker whose results have a version.
pub(crate) struct Versioned {
    number: u64,
    revision: u64,
    pub(crate) running: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Drop for Versioned {
    fn drop(&mut self) {
        self.running.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A job that takes this long.
#[derive(Debug, Clone)]
pub(crate) struct Take(pub(crate) Duration);

impl Worker for Versioned {
    type Job = Take;
    /// The version, the revision, and the number of the attempt.
    type Output = (u64, u64, u32);
    type Error = String;
    type Args = Version;

    async fn init(version: &Version, at: &WorkerContext) -> Result<Self, ExitReason> {
        match version.init {
            Init::Starts => {}
            Init::StartsAfter(time) => sleep(time).await,
            Init::FailsIn(slot) if slot != at.slot => {}
            Init::Fails | Init::FailsIn(_) => return Err(ExitReason::failed("a bad version")),
            Init::Hangs => std::future::pending().await,
            Init::StartsUntil(time) if Instant::now() < time => {}
            Init::StartsUntil(_) => {
                sleep(secs(1)).await;
                return Err(ExitReason::failed("a bad time"));
            }
        }
        let (now, most) = &*version.running;
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let (number, revision, running) = (version.number, at.revision, version.running.clone());
        Ok(Self { number, revision, running })
    }

    async fn work(&mut self, job: &Take, ctx: &JobContext<'_>) -> Result<(u64, u64, u32), String> {
        sleep(job.0).await;
        Ok((self.number, self.revision, ctx.attempt()))
    }
}

pub(crate) struct Running {
    pub(crate) app: App<SupervisorHandle>,
    pub(crate) pool: PoolHandle<Versioned>,
    pub(crate) running: Arc<(AtomicUsize, AtomicUsize)>,
}

pub(crate) async fn start(
    size: impl Into<PoolSize>,
    set: impl FnOnce(Pool<Versioned>) -> Pool<Versioned>,
) -> Running {
    let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let args = Version { number: 1, init: Init::Starts, running: running.clone() };
    let pool = set(Pool::<Versioned>::new("pool", size, args));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    quiet().await;
    Running { app, pool: handle, running }
}

/// Starts a pool below a supervisor that is started again 10 seconds after the pool has ended.
pub(crate) async fn started_below(size: impl Into<PoolSize>) -> Running {
    started_below_with(size, Init::Starts).await
}

/// Starts such a pool, whose workers do this.
pub(crate) async fn started_below_with(size: impl Into<PoolSize>, init: Init) -> Running {
    let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let args = Version { number: 1, init, running: running.clone() };
    let pool = Pool::<Versioned>::new("pool", size, args).intensity(0, secs(60));
    let handle = pool.handle();
    let delays = Backoff::new(secs(10), secs(10)).factor(1.0).jitter(0.0);
    let parent = Supervisor::new("parent").intensity(0, secs(1)).backoff(delays).child(pool);
    let app = Supervisor::new("app").intensity(u32::MAX, secs(1)).child(parent);
    let app = app.start(&System::new()).await.expect("it starts");
    quiet().await;
    Running { app, pool: handle, running }
}

pub(crate) async fn started(size: impl Into<PoolSize>) -> Running {
    start(size, |pool| pool.intensity(0, secs(60))).await
}

impl Running {
    pub(crate) fn version(&self, number: u64, init: Init) -> Version {
        Version { number, init, running: self.running.clone() }
    }

    /// Kills the supervisor of the pool, and waits until the pool waits for its restart.
    pub(crate) async fn kill_pool(&self) {
        let supervisor = self.pool.supervisor().handle();
        supervisor.kill().expect("it lives");
        quiet().await;
        assert_eq!((supervisor.state(), self.workers()), (ProcessState::Pending, 0));
    }

    pub(crate) fn submit(&self, time: Duration) -> JobHandle<Versioned> {
        pool::now(self.pool.submit(Take(time)))
    }

    /// Returns the version, the revision and the attempt of a job that is submitted now.
    pub(crate) async fn result(&self) -> (u64, u64, u32) {
        soon(self.submit(ms(1))).await.expect("it is done")
    }

    /// Runs a job on each worker. Returns their versions.
    pub(crate) async fn versions(&self) -> Vec<u64> {
        let batch = self.pool.submit(Take(ms(1))).broadcast().await.expect("there is room");
        soon(batch.join_all()).await.into_iter().map(|result| result.expect("it is done").0).collect()
    }

    pub(crate) fn workers(&self) -> usize {
        self.running.0.load(Ordering::Relaxed)
    }

    /// Returns how many workers ran at most since the last call.
    pub(crate) fn most(&self) -> usize {
        self.running.1.swap(self.workers(), Ordering::Relaxed)
    }

    pub(crate) async fn close(self) {
        let report = self.app.shutdown().await;
        assert!(report.unstopped.is_empty() && report.dropped_messages == 0, "{report}");
        pool::assert_accounts(&self.pool.stats());
    }
}

pub(crate) fn spawn(rollout: impl IntoFuture<IntoFuture = RolloutFuture>) -> JoinHandle<Outcome> {
    tokio::spawn(soon(rollout.into_future()))
}

pub(crate) type Outcome = Result<RolloutReport, RolloutError>;
