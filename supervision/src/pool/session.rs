//! One look at the queue of a pool, or one change: what is done under its lock, and what is done after that.

use std::sync::{Arc, MutexGuard};

use super::board::Time;
use super::event::JobEvent;
use super::job::{DeadJob, Failure, JobError, JobRef};
use super::lane::Waiting;
use super::office::{Shared, State};
use super::stats::PoolStats;
use super::task::{Outcome, Task, Verdict};

/// What is behind the lock, and what is to be done when it is unlocked: to wake somebody, to give results, and to drop what may do
/// anything as it is dropped.
#[must_use = "what is to be done is done at its end"]
pub(super) struct Session<'a, J, T, E> {
    pool: &'a Shared<J, T, E>,
    pub(super) state: MutexGuard<'a, State<J, T, E>>,
    /// How many waited when it began.
    waited: usize,
    errands: Errands<J, T, E>,
}

/// What is to be done when the queue is unlocked.
struct Errands<J, T, E> {
    roused: Option<usize>,
    also_roused: Vec<usize>,
    result: Option<Given<J, T, E>>,
    also_given: Vec<Given<J, T, E>>,
    trash: Vec<Trash<J, T, E>>,
    calls_foreman: bool,
}

/// A result, and whose it is.
type Given<J, T, E> = (Arc<Task<J, T, E>>, Outcome<T, E>);

/// What is only to be dropped.
#[expect(dead_code, reason = "it is kept for nothing but to be dropped")]
pub(super) enum Trash<J, T, E> {
    Task(Arc<Task<J, T, E>>),
    Output(T),
    Failure(Failure<E>),
    Dead(DeadJob<J, E>),
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Looks at the queue, or changes it.
    pub(super) fn session(&self) -> Session<'_, J, T, E> {
        let state = self.lock();
        let errands = Errands {
            roused: None,
            also_roused: Vec::new(),
            result: None,
            also_given: Vec::new(),
            trash: Vec::new(),
            calls_foreman: false,
        };
        Session { pool: self, waited: state.board.waiting(), state, errands }
    }

    /// Changes the queue, in a way after which these are to be woken.
    pub(super) fn change(&self, change: impl FnOnce(&mut State<J, T, E>) -> Vec<usize>) {
        let mut session = self.session();
        let roused = change(&mut session.state);
        session.rouse(roused);
        session.end();
    }

    /// Its tree has begun, or a part of it: it hears of the end of that.
    pub(super) fn begin(self: &Arc<Self>) {
        let Some(supervisor) = self.supervisor.upgrade() else { return };
        let watches = {
            let mut state = self.lock();
            state.is_down = false;
            std::mem::replace(&mut state.is_watching, true)
        };
        let pool = Arc::downgrade(self);
        let close = move || {
            if let Some(pool) = pool.upgrade() {
                pool.close();
            }
        };
        if !watches && !supervisor.handle().on_close(close) {
            self.close();
        }
    }

    /// The tree is over: nobody will work here, unless it begins anew.
    fn close(&self) {
        let mut session = self.session();
        session.state.is_down = true;
        session.state.is_watching = false;
        session.clear();
        session.end();
        // They need not wait.
        self.room.notify_waiters();
    }

    pub(super) fn take_dead(&self) -> Vec<DeadJob<J, E>> {
        self.lock().dead.drain(..).collect()
    }

    pub(super) fn stats(&self) -> PoolStats {
        let state = self.lock();
        let (board, books) = (&state.board, &state.books);
        PoolStats {
            submitted: books.submitted,
            queued: board.waiting(),
            running: board.leased(),
            done: books.done,
            failed: books.failed,
            retried: books.retried,
            dropped: books.dropped,
            workers: self.wanted(),
            wait_p50: books.waits.percentile(0.5),
            wait_p99: books.waits.percentile(0.99),
            work_p50: books.works.percentile(0.5),
            work_p99: books.works.percentile(0.99),
        }
    }

    /// Waits until nothing waits and nothing is worked at.
    pub(super) async fn emptied(&self) {
        loop {
            // Enlisted before it looks, so that nothing comes between the two unheard.
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            let _counted = {
                let mut state = self.lock();
                if state.board.is_done() {
                    return;
                }
                state.draining += 1;
                self.counted(|state| &mut state.draining)
            };
            emptied.await;
        }
    }
}

impl<J, T, E> Session<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pub(super) fn rouse(&mut self, roused: impl IntoIterator<Item = usize>) {
        for slot in roused {
            match self.errands.roused {
                None => self.errands.roused = Some(slot),
                Some(_) => self.errands.also_roused.push(slot),
            }
        }
    }

    pub(super) fn note(&self, event: JobEvent) {
        self.pool.events.note(event);
    }

    pub(super) fn discard(&mut self, trash: Trash<J, T, E>) {
        self.errands.trash.push(trash);
    }

    /// Sees to it that the foreman looks in time.
    pub(super) fn set_alarm(&mut self, now: Time) {
        let State { board, alarm, .. } = &mut *self.state;
        let next = board.next_deadline(now);
        if next.is_some_and(|next| alarm.is_none_or(|alarm| next < alarm)) {
            *alarm = next;
            self.errands.calls_foreman = true;
        }
    }

    /// What has its time now; when to look again.
    pub(super) fn tick(&mut self, now: Time) -> Option<Time> {
        let mut expired = Vec::new();
        let roused = self.state.board.tick(now, &mut expired);
        self.rouse(roused);
        self.drop_expired(expired);
        self.state.alarm = self.state.board.next_deadline(now);
        self.state.alarm
    }

    /// A job that was leased is done.
    pub(super) fn done(&mut self, task: Arc<Task<J, T, E>>, output: T) {
        if task.claim() {
            self.state.books.done += 1;
            self.note(JobEvent::Done(task.id));
            self.errands.result = Some((task, Ok(output)));
        } else {
            self.state.books.dropped += 1;
            self.discard(Trash::Output(output));
            self.discard(Trash::Task(task));
        }
    }

    /// A job that was leased is not wanted any more: its submitter knows.
    pub(super) fn let_go(&mut self, task: Arc<Task<J, T, E>>) {
        self.state.books.dropped += 1;
        self.discard(Trash::Task(task));
    }

    /// A job will not be done, and is in no place any more.
    pub(super) fn drop_job(&mut self, task: Arc<Task<J, T, E>>, why: JobError<E>, event: JobEvent) {
        self.state.books.dropped += 1;
        if task.claim() {
            self.note(event);
            self.errands.also_given.push((task, Err(why)));
        } else {
            // It was cancelled, and its submitter knows.
            self.discard(Trash::Task(task));
        }
    }

    pub(super) fn drop_expired(&mut self, expired: Vec<Arc<Task<J, T, E>>>) {
        for task in expired {
            let event = JobEvent::Expired(task.id);
            self.drop_job(task, JobError::Expired, event);
        }
    }

    /// Drops everything that waits; how many.
    pub(super) fn clear(&mut self) -> usize {
        let waiting = self.state.board.clear();
        let count = waiting.len();
        for task in waiting {
            let event = JobEvent::Dropped(task.id);
            self.drop_job(task, JobError::Dropped, event);
        }
        count
    }

    /// An attempt at a job has failed. It is in no place: it is tried again, or dead.
    pub(super) fn come_back(&mut self, job: Waiting<Arc<Task<J, T, E>>>, failure: Failure<E>, now: Time) {
        let task = job.item.clone();
        if self.state.is_closed() || task.is_over() {
            self.discard(Trash::Failure(failure));
            return self.drop_job(task.clone(), JobError::Dropped, JobEvent::Dropped(task.id));
        }
        match task.fail(failure, self.pool.terms()) {
            Verdict::Dead(failures) => self.bury(task, failures),
            Verdict::Again(delay) => {
                self.state.books.retried += 1;
                self.note(JobEvent::Retried(task.id));
                let job = Waiting { since: now, ..job };
                let has_a_time = !delay.is_zero() || job.stand.expires.is_some();
                if delay.is_zero() {
                    let roused = self.state.board.put(job);
                    self.rouse(roused);
                } else {
                    self.state.board.delay(job, now.saturating_add(delay));
                }
                if has_a_time {
                    self.set_alarm(now);
                }
            }
        }
    }

    fn bury(&mut self, task: Arc<Task<J, T, E>>, failures: Arc<[Failure<E>]>) {
        if !task.claim() {
            self.state.books.dropped += 1;
            return self.discard(Trash::Task(task));
        }
        self.state.books.failed += 1;
        self.note(JobEvent::Dead(task.id));
        let dead = DeadJob { id: task.id, job: JobRef(task.clone()), failures: failures.clone() };
        self.state.dead.push_back(dead);
        if self.state.dead.len() > self.state.max_dead {
            let forgotten = self.state.dead.pop_front();
            self.errands.trash.extend(forgotten.map(Trash::Dead));
        }
        self.errands.also_given.push((task, Err(JobError::Failed(failures))));
    }

    /// Settles that nothing becomes of the jobs that are worked at. Their workers hear of it at their next await, and only when they
    /// have let go of a job is it in no place any more.
    pub(super) fn call_off(&mut self) {
        for task in self.state.board.leases().cloned().collect::<Vec<_>>() {
            if task.claim() {
                self.note(JobEvent::Dropped(task.id));
                self.errands.also_given.push((task, Err(JobError::Dropped)));
            }
        }
    }

    /// Unlocks the queue, and does what is to be done then.
    pub(super) fn end(self) {
        let Self { pool, state, waited, errands } = self;
        let room = if state.in_line > 0 { waited.saturating_sub(state.board.waiting()) } else { 0 };
        let is_emptied = state.draining > 0 && state.board.is_done();
        drop(state);
        for slot in errands.roused.into_iter().chain(errands.also_roused) {
            pool.ring(slot);
        }
        for _ in 0..room {
            pool.room.notify_one();
        }
        pool.events.tell();
        for (task, outcome) in errands.result.into_iter().chain(errands.also_given) {
            task.give(outcome);
        }
        if is_emptied {
            pool.emptied.notify_waiters();
        }
        if errands.calls_foreman {
            pool.call_foreman();
        }
        drop(errands.trash);
    }
}
