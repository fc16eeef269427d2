//! The spec of a pool.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Foreign, dispose_each};
use perennial_actors::{MailboxConfig, System};

use super::drainer::Drainer;
use super::fn_worker::{Blocks, FnWorker};
use super::handle::PoolHandle;
use super::manager::PoolManager;
use super::scale::{PoolSize, Scale};
use super::scheduler::Scheduler;
use super::shared::{Shared, WorkerMsg};
use super::threads::{Keeper, Threads, time_of};
use super::worker::{Worker, WorkerActor, WorkerArgs};
use super::worker_exit::Ends;
use crate::error::StartError;
use crate::policy::{Backoff, Shutdown};
use crate::spec::{Child, ChildSpec, SpecError};
use crate::supervisor::{App, Supervisor, SupervisorHandle};

/// How many jobs may wait, unless set otherwise.
const CAPACITY: usize = 1024;

/// How long the init of a worker may take, unless set otherwise.
const START: Duration = Duration::from_secs(30);

/// How long a worker may take for the job that it has when a drain is over, at most.
const LAST_JOB: Duration = Duration::from_secs(5);

/// How many dead jobs are kept, unless set otherwise.
const DEAD: usize = 1000;

/// The spec of a pool: how many workers, and how they are treated; how many jobs may wait, and how they are treated. It is the root of
/// a tree, or a child of any supervisor.
///
/// Unless set otherwise:
///
/// - 1,024 jobs may wait, and a worker that is free takes the next one.
/// - A job that returns an error has failed, and is not tried again. One whose worker crashed has 3
///   attempts, one right after the other. An attempt may take as long as it likes.
/// - Workers have 5 seconds to finish their job when they are told to stop.
/// - A worker that crashed is restarted at once, however many do. The pool gives up when more than 100
///   workers in a second fail to start.
#[must_use = "a pool does nothing until it is started"]
pub struct Pool<J, T, E> {
    id: Arc<str>,
    pub(super) supervisor: Supervisor,
    /// The pool's own, which does not keep it.
    pub(super) handle: PoolHandle<J, T, E>,
    /// What users get.
    pub(super) given: PoolHandle<J, T, E>,
    size: PoolSize,
    /// Makes the child of a slot, whose start may take this long.
    worker: Box<dyn Fn(usize, Duration) -> Child<WorkerMsg> + Send>,
    pub(super) scale_after: Duration,
    pub(super) cool_down: Duration,
    shutdown: Shutdown,
    pub(super) backoff: Option<Backoff>,
    pub(super) deadline: Option<Duration>,
    pub(super) start_timeout: Duration,
    /// The threads of its workers.
    threads: Arc<Threads>,
    /// Whether jobs are done on those.
    is_blocking: bool,
    /// Whether its capacity was set to zero.
    pub(super) has_zero_capacity: bool,
    unstarted: CloseOnDrop,
}

/// What is to be done if a pool is dropped that was given to no tree: nobody will do what waits in it.
struct CloseOnDrop(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(close) = self.0.take() {
            close();
        }
    }
}

impl<J, T, E> Pool<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// A pool of such workers, each of which starts from the same `args`.
    pub fn new<W>(id: impl Into<Arc<str>>, size: impl Into<PoolSize>, args: W::Args) -> Self
    where
        W: Worker<Job = J, Output = T, Error = E>,
    {
        let (id, size) = (id.into(), size.into());
        let supervisor = Supervisor::new(id.clone()).intensity(100, Duration::from_secs(1));
        let mut board = Scheduler::new(size.max(), CAPACITY);
        for slot in size.min()..size.max() {
            // Nobody is there yet, so nothing is to wait for them.
            board.set_open(slot, false);
        }
        let weak = supervisor.handle().downgrade();
        let is_elastic = size.min() < size.max();
        let shared = Arc::new(Shared::new(board, size.min(), is_elastic, DEAD, weak, dispose_each));
        let (args, pool) = (Arc::new(Foreign::new(args)), shared.clone());
        let threads = Arc::new(Threads::new(size.max()));
        let all_threads = threads.clone();
        let worker = move |slot: usize, start_timeout: Duration| {
            let (pool, args, thread) = (pool.clone(), args.clone(), all_threads.of(slot));
            let ends = Ends::new(start_timeout);
            let args = Arc::new(WorkerArgs::<W> { pool, slot, args, thread, ends });
            let told = args.clone();
            Child::new::<WorkerActor<W>>(slot.to_string(), args)
                .on_dismissal(move |pid, _| told.ends.release_worker(pid))
                .internal()
                .renews()
        };
        let handle = PoolHandle::new(shared.clone(), supervisor.handle());
        Self {
            id,
            unstarted: CloseOnDrop(Some(Box::new(move || shared.close()))),
            given: handle.clone(),
            handle,
            supervisor,
            size,
            worker: Box::new(worker),
            scale_after: Duration::from_millis(100),
            cool_down: Duration::from_secs(10),
            shutdown: Shutdown::default(),
            backoff: None,
            deadline: None,
            start_timeout: START,
            threads,
            is_blocking: false,
            has_zero_capacity: false,
        }
    }

    /// A pool of workers that call an async function for every job.
    pub fn from_fn<F, Fut>(id: impl Into<Arc<str>>, size: impl Into<PoolSize>, function: F) -> Self
    where
        F: Fn(&J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Self::new::<FnWorker<F, J, Fut>>(id, size, Arc::new(Foreign::new(function)))
    }

    /// A pool of workers that call a function for every job which may block: it runs on a thread that is there for that.
    ///
    /// A call cannot be stopped. Its job is given up at its time limit, or when it is cancelled; its worker has no other job before the call
    /// returns. So no more calls run at once than there are workers, and what blocks for ever keeps its thread and its worker for ever. A
    /// stop waits for calls as long as workers have to stop: see [`PoolStopReport::unstopped`](super::PoolStopReport::unstopped) and
    /// [`ShutdownReport`](crate::ShutdownReport).
    pub fn from_blocking_fn<F>(id: impl Into<Arc<str>>, size: impl Into<PoolSize>, function: F) -> Self
    where
        J: Clone,
        F: Fn(J) -> Result<T, E> + Send + Sync + 'static,
    {
        let pool = Self::new::<Blocks<F, J>>(id, size, Arc::new(Foreign::new(function)));
        Self { is_blocking: true, ..pool }
    }

    /// Sets how workers are stopped.
    ///
    /// With [`Shutdown::Drain`] the pool finishes all that it has before the tree stops it, delayed jobs and retries included, and
    /// refuses new jobs meanwhile. What is not done by then is dropped, and counted in the
    /// [`ShutdownReport`](crate::ShutdownReport). A worker that still has a job then has as long again, and at most 5 seconds. A
    /// restart of the pool drains nothing: what waits, waits through it.
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
    /// let mails = Pool::of("mails", 2, |mail: &u32| std::future::ready(Ok::<u32, String>(*mail)))
    ///     .shutdown(Shutdown::Drain(Duration::from_secs(30)));
    /// let pool = mails.handle();
    /// let app = Supervisor::new("app").child(mails).start(&System::new()).await?;
    /// for mail in 0..100 {
    ///     pool.submit(mail).forget().await?;
    /// }
    /// let report = app.shutdown().await;
    /// assert!(report.is_clean(), "{report}");
    /// assert_eq!(pool.stats().done, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// The means to hand jobs to it and to manage it, good from now on and through every restart.
    #[must_use]
    pub fn handle(&self) -> PoolHandle<J, T, E> {
        self.given.clone()
    }

    /// Starts it as the root of a tree.
    ///
    /// # Errors
    ///
    /// If a worker does not start.
    pub async fn start(self, system: &System) -> Result<App<SupervisorHandle>, StartError> {
        self.into_supervisor().start(system).await
    }

    fn into_supervisor(mut self) -> Supervisor {
        let shared = self.handle.shared().clone();
        self.unstarted.0 = None;
        let drain_time = if let Shutdown::Drain(time) = self.shutdown { Some(time) } else { None };
        if let Some(time) = drain_time {
            self.shutdown = Shutdown::Timeout(time.min(LAST_JOB));
        }
        let children: Vec<Child<WorkerMsg>> = (0..self.size.max()).map(|slot| self.child(slot)).collect();
        let scale = Scale::of(&self.size, self.scale_after, self.cool_down);
        let foreman = Child::new::<PoolManager<J, T, E>>("foreman", (shared.clone(), scale, self.backoff));
        // The foreman comes last and stops first: what it would start must not come up while the others stop.
        let foreman = foreman.mailbox(MailboxConfig::unbounded()).internal();
        shared.settle(children.iter().map(Child::address).collect(), foreman.address());
        let mut foreman = ChildSpec::from(foreman);
        if self.has_zero_capacity {
            foreman.error = Some(Box::new(SpecError::ZeroCapacity { id: self.id }));
        }
        let _ = shared.threads.set((self.threads.clone(), time_of(self.shutdown)));
        let keeper = Child::new::<Keeper>("threads", self.threads).shutdown(Keeper::shutdown(self.shutdown));
        let keeper = self.is_blocking.then(|| keeper.internal());
        let drainer = drain_time.map(|time| Drainer::child(shared, time));
        self.supervisor.children(keeper).children(children).child(foreman).children(drainer)
    }

    fn child(&self, slot: usize) -> Child<WorkerMsg> {
        let shared = self.handle.shared().clone();
        let mut child =
            (self.worker)(slot, self.start_timeout).shutdown(self.shutdown).start_timeout(self.start_timeout);
        if let Some(backoff) = self.backoff {
            child = child.backoff(backoff);
        }
        if let Some(deadline) = self.deadline {
            child = child.handler_deadline(deadline);
        }
        child.enabled_if(move || slot < shared.wanted())
    }
}

impl<J, T, E> From<Pool<J, T, E>> for ChildSpec
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    fn from(pool: Pool<J, T, E>) -> Self {
        pool.into_supervisor().into()
    }
}

impl<J, T, E> fmt::Debug for Pool<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("supervisor", &self.supervisor)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
