//! What the users, the workers and the foreman of a pool share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use perennial_actors::Address;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::scheduler::{Scheduler, Phase, Time};
use super::event::Events;
use super::submit_buffer::SubmitBuffer;
use super::job::{DeadJob, JobError};
use super::wait_queue::WaitQueue;
use super::stats::{Counters, is_sampled};
use super::sync::{Mutex, MutexGuard};
use super::job_state::{JobState, JobOptions};
use super::threads::Threads;
use super::deferred_drop::{DropValues, DeferredDrop};
use crate::supervisor::WeakSupervisorHandle;

/// What a worker is told.
pub(super) enum WorkerMsg {
    /// There may be something to do.
    Wake,
    /// It goes on, as it has told itself.
    Run,
    /// Its thread is free again.
    Freed,
}

/// Tells the foreman that something is due before what it waits for.
pub(super) struct Tick;

/// How jobs find their workers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Routing {
    /// Any free worker takes the next one: no job waits for a busy worker while another is idle.
    /// The default.
    #[default]
    Shared,
    /// One running worker after the other. The jobs of a worker that ends go to all.
    RoundRobin,
    /// The running worker with the fewest jobs before it. The jobs of a worker that ends go to all.
    LeastQueued,
}

/// What a pool is made of, whichever incarnations of its workers live.
pub(super) struct Shared<J, T, E> {
    began: Instant,
    state: Mutex<State<J, T, E>>,
    pub(super) submit_buffer: SubmitBuffer<J, T, E>,
    /// Whether it is taken of every job how long it waits.
    times_all_jobs: bool,
    workers: OnceLock<Box<[Address<WorkerMsg>]>>,
    manager: OnceLock<Address<Tick>>,
    /// Weak, because it keeps its children, and they keep this.
    pub(super) supervisor: WeakSupervisorHandle,
    /// Nothing waits, and nothing is worked at.
    pub(super) emptied: Notify,
    pub(super) events: Events,
    /// How many workers there are to be.
    wanted: AtomicUsize,
    drop_values: DropValues<J, T, E>,
    /// The threads of its workers, and how long it waits for them when it stops.
    pub(super) threads: OnceLock<(Arc<Threads>, Option<Duration>)>,
    /// Whether its workers are being reconciled.
    pub(super) is_repairing: AtomicBool,
    /// One change of the workers at a time.
    pub(super) changing: tokio::sync::Mutex<()>,
}

/// What is behind the lock.
pub(super) struct State<J, T, E> {
    pub(super) scheduler: Scheduler<Arc<JobState<J, T, E>>>,
    pub(super) stats: Counters,
    pub(super) dead: VecDeque<DeadJob<J, E>>,
    pub(super) max_dead: usize,
    pub(super) routing: Routing,
    /// How a job is treated of which nothing else is said.
    pub(super) options: JobOptions,
    /// When the foreman looks next.
    pub(super) next_tick: Option<Time>,
    /// The submitters that wait for room. While there are any, there is none.
    pub(super) waiters: WaitQueue<J, T, E>,
    /// Whether the foreman does not look at how much there is to do, until there is too much.
    pub(super) scaling_idle: bool,
    /// Whether the foreman looks whether workers are missing.
    pub(super) is_checking_workers: bool,
    /// Whether no handle is left, in a pool that is to end with them.
    pub(super) handles_dropped: bool,
    /// How many wait until it is empty.
    pub(super) drain_waiters: usize,
    /// Whether the tree that it is in is over.
    pub(super) tree_ended: bool,
    /// Whether it takes no more jobs in, because the tree that it is in stops when it has finished its jobs.
    pub(super) is_draining: bool,
    /// Whether the end of its tree will be told.
    pub(super) is_watching: bool,
}

impl<J, T, E> Shared<J, T, E> {
    pub(super) fn new(
        scheduler: Scheduler<Arc<JobState<J, T, E>>>,
        wanted: usize,
        times_all_jobs: bool,
        max_dead: usize,
        supervisor: WeakSupervisorHandle,
        drop_values: DropValues<J, T, E>,
    ) -> Self {
        let state = State {
            scheduler,
            stats: Counters::default(),
            dead: VecDeque::new(),
            max_dead,
            routing: Routing::default(),
            options: JobOptions::default(),
            next_tick: None,
            waiters: WaitQueue::new(),
            scaling_idle: false,
            is_checking_workers: false,
            handles_dropped: false,
            drain_waiters: 0,
            tree_ended: false,
            is_draining: false,
            is_watching: false,
        };
        Self {
            began: Instant::now(),
            state: Mutex::new(state),
            submit_buffer: SubmitBuffer::new(),
            times_all_jobs,
            workers: OnceLock::new(),
            manager: OnceLock::new(),
            supervisor,
            emptied: Notify::new(),
            events: Events::new(),
            wanted: wanted.into(),
            drop_values,
            threads: OnceLock::new(),
            is_repairing: AtomicBool::new(false),
            changing: tokio::sync::Mutex::const_new(()),
        }
    }

    /// Looks at the board, or changes it. What is not on it yet is left where it is.
    pub(super) fn lock_state(&self) -> MutexGuard<'_, State<J, T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how a job is treated of which nothing else is said.
    pub(super) fn set_options(&self, set: impl FnOnce(&mut JobOptions)) {
        set(&mut self.lock_state().options);
    }

    pub(super) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Whether it is taken of this job how long it waits.
    pub(super) const fn is_timed(&self, number: u64) -> bool {
        self.times_all_jobs || is_sampled(number)
    }

    /// The point in time that a time since the pool was made is.
    pub(super) fn instant(&self, time: Time) -> Instant {
        // So far ahead that nobody sees the difference to never.
        const FAR: Time = Time::from_secs(86_400 * 365 * 30);
        self.began + time.min(FAR)
    }

    /// How many workers there are to be.
    pub(super) fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn set_wanted(&self, workers: usize) {
        self.wanted.store(workers, Ordering::Release);
    }

    /// Says who works here. Only what is said first holds.
    pub(super) fn set_actors(&self, workers: Box<[Address<WorkerMsg>]>, manager: Address<Tick>) {
        let _ = self.workers.set(workers);
        let _ = self.manager.set(manager);
    }

    /// Those who work here, or are to; nobody before the pool is given to a tree.
    pub(super) fn workers(&self) -> &[Address<WorkerMsg>] {
        self.workers.get().map_or(&[], |workers| workers)
    }

    pub(super) fn wake_worker(&self, slot: usize) {
        if let Some(worker) = self.workers().get(slot) {
            // If it is just being restarted, it looks for itself. If it is full, it has been told.
            let _ = worker.cast(WorkerMsg::Wake);
        }
    }

    pub(super) fn notify_manager(&self) {
        if let Some(manager) = self.manager.get() {
            let _ = manager.cast(Tick);
        }
    }
}

impl<J, T, E> State<J, T, E> {
    /// Whether jobs are taken in.
    pub(super) fn is_open(&self) -> bool {
        self.scheduler.phase() == Phase::Open && !self.tree_ended && !self.is_draining
    }

    /// Returns `true` if a job may be taken in now, before it is said which.
    pub(super) fn has_room(&self) -> bool {
        self.waiters.is_empty() && self.scheduler.room() > 0
    }

    /// For how many more jobs nobody has to look at the board.
    pub(super) fn credit(&self) -> usize {
        // Room is for those who wait for it, before anybody else.
        let is_plain =
            self.is_open() && self.routing == Routing::Shared && !self.scaling_idle && self.waiters.is_empty();
        if is_plain { self.scheduler.credit() } else { 0 }
    }

    /// Whether jobs that come back are of no use any more.
    pub(super) fn is_closed(&self) -> bool {
        self.scheduler.phase() == Phase::Closed || self.tree_ended
    }
}

impl<J, T, E> Drop for Shared<J, T, E> {
    /// Nobody knows the pool any more, so nobody will do what waits in it.
    fn drop(&mut self) {
        let submitted = std::mem::take(&mut self.submit_buffer.lock().jobs).into_iter().map(|job| job.item);
        let (waiting, dead) = {
            let mut state = self.lock_state();
            (state.scheduler.clear(), std::mem::take(&mut state.dead))
        };
        let tasks = waiting.into_iter().chain(submitted).map(|task| {
            let undelivered = if task.try_complete() { task.deliver(Err(JobError::Dropped)) } else { None };
            DeferredDrop::Delivered(task, undelivered)
        });
        // Elsewhere: the last to know it may be a supervisor.
        (self.drop_values)(tasks.chain(dead.into_iter().map(DeferredDrop::Dead)).collect());
    }
}
