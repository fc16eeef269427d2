//! The state that the handles, the workers and the manager of a pool share.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::host::sync::{AtomicUsize, Mutex, MutexGuard, OnceLock, Ordering};
use perennial_actors::host::{cast_unlinked, dispose_each};
use perennial_actors::{Address, Pid, ProcessState, System};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::addresses::{Addresses, WorkerMsg};
use super::drain_waiter::DrainWaiter;
use super::histogram::{Histogram, is_sampled};
use super::job_state::JobState;
use super::options::JobOptions;
use super::probing::Probing;
use super::revisions::RevisionControl;
use super::rollout_control::RolloutControl;
use super::submit_buffer::SubmitBuffer;
use super::terminating::Terminating;
use super::threads::Threads;
use super::wait_queue::WaitQueue;
use super::worker_specs::WorkerSpecs;
use crate::pool::event::Events;
use crate::pool::job::{DeadJob, JobError};
use crate::pool::job_status::JobStatus;
use crate::pool::retry::RetryRule;
use crate::pool::scheduler::{Phase, Retention, Scheduler, Time};
use crate::pool::stats::PoolStats;
use crate::pool::worker::Work;
use crate::supervisor::WeakSupervisorHandle;

/// Makes the manager check its deadlines now.
pub(crate) struct Tick;

/// How jobs are assigned to workers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Routing {
    /// Any free worker takes the next job: no job waits for a busy worker while another is idle.
    /// The default.
    #[default]
    Shared,
    /// Jobs are assigned to the running workers in turn. If a worker ends, its jobs go to all
    /// workers.
    RoundRobin,
    /// A job is assigned to the running worker with the fewest jobs. If a worker ends, its jobs go
    /// to all workers.
    LeastQueued,
}

/// The shared state of a pool, which outlives the incarnations of its workers.
pub(crate) struct Shared<W: Work + 'static> {
    began: Instant,
    state: Mutex<State<W>>,
    pub(crate) submit_buffer: SubmitBuffer<W>,
    /// `true` if the number of workers follows the load. Then the times of every job are measured.
    is_elastic: bool,
    /// `true` once the tree has ended, until it starts again.
    pub(crate) ended: watch::Sender<bool>,
    workers: Addresses,
    /// Weak, because the tree owns the arguments of the workers.
    worker_specs: OnceLock<Weak<WorkerSpecs>>,
    manager: OnceLock<Address<Tick>>,
    /// Weak, because the supervisor owns its children, and they own this.
    pub(crate) supervisor: WeakSupervisorHandle,
    pub(in crate::pool) events: Events,
    /// The errors that are retried, set before the first worker starts.
    pub(in crate::pool) retry: OnceLock<RetryRule<W::Error>>,
    /// The target number of workers.
    wanted: AtomicUsize,
    /// The threads of blocking workers, and how long a stop waits for them.
    pub(crate) threads: OnceLock<(Arc<Threads>, Option<Duration>)>,
    /// The probes of the workers, once the pool is part of a tree and if it has any.
    pub(crate) probing: OnceLock<Arc<Probing>>,
    /// Weak, because the tree owns the arguments of the workers.
    pub(crate) revisions: OnceLock<Weak<dyn RevisionControl>>,
    pub(crate) rollout: RolloutControl,
    /// Notified when a worker starts, or becomes ready or unready, and when the tree ends.
    pub(crate) readiness_changed: Notify,
    /// Serializes changes of the workers.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

/// The default number of dead jobs that a pool keeps.
const MAX_DEAD_JOBS: usize = 1000;

/// The default number of attempts of a job.
const ATTEMPTS: u32 = 3;

/// The scheduler of the jobs of a pool.
pub(crate) type Jobs<W> = Scheduler<Arc<JobState<W>>>;

/// Where a pool is registered: its system, its path, and the incarnation of its supervisor.
pub(crate) struct Registration {
    pub(super) system: System,
    pub(super) path: Arc<str>,
    pub(super) supervisor: Pid,
}

/// The state behind the lock of the queue.
pub(crate) struct State<W: Work + 'static> {
    pub(crate) scheduler: Jobs<W>,
    /// The counters. The other statistics are computed on demand.
    pub(crate) stats: PoolStats,
    /// How long jobs waited before they started. Boxed, because the state is moved as it is made.
    pub(crate) waits: Box<Histogram>,
    /// The durations of attempts.
    pub(crate) works: Box<Histogram>,
    pub(crate) dead: VecDeque<DeadJob<W>>,
    pub(crate) max_dead: usize,
    /// The jobs that have ended and can still be found by their ids, if the pool retains them.
    pub(crate) retained: Option<Box<Retention<Arc<JobState<W>>>>>,
    pub(crate) routing: Routing,
    /// The default options of a job.
    pub(crate) options: JobOptions,
    /// The next deadline of the manager.
    pub(crate) next_tick: Option<Time>,
    /// The submitters that wait for room. While there are any, a new submission finds no room.
    pub(crate) waiters: WaitQueue<W>,
    /// `true` if the manager does not check the load: it must be notified when jobs have to wait.
    pub(crate) scaling_idle: bool,
    /// `true` if the manager has been notified to check for missing workers.
    pub(crate) is_check_due: bool,
    /// The slots that are being repaired.
    pub(crate) repairing: BTreeSet<usize>,
    /// The slots that a change of the workers holds: the manager does not repair them.
    pub(crate) held: BTreeSet<usize>,
    /// `true` if the last handle of a pool with `close_on_last_handle` was dropped.
    pub(crate) handles_dropped: bool,
    /// The jobs whose attempt is over and whose call still runs.
    pub(crate) terminating: Terminating<W>,
    /// The callers that wait until the pool is empty, or a worker has finished its job.
    pub(crate) drain_waiters: Vec<DrainWaiter>,
    /// `true` if the tree of the pool has ended.
    pub(crate) tree_ended: bool,
    /// `true` if the pool rejects jobs because its tree stops after they are finished.
    pub(crate) is_draining: bool,
    /// The system that lists the pool, since its first start.
    pub(crate) registration: Option<Registration>,
    /// `true` if a callback for the end of the tree is registered.
    pub(crate) is_watching: bool,
}

impl<W: Work + 'static> Shared<W> {
    pub(crate) fn new(
        scheduler: Jobs<W>,
        wanted: usize,
        is_elastic: bool,
        supervisor: WeakSupervisorHandle,
    ) -> Self {
        let state = State {
            scheduler,
            stats: PoolStats::default(),
            waits: Box::default(),
            works: Box::default(),
            dead: VecDeque::new(),
            max_dead: MAX_DEAD_JOBS,
            retained: None,
            routing: Routing::default(),
            options: JobOptions { attempts: ATTEMPTS, ..JobOptions::default() },
            next_tick: None,
            waiters: WaitQueue::new(),
            scaling_idle: false,
            is_check_due: false,
            repairing: BTreeSet::new(),
            held: BTreeSet::new(),
            handles_dropped: false,
            terminating: Terminating::new(),
            drain_waiters: Vec::new(),
            tree_ended: false,
            registration: None,
            is_draining: false,
            is_watching: false,
        };
        Self {
            began: Instant::now(),
            state: Mutex::new(state),
            submit_buffer: SubmitBuffer::new(),
            is_elastic,
            ended: watch::Sender::new(false),
            workers: Addresses::new(),
            worker_specs: OnceLock::new(),
            manager: OnceLock::new(),
            supervisor,
            events: Events::new(),
            retry: OnceLock::new(),
            wanted: wanted.into(),
            threads: OnceLock::new(),
            probing: OnceLock::new(),
            readiness_changed: Notify::new(),
            revisions: OnceLock::new(),
            rollout: RolloutControl::default(),
            changing: tokio::sync::Mutex::const_new(()),
        }
    }

    /// Locks the queue. The jobs in the submit buffer stay there.
    pub(crate) fn lock_state(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock()
    }

    /// Changes the default options of a job.
    pub(crate) fn set_options(&self, set: impl FnOnce(&mut JobOptions)) {
        set(&mut self.lock_state().options);
    }

    pub(crate) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Returns `true` if the times of this job are measured.
    pub(crate) const fn is_timed(&self, number: u64) -> bool {
        self.is_elastic || is_sampled(number)
    }

    /// Returns the target number of workers.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Acquire)
    }

    /// Returns how many workers may run: those that are wanted, and the additional ones of a
    /// rollout.
    pub(crate) fn may_run(&self) -> usize {
        self.wanted() + if self.wanted() == 0 { 0 } else { self.rollout.surge() }
    }

    /// Returns the revisions of the arguments, or `None` if the pool is part of no tree.
    pub(crate) fn revisions(&self) -> Option<Arc<dyn RevisionControl>> {
        self.revisions.get()?.upgrade()
    }

    /// Stores the target number of workers. The caller holds the lock of the queue.
    pub(super) fn store_wanted(&self, workers: usize) {
        self.wanted.store(workers, Ordering::Release);
    }

    /// Sets the workers and the manager. Only the first call has an effect.
    pub(crate) fn set_actors(
        &self,
        workers: Box<[Address<WorkerMsg>]>,
        specs: &Arc<WorkerSpecs>,
        manager: Address<Tick>,
    ) {
        self.workers.set_first(workers);
        let _ = self.worker_specs.set(Arc::downgrade(specs));
        let _ = self.manager.set(manager);
    }

    /// Returns the specs of the workers, or `None` if the pool is part of no tree.
    pub(crate) fn worker_specs(&self) -> Option<Arc<WorkerSpecs>> {
        self.worker_specs.get()?.upgrade()
    }

    /// Adds slots until there are this many. No worker is due there. Returns `false` if the pool
    /// cannot have that many.
    pub(crate) fn add_slots(&self, slots: usize) -> bool {
        let add = |address| {
            let is_added = self.workers.push(address);
            if is_added {
                self.lock_state().scheduler.add_slot();
            }
            is_added
        };
        self.worker_specs().is_some_and(|specs| specs.add_slots(slots, add))
    }

    /// Returns the number of slots: 0 before the pool becomes part of a tree.
    pub(crate) fn slots(&self) -> usize {
        self.workers.len()
    }

    /// Returns `true` if no worker runs, is due or will be wanted when jobs wait: each declined to
    /// start, or none is wanted in a pool of a fixed size.
    pub(crate) fn has_no_worker(&self, state: &State<W>) -> bool {
        let wanted = self.wanted();
        let may_grow = wanted == 0 && self.is_elastic && !state.is_draining;
        !may_grow && state.scheduler.has_no_worker(wanted)
    }

    /// Returns the address of a worker.
    pub(crate) fn worker(&self, slot: usize) -> Option<&Address<WorkerMsg>> {
        self.workers.get(slot)
    }

    pub(crate) fn wake_worker(&self, slot: usize) {
        if let Some(worker) = self.worker(slot) {
            // A restarting worker checks for jobs by itself. A full mailbox already has a message.
            // A supervisor that abandons a worker wakes another one.
            let _ = cast_unlinked(worker, WorkerMsg::Wake);
        }
    }

    /// Returns `true` if the manager runs, which starts after the workers.
    pub(crate) fn is_managed(&self) -> bool {
        self.manager.get().is_some_and(|manager| matches!(manager.state(), ProcessState::Alive(_)))
    }

    pub(crate) fn notify_manager(&self) {
        if let Some(manager) = self.manager.get() {
            let _ = cast_unlinked(manager, Tick);
        }
    }
}

impl<W: Work + 'static> State<W> {
    /// Returns `true` if jobs are accepted.
    pub(crate) fn is_open(&self) -> bool {
        self.scheduler.phase() == Phase::Open && !self.tree_ended && !self.is_draining
    }

    /// Returns `true` if the queue has room for any job.
    pub(crate) fn has_room(&self) -> bool {
        self.waiters.is_empty() && self.scheduler.room() > 0
    }

    /// Returns `true` if nothing depends on a worker that completes a job and leases the next one:
    /// no submitter waits for room, the manager watches the load, and no result is retained.
    pub(crate) fn is_plain(&self) -> bool {
        self.waiters.is_empty() && !self.scaling_idle && self.retained.is_none()
    }

    /// Returns how many more jobs may be submitted without the lock of the queue.
    pub(crate) fn credit(&self) -> usize {
        // Room belongs to the submitters that wait for it, before any new submission.
        let is_plain = self.is_open()
            && self.routing == Routing::Shared
            && !self.scaling_idle
            && self.waiters.is_empty();
        if is_plain { self.scheduler.credit() } else { 0 }
    }

    /// Begins to watch for the end of the tree, and accepts jobs for all of its workers. Does
    /// nothing and returns `true` if it watches already: a worker that restarts while the pool
    /// drains does not open it again.
    pub(crate) fn start_watching(&mut self, wanted: usize) -> bool {
        if std::mem::replace(&mut self.is_watching, true) {
            return true;
        }
        (self.tree_ended, self.is_draining) = (false, false);
        for slot in 0..wanted {
            // No worker runs that would have to be woken.
            self.scheduler.set_open(slot, true);
        }
        false
    }

    /// Returns `true` if no job is queued, leased or to be queued again, or if the pool drains and
    /// no worker is left to run one.
    pub(crate) fn is_run_down(&self, wanted: usize) -> bool {
        let is_empty = self.scheduler.is_empty() && self.terminating.retries().next().is_none();
        is_empty || (self.is_draining && self.scheduler.has_no_worker(wanted))
    }

    /// Returns `true` if jobs that return to the queue are dropped.
    pub(crate) fn is_closed(&self) -> bool {
        self.scheduler.phase() == Phase::Closed || self.tree_ended
    }
}

impl<W: Work + 'static> Drop for Shared<W> {
    /// Drops the queued jobs: no reference to the pool is left, so no worker will run them.
    fn drop(&mut self) {
        let submitted = std::mem::take(&mut self.submit_buffer.lock().jobs).into_iter().map(|job| job.item);
        let (queued, retries, dead, retained) = {
            let mut state = self.lock_state();
            let retained = state.retained.as_mut().map(|retained| retained.clear());
            let (queued, retries) = (state.scheduler.clear(), state.terminating.take_retries());
            (queued, retries, std::mem::take(&mut state.dead), retained)
        };
        let jobs: Vec<_> = queued.into_iter().chain(retries).chain(submitted).collect();
        let undelivered = jobs.iter().filter(|job| job.try_complete(JobStatus::Dropped));
        let undelivered: Vec<_> =
            undelivered.map(|job| job.deliver(Err(JobError::Dropped(job.take_failures())))).collect();
        // In other tasks: a supervisor may drop the last reference.
        dispose_each(undelivered);
        dispose_each(jobs);
        dispose_each(dead.into());
        dispose_each(retained.unwrap_or_default());
    }
}
