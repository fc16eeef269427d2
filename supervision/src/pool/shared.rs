//! What the users, the workers and the foreman of a pool share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use perennial_actors::Address;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::deferred_drop::{Discard, Trash};
use super::event::Events;
use super::job::{DeadJob, JobError};
use super::job_state::{JobOptions, JobState};
use super::scheduler::{Phase, Scheduler, Time};
use super::stats::{Counters, is_sampled};
use super::submit_buffer::SubmitBuffer;
use super::sync::{Mutex, MutexGuard};
use super::threads::Threads;
use super::wait_queue::Line;
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
    pub(super) intake: SubmitBuffer<J, T, E>,
    /// Whether it is taken of every job how long it waits.
    stamps_all: bool,
    workers: OnceLock<Box<[Address<WorkerMsg>]>>,
    foreman: OnceLock<Address<Tick>>,
    /// Weak, because it keeps its children, and they keep this.
    pub(super) supervisor: WeakSupervisorHandle,
    /// Nothing waits, and nothing is worked at.
    pub(super) emptied: Notify,
    pub(super) events: Events,
    /// How many workers there are to be.
    wanted: AtomicUsize,
    discard: Discard<J, T, E>,
    /// The threads of its workers, and how long it waits for them when it stops.
    pub(super) threads: OnceLock<(Arc<Threads>, Option<Duration>)>,
    /// Whether its workers are being reconciled.
    pub(super) is_repairing: AtomicBool,
    /// One change of the workers at a time.
    pub(super) changing: tokio::sync::Mutex<()>,
}

/// What is behind the lock.
pub(super) struct State<J, T, E> {
    pub(super) board: Scheduler<Arc<JobState<J, T, E>>>,
    pub(super) stats: Counters,
    pub(super) dead: VecDeque<DeadJob<J, E>>,
    pub(super) max_dead: usize,
    pub(super) routing: Routing,
    /// How a job is treated of which nothing else is said.
    pub(super) terms: JobOptions,
    /// When the foreman looks next.
    pub(super) alarm: Option<Time>,
    /// The submitters that wait for room. While there are any, there is none.
    pub(super) line: Line<J, T, E>,
    /// Whether the foreman does not look at how much there is to do, until there is too much.
    pub(super) scaling_idle: bool,
    /// Whether the foreman looks whether workers are missing.
    pub(super) is_counting: bool,
    /// Whether no handle is left, in a pool that is to end with them.
    pub(super) handles_dropped: bool,
    /// How many wait until it is empty.
    pub(super) draining: usize,
    /// Whether the tree that it is in is over.
    pub(super) is_down: bool,
    /// Whether it takes no more jobs in, because the tree that it is in stops when it has finished its jobs.
    pub(super) is_draining: bool,
    /// Whether the end of its tree will be told.
    pub(super) is_watching: bool,
}

impl<J, T, E> Shared<J, T, E> {
    pub(super) fn new(
        board: Scheduler<Arc<JobState<J, T, E>>>,
        wanted: usize,
        stamps_all: bool,
        max_dead: usize,
        supervisor: WeakSupervisorHandle,
        discard: Discard<J, T, E>,
    ) -> Self {
        let state = State {
            board,
            stats: Counters::default(),
            dead: VecDeque::new(),
            max_dead,
            routing: Routing::default(),
            terms: JobOptions::default(),
            alarm: None,
            line: Line::new(),
            scaling_idle: false,
            is_counting: false,
            handles_dropped: false,
            draining: 0,
            is_down: false,
            is_draining: false,
            is_watching: false,
        };
        Self {
            began: Instant::now(),
            state: Mutex::new(state),
            intake: SubmitBuffer::new(),
            stamps_all,
            workers: OnceLock::new(),
            foreman: OnceLock::new(),
            supervisor,
            emptied: Notify::new(),
            events: Events::new(),
            wanted: wanted.into(),
            discard,
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
    pub(super) fn set_terms(&self, set: impl FnOnce(&mut JobOptions)) {
        set(&mut self.lock_state().terms);
    }

    pub(super) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Whether it is taken of this job how long it waits.
    pub(super) const fn is_timed(&self, number: u64) -> bool {
        self.stamps_all || is_sampled(number)
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

    pub(super) fn want(&self, workers: usize) {
        self.wanted.store(workers, Ordering::Release);
    }

    /// Says who works here. Only what is said first holds.
    pub(super) fn settle(&self, workers: Box<[Address<WorkerMsg>]>, foreman: Address<Tick>) {
        let _ = self.workers.set(workers);
        let _ = self.foreman.set(foreman);
    }

    /// Those who work here, or are to; nobody before the pool is given to a tree.
    pub(super) fn workers(&self) -> &[Address<WorkerMsg>] {
        self.workers.get().map_or(&[], |workers| workers)
    }

    pub(super) fn ring(&self, slot: usize) {
        if let Some(worker) = self.workers().get(slot) {
            // If it is just being restarted, it looks for itself. If it is full, it has been told.
            let _ = worker.cast(WorkerMsg::Wake);
        }
    }

    pub(super) fn call_foreman(&self) {
        if let Some(foreman) = self.foreman.get() {
            let _ = foreman.cast(Tick);
        }
    }
}

impl<J, T, E> State<J, T, E> {
    /// Whether jobs are taken in.
    pub(super) fn is_open(&self) -> bool {
        self.board.phase() == Phase::Open && !self.is_down && !self.is_draining
    }

    /// Returns `true` if a job may be taken in now, before it is said which.
    pub(super) fn has_room(&self) -> bool {
        self.line.is_empty() && self.board.room() > 0
    }

    /// For how many more jobs nobody has to look at the board.
    pub(super) fn credit(&self) -> usize {
        // Room is for those who wait for it, before anybody else.
        let is_plain =
            self.is_open() && self.routing == Routing::Shared && !self.scaling_idle && self.line.is_empty();
        if is_plain { self.board.credit() } else { 0 }
    }

    /// Whether jobs that come back are of no use any more.
    pub(super) fn is_closed(&self) -> bool {
        self.board.phase() == Phase::Closed || self.is_down
    }
}

impl<J, T, E> Drop for Shared<J, T, E> {
    /// Nobody knows the pool any more, so nobody will do what waits in it.
    fn drop(&mut self) {
        let submitted = std::mem::take(&mut self.intake.lock().jobs).into_iter().map(|job| job.item);
        let (waiting, dead) = {
            let mut state = self.lock_state();
            (state.board.clear(), std::mem::take(&mut state.dead))
        };
        let tasks = waiting.into_iter().chain(submitted).map(|task| {
            let unwanted = if task.try_complete() { task.deliver(Err(JobError::Dropped)) } else { None };
            Trash::Given(task, unwanted)
        });
        // Elsewhere: the last to know it may be a supervisor.
        (self.discard)(tasks.chain(dead.into_iter().map(Trash::Dead)).collect());
    }
}
