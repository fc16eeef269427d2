//! What the users, the workers and the foreman of a pool share: the queue, the books, and whom to wake.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use perennial_actors::host::Broadcast;
use perennial_actors::{Address, Pid};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::board::{Board, Next, Phase};
use super::event::JobEvent;
use super::job::{DeadJob, JobError, JobId, Office, Task, TaskRef, Terms};
use super::lane::{Stand, Waiting};
use super::stats::{Books, PoolStats};

/// Wakes a worker, to look for jobs.
pub(super) struct Bell;

/// Tells the foreman that something may be due before what it waits for.
pub(super) struct Look;

/// How jobs find their workers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Routing {
    /// Whoever is free takes the next one: no job waits for a busy worker while another is idle. The default.
    #[default]
    Shared,
    /// One worker after the other.
    RoundRobin,
    /// The worker with the fewest jobs before it.
    LeastQueued,
}

/// What a pool is made of, whichever incarnations of its workers live.
pub(super) struct Shared<J, T, E> {
    pub(super) began: Instant,
    state: Mutex<State<J, T, E>>,
    pub(super) workers: OnceLock<Box<[Address<Bell>]>>,
    pub(super) foreman: OnceLock<Address<Look>>,
    /// There may be room.
    pub(super) room: Notify,
    /// A job is over, or the pool has entered another phase.
    pub(super) over: Notify,
    pub(super) events: Broadcast<JobEvent>,
    next_id: AtomicU64,
    next_turn: AtomicU64,
    /// How many workers there are to be.
    pub(super) wanted: AtomicUsize,
}

/// What is behind the lock.
pub(super) struct State<J, T, E> {
    pub(super) board: Board<Arc<Task<J, T, E>>>,
    pub(super) books: Books,
    pub(super) dead: VecDeque<DeadJob<J, E>>,
    pub(super) max_dead: usize,
    routing: Routing,
    /// How a job is treated of which nothing else is said.
    terms: Terms,
}

/// A job that was not taken in.
pub(super) enum Refused {
    Full,
    Closed,
}

impl<J: Send + Sync + 'static, T: Send + 'static, E: Send + Sync + 'static> Shared<J, T, E> {
    pub(super) fn new(
        board: Board<Arc<Task<J, T, E>>>,
        terms: Terms,
        wanted: usize,
        max_dead: usize,
    ) -> Self {
        let routing = Routing::default();
        let (books, dead) = (Books::default(), VecDeque::new());
        Self {
            began: Instant::now(),
            state: Mutex::new(State { board, books, dead, max_dead, routing, terms }),
            workers: OnceLock::new(),
            foreman: OnceLock::new(),
            room: Notify::new(),
            over: Notify::new(),
            events: Broadcast::new(),
            next_id: AtomicU64::new(1),
            next_turn: AtomicU64::new(0),
            wanted: wanted.into(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<J, T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn terms(&self) -> Terms {
        self.state().terms.clone()
    }

    pub(super) fn set_terms(&self, set: impl FnOnce(&mut Terms)) {
        set(&mut self.state().terms);
    }

    pub(super) fn set_routing(&self, routing: Routing) {
        self.state().routing = routing;
    }

    pub(super) fn keep_dead(&self, jobs: usize) {
        self.state().max_dead = jobs;
    }

    /// Says who works here. Only what is said first holds.
    pub(super) fn settle(&self, workers: Box<[Address<Bell>]>, foreman: Address<Look>) {
        let _ = self.workers.set(workers);
        let _ = self.foreman.set(foreman);
    }

    /// Whether a worker is to run.
    pub(super) fn is_wanted(&self, slot: usize) -> bool {
        slot < self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn next_id(&self) -> JobId {
        JobId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Does something to the queue, and wakes whom that concerns when it is unlocked again.
    pub(super) fn with<R>(
        &self,
        change: impl FnOnce(&mut Board<Arc<Task<J, T, E>>>) -> (R, Vec<usize>),
    ) -> R {
        let (result, roused) = change(&mut self.state().board);
        self.ring(roused);
        result
    }

    /// Takes a job in, which is made only when there is a place for it; what it was to be made of comes back otherwise.
    pub(super) fn admit<B>(
        &self,
        terms: &Terms,
        parts: B,
        make: impl FnOnce(B) -> Arc<Task<J, T, E>>,
    ) -> Result<TaskRef<J, T, E>, (Refused, B)> {
        let now = self.now();
        let (task, roused) = {
            let mut state = self.state();
            match state.board.phase() {
                Phase::Open if state.board.has_room() => {}
                Phase::Open => return Err((Refused::Full, parts)),
                Phase::Finishing | Phase::Closed => return Err((Refused::Closed, parts)),
            }
            state.books.submitted += 1;
            let task = make(parts);
            let stand = Stand {
                priority: terms.priority,
                slot: self.choose(terms, &state),
                expires: terms.expires_in.map(|time| now.saturating_add(time)),
            };
            let job = Waiting { item: task.clone(), stand, since: now };
            let roused = match terms.delay {
                Some(delay) => {
                    state.board.delay(job, now.saturating_add(delay));
                    None
                }
                None => state.board.put(job, false),
            };
            (task, roused)
        };
        self.events.tell(|| JobEvent::Submitted(task.id));
        self.ring(roused);
        if terms.delay.is_some() {
            self.call_foreman();
        }
        Ok(task)
    }

    fn choose(&self, terms: &Terms, state: &State<J, T, E>) -> Option<usize> {
        let board = &state.board;
        match (terms.key, state.routing) {
            (Some(key), _) => board.slot_of(key),
            (None, Routing::Shared) => None,
            (None, Routing::RoundRobin) => board.slot_of(self.next_turn.fetch_add(1, Ordering::Relaxed)),
            (None, Routing::LeastQueued) => board.least_queued(),
        }
    }

    /// The next job for a worker; it is woken for another if there is none. None, too, if there never will be one.
    pub(super) fn lease(&self, slot: usize, pid: Pid) -> Option<Arc<Task<J, T, E>>> {
        let (now, mut expired) = (self.now(), Vec::new());
        let (next, roused, is_rated) = {
            let mut state = self.state();
            let (next, roused) = state.board.lease(slot, pid, now, &mut expired);
            if let Next::Job(_, waited) = &next {
                state.books.waits.count(*waited);
            }
            state.books.dropped += expired.len() as u64;
            (next, roused, state.board.is_rated())
        };
        self.ring(roused);
        for task in expired {
            self.events.tell(|| JobEvent::Expired(task.id));
            task.finish(Err(JobError::Expired));
            self.over.notify_waiters();
        }
        match next {
            Next::Job(task, _) => {
                self.room.notify_one();
                self.events.tell(|| JobEvent::Started { id: task.id, worker: pid });
                Some(task)
            }
            Next::Nothing => {
                if is_rated {
                    self.call_foreman();
                }
                None
            }
        }
    }

    /// Whether there never will be anything to do again.
    pub(super) fn is_closed(&self) -> bool {
        self.state().board.phase() == Phase::Closed
    }

    /// Nobody will work here any more.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.state();
            state.board.enter(Phase::Closed);
            state.board.clear()
        };
        self.drop_all(&waiting);
    }

    pub(super) fn take_dead(&self) -> Vec<DeadJob<J, E>> {
        self.state().dead.drain(..).collect()
    }

    pub(super) fn stats(&self) -> PoolStats {
        let state = self.state();
        let books = &state.books;
        PoolStats {
            submitted: books.submitted,
            queued: state.board.waiting(),
            running: state.board.leased(),
            done: books.done,
            failed: books.failed,
            retried: books.retried,
            dropped: books.dropped,
            workers: self.wanted.load(Ordering::Acquire),
            wait_p50: books.waits.percentile(0.5),
            wait_p99: books.waits.percentile(0.99),
            work_p50: books.works.percentile(0.5),
            work_p99: books.works.percentile(0.99),
        }
    }

    /// Waits until something is so of the queue.
    pub(super) async fn until(&self, is_so: impl Fn(&Board<Arc<Task<J, T, E>>>) -> bool) {
        loop {
            // Enlisted before it looks, so that nothing comes between the two unheard.
            let over = self.over.notified();
            tokio::pin!(over);
            over.as_mut().enable();
            if is_so(&self.state().board) {
                return;
            }
            over.await;
        }
    }

    pub(super) fn ring(&self, roused: impl IntoIterator<Item = usize>) {
        let Some(workers) = self.workers.get() else { return };
        for slot in roused {
            if let Some(worker) = workers.get(slot) {
                // If it is just being restarted, it looks for itself. If it is full, it has been told.
                let _ = worker.cast(Bell);
            }
        }
    }

    pub(super) fn call_foreman(&self) {
        if let Some(foreman) = self.foreman.get() {
            let _ = foreman.cast(Look);
        }
    }
}

impl<J: Send + Sync + 'static, T: Send + 'static, E: Send + Sync + 'static> Office for Shared<J, T, E> {
    fn withdraw(&self, id: JobId) {
        let withdrawn = {
            let mut state = self.state();
            state.books.dropped += 1;
            state.board.withdraw(|task| task.id == id)
        };
        self.events.tell(|| JobEvent::Cancelled(id));
        if withdrawn.is_some() {
            self.room.notify_one();
        }
        self.over.notify_waiters();
    }
}
