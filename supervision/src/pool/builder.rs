//! The spec of a pool.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Foreign, dispose_each};
use perennial_actors::{MailboxConfig, System};

use super::fn_worker::{Blocks, FnWorker};
use super::handle::PoolHandle;
use super::manager::PoolManager;
use super::rate::Rate;
use super::scale::{PoolSize, Scale};
use super::scheduler::Scheduler;
use super::shared::{Routing, Shared, WorkerMsg};
use super::threads::{Keeper, Threads, time_of};
use super::worker::{Worker, WorkerActor, WorkerArgs};
use super::worker_exit::Ends;
use crate::error::StartError;
use crate::policy::{Backoff, Restart, Shutdown};
use crate::spec::{Child, ChildSpec};
use crate::supervisor::{App, Supervisor, SupervisorHandle};

/// How many jobs may wait, unless set otherwise.
const CAPACITY: usize = 1024;

/// How long the init of a worker may take, unless set otherwise.
const START: Duration = Duration::from_secs(30);

/// How many dead jobs are kept, unless set otherwise.
const DEAD: usize = 1000;

/// The spec of a pool: how many workers, and how they are treated; how many jobs may wait, and how they are treated. It is the root of
/// a tree, or a child of any supervisor.
///
/// Unless set otherwise: 1,024 jobs may wait; each has 3 attempts, one right after the other, and as long as it likes; whoever is free
/// takes the next one; workers have 5 seconds to finish their job when they are told to stop, are restarted at once, and the pool gives
/// up when they crash more than 100 times in a second.
#[must_use = "a pool does nothing until it is started"]
pub struct Pool<J, T, E> {
    supervisor: Supervisor,
    /// The pool's own, which does not keep it.
    handle: PoolHandle<J, T, E>,
    /// What users get.
    given: PoolHandle<J, T, E>,
    size: PoolSize,
    worker: Box<dyn Fn(usize) -> Child<WorkerMsg> + Send>,
    scale_after: Duration,
    cool_down: Duration,
    shutdown: Shutdown,
    backoff: Option<Backoff>,
    deadline: Option<Duration>,
    start_timeout: Duration,
    /// The threads of its workers.
    threads: Arc<Threads>,
    /// Whether jobs are done on those.
    is_blocking: bool,
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
        let (size, supervisor) = (size.into(), Supervisor::new(id).intensity(100, Duration::from_secs(1)));
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
        let worker = move |slot: usize| {
            let (pool, args, thread) = (pool.clone(), args.clone(), all_threads.of(slot));
            let args = Arc::new(WorkerArgs::<W> { pool, slot, args, thread, ends: Ends::default() });
            let told = args.clone();
            Child::new::<WorkerActor<W>>(slot.to_string(), args)
                .stop_hook(move |pid| told.ends.release_worker(pid))
                .renews()
        };
        let handle = PoolHandle::new(shared.clone(), supervisor.handle());
        Self {
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

    /// Sets how many jobs may wait, at least one. Whoever submits another waits for room.
    pub fn capacity(self, jobs: usize) -> Self {
        self.handle.shared().change(|state| {
            state.board.set_capacity(jobs.max(1));
            Vec::new()
        });
        self
    }

    /// Lets at most so many jobs begin in every period, at least one.
    pub fn rate(self, jobs: u32, period: Duration) -> Self {
        self.handle.shared().lock_state().board.set_rate(Rate::new(jobs, period));
        self
    }

    /// Sets how jobs find their workers.
    pub fn routing(self, routing: Routing) -> Self {
        self.handle.shared().change(|state| {
            state.routing = routing;
            Vec::new()
        });
        self
    }

    /// Sets how many attempts a job has, the first included.
    pub fn attempts(self, attempts: u32) -> Self {
        self.handle.shared().set_terms(|terms| terms.attempts = attempts.max(1));
        self
    }

    /// Sets how long a job waits after a failed attempt.
    pub fn retry_after(self, backoff: Backoff) -> Self {
        self.handle.shared().set_terms(|terms| terms.backoff = Some(backoff));
        self
    }

    /// Sets how long an attempt may take, at its awaits.
    pub fn time_limit(self, limit: Duration) -> Self {
        self.handle.shared().set_terms(|terms| terms.time_limit = Some(limit));
        self
    }

    /// Sets how many dead jobs are kept for those who [take](PoolHandle::drain_dead_jobs) them.
    pub fn max_dead_jobs(self, jobs: usize) -> Self {
        self.handle.shared().lock_state().max_dead = jobs;
        self
    }

    /// Sets how long a worker may be at one job before it is found to hang, also if it never awaits: see
    /// [`Child::handler_deadline`]. It is replaced, and the job tried again.
    pub const fn handler_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long a worker that was killed may take to die before it is abandoned, as one does not that never awaits: see
    /// [`Supervisor::abandon_after`]. The next one takes its place, and its job is tried again.
    pub fn abandon_after(mut self, patience: Duration) -> Self {
        self.supervisor = self.supervisor.abandon_after(patience);
        self
    }

    /// Ends the pool when all handles are gone that were made of it from now on: what it has is finished, and then its workers and its
    /// supervisor end in order. So do workers on a channel when its last sender is gone.
    ///
    /// As a child it is [transient](Restart::Transient) from now on, so that it is not started again.
    pub fn close_on_last_handle(mut self) -> Self {
        self.supervisor = self.supervisor.restart(Restart::Transient);
        let pool = self.handle.clone();
        self.given = self.handle.ending(move || {
            // By the foreman: the last handle may be dropped on a thread where nothing can be waited for, and before the start.
            pool.shared().lock_state().handles_dropped = true;
            pool.shared().call_foreman();
        });
        self
    }

    /// Sets how long the init of a worker may take; 30 seconds, unless set. After that it is killed, and started again as any that did not
    /// start.
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// Sets how workers are stopped.
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Makes a worker wait before it is restarted, longer each time. Not one that has ended itself in order after a job.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// Sets how many crashes of workers within how long it takes before it gives up.
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.supervisor = self.supervisor.intensity(restarts, period);
        self
    }

    /// Sets which of its own ends call for a restart, when it is a child. What waits, waits through it.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.supervisor = self.supervisor.restart(restart);
        self
    }

    /// Sets, for a pool whose size is between bounds, how long a job may wait before there are more workers, and how long none may before
    /// there are fewer. 100 ms and 10 s, unless set.
    pub const fn scaling(mut self, after: Duration, cool_down: Duration) -> Self {
        self.scale_after = after;
        self.cool_down = cool_down;
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
        let children: Vec<Child<WorkerMsg>> = (0..self.size.max()).map(|slot| self.child(slot)).collect();
        let scale = Scale::of(&self.size, self.scale_after, self.cool_down);
        let foreman = Child::new::<PoolManager<J, T, E>>("foreman", (shared.clone(), scale, self.backoff));
        // The foreman comes last and stops first: what it would start must not come up while the others stop.
        let foreman = foreman.mailbox(MailboxConfig::unbounded());
        shared.settle(children.iter().map(Child::address).collect(), foreman.address());
        let _ = shared.threads.set((self.threads.clone(), time_of(self.shutdown)));
        let keeper = Child::new::<Keeper>("threads", self.threads).shutdown(Keeper::shutdown(self.shutdown));
        self.supervisor.children(self.is_blocking.then_some(keeper)).children(children).child(foreman)
    }

    fn child(&self, slot: usize) -> Child<WorkerMsg> {
        let shared = self.handle.shared().clone();
        let mut child = (self.worker)(slot).shutdown(self.shutdown).start_timeout(self.start_timeout);
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
