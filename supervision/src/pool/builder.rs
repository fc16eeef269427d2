//! The specification of a pool: its workers, its queue and their settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;

use super::handle::PoolHandle;
use super::probe::Probes;
use super::retry::RetryRule;
use super::runtime::{
    ExitHistory, OnDrop, Recycling, RevisionControl, Revisions, Shared, Threads, WorkerActor, WorkerArgs,
    WorkerMsg, WorkerOf,
};
use super::scheduler::{PoolSize, Scheduler};
use super::worker::{Work, Worker};
use crate::error::StartError;
use crate::policy::{Backoff, Shutdown};
use crate::spec::Child;
use crate::supervisor::{App, Supervisor, SupervisorHandle};

/// The default capacity of the queue, in jobs.
const CAPACITY: usize = 1024;

/// The default start timeout of a worker.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The specification of a pool: the number of workers, the capacity of the queue, and how both are
/// treated. A pool is the root of a tree, or a child of any supervisor.
///
/// Defaults:
///
/// - The queue holds 1,024 jobs. A free worker takes the next job.
/// - A job that returns an error has failed and is not retried. A job whose worker crashed has 3
///   attempts, without a delay between them. An attempt has no time limit.
/// - A worker that is stopped has 5 seconds to finish its job.
/// - A crashed worker is restarted at once, however many crash. The pool gives up when more than
///   100 workers fail to start within a second.
#[must_use = "a pool does nothing until it is started"]
pub struct Pool<W: Work + 'static> {
    pub(super) id: Arc<str>,
    pub(super) supervisor: Supervisor,
    /// The internal handle. It does not count as a user's handle.
    pub(super) handle: PoolHandle<W>,
    /// The handle that users get.
    pub(super) user_handle: PoolHandle<W>,
    pub(super) size: PoolSize,
    /// Makes the child of a slot. The other arguments are the start timeout and the renewal.
    pub(super) worker: Arc<dyn Fn(usize, Duration, Recycling) -> Child<WorkerMsg> + Send + Sync>,
    pub(super) scale_after: Duration,
    pub(super) cool_down: Duration,
    pub(super) shutdown: Shutdown,
    pub(super) backoff: Option<Backoff>,
    /// The errors that are retried.
    pub(super) retry: RetryRule<W::Error>,
    pub(super) deadline: Option<Duration>,
    pub(super) watchdog: Option<Duration>,
    pub(super) probes: Probes,
    pub(super) start_timeout: Duration,
    pub(super) recycling: Recycling,
    /// The threads of blocking workers.
    pub(super) threads: Arc<Threads>,
    /// `true` if jobs run on these threads.
    pub(super) is_blocking: bool,
    /// `true` if the capacity was set to zero.
    pub(super) has_zero_capacity: bool,
    /// `true` if a rate limit was zero.
    pub(super) has_zero_rate: bool,
    /// Closes a pool that is dropped without having become part of a tree: no worker will run the
    /// jobs that wait in it.
    pub(super) close_on_drop: OnDrop,
}

impl<W: Worker> Pool<W> {
    /// Makes a pool of `W` workers. Each worker starts from the same `args`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{ExitReason, System};
    /// # use perennial_supervision::pool::{JobContext, Pool, Worker, WorkerContext};
    /// struct Multiplier(u64);
    ///
    /// impl Worker for Multiplier {
    ///     type Job = u64;
    ///     type Output = u64;
    ///     type Error = std::convert::Infallible;
    ///     type Args = u64;
    ///     async fn init(factor: &u64, _: &WorkerContext) -> Result<Self, ExitReason> {
    ///         Ok(Self(*factor))
    ///     }
    ///     async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, Self::Error> {
    ///         Ok(job * self.0)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::<Multiplier>::new("multipliers", 4, 6);
    /// let multipliers = pool.handle();
    /// let app = pool.start(&System::new()).await?;
    /// assert_eq!(multipliers.submit(7).await?.await?, 42);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(id: impl Into<Arc<str>>, size: impl Into<PoolSize>, args: W::Args) -> Self {
        Self::of::<W>(id.into(), size.into(), args)
    }
}

impl<W: Work + 'static> Pool<W> {
    /// Makes a pool of `R` workers. Each worker starts from the same `args`.
    pub(super) fn of<R: WorkerOf<W>>(id: Arc<str>, size: PoolSize, args: R::Args) -> Self {
        let supervisor = Supervisor::new(id.clone()).intensity(100, Duration::from_secs(1));
        let (min, max) = size.bounds();
        let mut scheduler = Scheduler::new(max, CAPACITY);
        for slot in min..max {
            // No worker starts there yet, so no job may wait for one.
            scheduler.set_open(slot, false);
        }
        let weak = supervisor.handle().downgrade();
        let shared = Arc::new(Shared::new(scheduler, min, min < max, weak));
        let (revisions, pool, name) = (Arc::new(Revisions::new(args)), shared.clone(), id.clone());
        let weak: Arc<dyn RevisionControl> = revisions.clone();
        let _ = shared.revisions.set(Arc::downgrade(&weak));
        let threads = Arc::new(Threads::default());
        let all_threads = threads.clone();
        let worker = move |slot: usize, start_timeout: Duration, recycling: Recycling| {
            let (pool, revisions, thread) = (pool.clone(), revisions.clone(), all_threads.of(slot));
            let exits = ExitHistory::new(start_timeout);
            let name = name.clone();
            let args = Arc::new(WorkerArgs::<W, R> { pool, name, slot, revisions, thread, exits, recycling });
            let (exit_args, check_args) = (args.clone(), args.clone());
            Child::new::<WorkerActor<W, R>>(slot.to_string(), args)
                .stop_hook(move |pid, _| exit_args.exits.mark_dismissed(pid))
                .unresponsive_hook(move |pid, failure| check_args.exits.mark_unresponsive(pid, failure))
                .internal()
                .renews()
        };
        let handle = PoolHandle::new(shared.clone(), supervisor.handle());
        Self {
            id,
            close_on_drop: OnDrop::new(move || shared.close()),
            user_handle: handle.clone(),
            handle,
            supervisor,
            size,
            worker: Arc::new(worker),
            scale_after: Duration::from_millis(100),
            cool_down: Duration::from_secs(10),
            shutdown: Shutdown::default(),
            backoff: None,
            retry: RetryRule::Never,
            deadline: None,
            watchdog: None,
            probes: Probes::default(),
            start_timeout: START_TIMEOUT,
            recycling: Recycling::default(),
            threads,
            is_blocking: false,
            has_zero_capacity: false,
            has_zero_rate: false,
        }
    }

    /// Sets how workers are stopped.
    ///
    /// With [`Shutdown::Drain`] the pool finishes all its jobs before the tree stops it, delayed
    /// jobs and retries included, and rejects new jobs meanwhile. Jobs that are not finished when
    /// the drain times out are dropped, and counted in the
    /// [`ShutdownReport`](crate::ShutdownReport). A worker that still runs a job then has the same
    /// time again, at most 5 seconds. A restart of the pool does not drain: queued jobs stay in the
    /// queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use perennial_actors::System;
    /// # use perennial_supervision::pool::Pool;
    /// # use perennial_supervision::{Shutdown, Supervisor};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let send = |mail: &u32| std::future::ready(Ok::<u32, String>(*mail));
    /// let mails = Pool::from_fn("mails", 2, send)
    ///     .shutdown(Shutdown::Drain(Duration::from_secs(30)));
    /// let pool = mails.handle();
    /// let app = Supervisor::new("app").child(mails).start(&System::new()).await?;
    /// for mail in 0..100 {
    ///     pool.submit(mail).detach().await?;
    /// }
    /// let report = app.shutdown().await;
    /// assert!(report.is_clean(), "{report}");
    /// assert_eq!(pool.stats().completed, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Returns the id of the pool among its siblings.
    ///
    #[doc = setting_example!(r#"assert_eq!(&**pool.id(), "squares");"#)]
    #[must_use]
    pub const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Returns a handle that submits jobs and manages the pool. It is valid from now on and through
    /// every restart.
    ///
    #[doc = setting_example!(
        "let squares = pool.handle();\nassert_eq!(squares.stats().completed, 0);"
    )]
    #[must_use]
    pub fn handle(&self) -> PoolHandle<W> {
        self.user_handle.clone()
    }

    /// Starts the pool as the root of a tree. Resolves when its first workers have started.
    ///
    /// # Errors
    ///
    /// Returns an error if a worker does not start.
    ///
    #[doc = setting_example!(
        r#"let other = Pool::from_fn("others", 2, square);
let other = other.start(&System::new()).await?;
assert!(other.shutdown().await.is_clean());"#
    )]
    pub async fn start(self, system: &System) -> Result<App<SupervisorHandle>, StartError> {
        self.into_supervisor().start(system).await
    }
}

impl<W: Work + 'static> fmt::Debug for Pool<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("supervisor", &self.supervisor)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
