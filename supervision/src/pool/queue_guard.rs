//! One look at the queue of a pool, or one change: what is done under its lock, and what is done after that.

use std::sync::Arc;
use std::task::Waker;

use perennial_actors::host::{Each, dispose_each, ignore_panic, wake_each};

use super::deferred_drop::Trash;
use super::effects::Effects;
use super::event::JobEvent;
use super::job::{AttemptError, DeadJob, Failures, JobError, JobRef};
use super::job_state::{AfterFailure, JobState};
use super::priority_queue::{Placement, QueuedJob, Target};
use super::scheduler::{EXPIRED_AT_ONCE, Phase, Time};
use super::shared::{Shared, State};
use super::stats::PoolStats;
use super::sync::MutexGuard;

/// What is behind the lock, and what is to be done when it is unlocked: to wake somebody, to give results, and to drop what may do
/// anything as it is dropped.
#[must_use = "what is to be done is done at its end"]
pub(super) struct QueueGuard<'a, J, T, E> {
    pub(super) pool: &'a Shared<J, T, E>,
    pub(super) state: MutexGuard<'a, State<J, T, E>>,
    /// The time, once it was asked for.
    now: Option<Time>,
    /// Nobody may submit a job now without a look at the board.
    buffer_drained: bool,
    errands: Effects<J, T, E>,
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Looks at the queue, or changes it.
    pub(super) fn lock_synced(&self) -> QueueGuard<'_, J, T, E> {
        let mut session = self.lock();
        session.drain_buffer();
        session
    }

    /// The same, for a worker that has its next job on the board: what was just submitted is not looked at.
    pub(super) fn lock(&self) -> QueueGuard<'_, J, T, E> {
        let state = self.lock_state();
        let errands = Effects { roused: None, result: None, calls_foreman: false, rest: None };
        QueueGuard { pool: self, now: None, buffer_drained: false, state, errands }
    }

    /// Changes the queue, in a way after which these are to be woken.
    pub(super) fn change(&self, change: impl FnOnce(&mut State<J, T, E>) -> Vec<usize>) {
        let mut session = self.lock_synced();
        let roused = change(&mut session.state);
        session.rouse(roused);
        session.end();
    }

    /// Its tree has begun, or a part of it: it hears of the end of that.
    pub(super) fn begin(self: &Arc<Self>) {
        let Some(supervisor) = self.supervisor.upgrade() else { return };
        let watches = {
            let mut state = self.lock_state();
            state.is_down = false;
            state.is_draining = false;
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
    pub(super) fn close(&self) {
        let mut session = self.lock_synced();
        session.state.is_down = true;
        session.state.is_watching = false;
        let dropped = session.clear();
        session.end_in_turn();
        if let Some(supervisor) = self.supervisor.upgrade() {
            supervisor.count_dropped_jobs(dropped);
        }
    }

    /// Takes no job in any more, until its tree begins anew. What it has goes on, also if it was paused.
    pub(super) fn begin_drain(&self) {
        let mut session = self.lock_synced();
        session.state.is_draining = true;
        let roused = session.state.board.pause(false);
        session.rouse(roused);
        session.end();
    }

    pub(super) fn drain_dead_jobs(&self) -> Vec<DeadJob<J, E>> {
        self.lock_state().dead.drain(..).collect()
    }

    pub(super) fn stats(&self) -> PoolStats {
        let session = self.lock_synced();
        let (board, books) = (&session.state.board, &session.state.stats);
        let stats = PoolStats {
            submitted: self.intake.lock().submitted,
            queued: board.waiting(),
            running: board.leased(),
            completed: books.completed,
            failed: books.failed,
            retried: books.retried,
            dropped: books.dropped,
            workers: (0..self.workers().len()).filter(|slot| board.is_present(*slot)).count(),
            wait_p50: books.waits.percentile(0.5),
            wait_p99: books.waits.percentile(0.99),
            work_p50: books.works.percentile(0.5),
            work_p99: books.works.percentile(0.99),
        };
        session.end();
        stats
    }
}

impl<J, T, E> QueueGuard<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Takes onto the board what was submitted.
    pub(super) fn drain_buffer(&mut self) {
        let mut intake = self.pool.intake.lock();
        intake.credit = 0;
        self.state.board.append(&mut intake.jobs);
        self.buffer_drained = true;
    }

    /// The same, for a worker that finds nothing on the board. If it finds something here it is not idle, and neither is any other: there is
    /// credit again.
    pub(super) fn refill(&mut self) {
        let mut intake = self.pool.intake.lock();
        if !intake.jobs.is_empty() {
            self.state.board.append(&mut intake.jobs);
            intake.credit = self.state.credit();
        }
    }

    pub(super) fn now(&mut self) -> Time {
        *self.now.get_or_insert_with(|| self.pool.now())
    }

    /// The time, if the board needs it.
    pub(super) fn time(&mut self) -> Time {
        if self.state.board.is_timed() { self.now() } else { Time::ZERO }
    }

    pub(super) fn rouse(&mut self, roused: impl IntoIterator<Item = usize>) {
        for slot in roused {
            match self.errands.roused {
                None => self.errands.roused = Some(slot),
                Some(_) => self.errands.rest().roused.push(slot),
            }
        }
    }

    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.errands.rest().wakers.push(waker);
        }
    }

    pub(super) fn note(&self, event: JobEvent) {
        self.pool.events.note(event);
    }

    pub(super) fn discard(&mut self, trash: Trash<J, T, E>) {
        self.errands.rest().trash.push(trash);
    }

    /// Sees to it that the foreman looks in time.
    pub(super) fn set_alarm(&mut self) {
        let now = self.time();
        let State { board, alarm, .. } = &mut *self.state;
        let next = board.next_deadline(now);
        if next.is_some_and(|next| alarm.is_none_or(|alarm| next < alarm)) {
            *alarm = next;
            self.errands.calls_foreman = true;
        }
    }

    /// What has its time now. Returns when to look again, and `true` if more may have expired.
    pub(super) fn tick(&mut self) -> (Option<Time>, bool) {
        let now = self.now();
        let mut expired = Vec::new();
        let roused = self.state.board.tick(now, &mut expired);
        self.rouse(roused);
        let is_partial = expired.len() == EXPIRED_AT_ONCE;
        self.drop_expired(expired);
        self.state.alarm = self.state.board.next_deadline(now);
        (self.state.alarm, is_partial)
    }

    /// A job that was leased is done.
    pub(super) fn completed(&mut self, task: Arc<JobState<J, T, E>>, output: T) {
        if task.try_complete() {
            self.state.stats.completed += 1;
            self.note(JobEvent::Done(task.id));
            self.errands.result = Some((task, Ok(output)));
        } else {
            self.state.stats.dropped += 1;
            self.discard(Trash::Output(output));
            self.discard(Trash::Task(task));
        }
    }

    /// A job that was leased is not wanted any more: its submitter knows.
    pub(super) fn discard_lease(&mut self, task: Arc<JobState<J, T, E>>) {
        self.state.stats.dropped += 1;
        self.discard(Trash::Task(task));
    }

    /// A job will not be done, and is in no place any more.
    pub(super) fn drop_job(&mut self, task: Arc<JobState<J, T, E>>, why: JobError<E>, event: JobEvent) {
        self.state.stats.dropped += 1;
        if task.try_complete() {
            self.note(event);
            self.errands.rest().given.push((task, Err(why)));
        } else {
            // It was cancelled, and its submitter knows.
            self.discard(Trash::Task(task));
        }
    }

    pub(super) fn drop_expired(&mut self, expired: Vec<Arc<JobState<J, T, E>>>) {
        for task in expired {
            if let Some(failures) = task.take_failures() {
                self.bury(task, failures, JobError::ExpiredAfterFailures);
            } else {
                let event = JobEvent::Expired(task.id);
                self.drop_job(task, JobError::Expired, event);
            }
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

    /// An attempt at a job by the worker in this slot has failed. It is in no place: it is tried
    /// again, by another worker unless it is for this one, or dead.
    pub(super) fn retry_or_bury(
        &mut self,
        job: QueuedJob<Arc<JobState<J, T, E>>>,
        slot: usize,
        failure: AttemptError<E>,
    ) {
        let task = job.item.clone();
        if self.state.is_closed() || task.is_over() {
            self.discard(Trash::Failure(failure));
            return self.drop_job(task.clone(), JobError::Dropped, JobEvent::Dropped(task.id));
        }
        match task.fail(failure, &self.state.terms) {
            AfterFailure::Dead(failures) => self.bury(task, failures, JobError::Failed),
            AfterFailure::Retry(delay) => {
                self.state.stats.retried += 1;
                self.note(JobEvent::Retried(task.id));
                let now = self.now();
                let target = match job.stand.target {
                    own @ (Target::Key(_) | Target::Pinned(_)) => own,
                    _ => Target::Except(slot),
                };
                let job = QueuedJob { since: Some(now), stand: Placement { target, ..job.stand }, ..job };
                let has_a_time = !delay.is_zero() || job.stand.expires.is_some();
                if delay.is_zero() {
                    let roused = self.state.board.put(job);
                    self.rouse(roused);
                } else {
                    self.state.board.delay(job, now.saturating_add(delay));
                }
                if has_a_time {
                    self.set_alarm();
                }
            }
        }
    }

    fn bury(
        &mut self,
        task: Arc<JobState<J, T, E>>,
        failures: Failures<E>,
        error: fn(Failures<E>) -> JobError<E>,
    ) {
        if !task.try_complete() {
            self.state.stats.dropped += 1;
            self.discard(Trash::Failures(failures));
            return self.discard(Trash::Task(task));
        }
        self.state.stats.failed += 1;
        self.note(JobEvent::Dead(task.id));
        let dead = DeadJob { id: task.id, job: JobRef(task.clone()), failures: failures.clone() };
        self.state.dead.push_back(dead);
        if self.state.dead.len() > self.state.max_dead {
            let forgotten = self.state.dead.pop_front();
            if let Some(forgotten) = forgotten {
                self.discard(Trash::Dead(forgotten));
            }
        }
        self.errands.rest().given.push((task, Err(error(failures))));
    }

    /// Settles that nothing becomes of the jobs that are worked at. Their workers hear of it at their next await, and only when they
    /// have let go of a job is it in no place any more.
    pub(super) fn cancel_leased(&mut self) {
        for task in self.state.board.leases().cloned().collect::<Vec<_>>() {
            if task.try_complete() {
                self.note(JobEvent::Dropped(task.id));
                self.errands.rest().given.push((task, Err(JobError::Dropped)));
            }
        }
    }

    /// Drops what waits in a pool that finishes and has no worker to do it.
    fn clear_if_hopeless(&mut self) {
        let board = &self.state.board;
        let is_finishing = board.phase() == Phase::Finishing || self.state.is_draining;
        let is_hopeless = is_finishing && board.has_no_worker(self.pool.wanted());
        if is_hopeless {
            self.clear();
        }
    }

    /// Unlocks the queue, and does what is to be done then. Users' values are dropped here, one by one.
    pub(super) fn end(self) {
        drop(Each::new(self.unlock()));
    }

    /// The same in the turn of a supervisor, which has ended a worker or the pool: users' values are dropped elsewhere.
    pub(super) fn end_in_turn(self) {
        dispose_each(self.unlock());
    }

    fn unlock(mut self) -> Vec<Trash<J, T, E>> {
        if self.state.draining > 0 && !self.buffer_drained {
            self.drain_buffer();
        }
        self.clear_if_hopeless();
        self.release_waiters();
        self.drop_orphaned();
        let Self { pool, mut state, mut errands, buffer_drained: is_exact, .. } = self;
        if state.scaling_idle && errands.roused.is_none() && state.board.runnable() > 0 {
            state.scaling_idle = false;
            errands.calls_foreman = true;
        }
        let credit = if is_exact { state.credit() } else { 0 };
        if credit > 0 {
            pool.intake.lock().credit = credit;
        }
        let is_emptied = state.draining > 0 && state.board.is_done();
        drop(state);
        if let Some(slot) = errands.roused {
            pool.ring(slot);
        }
        let rest = errands.rest.map(|rest| *rest);
        let (given, trash) = rest.map_or((None, None), |rest| {
            rest.roused.into_iter().for_each(|slot| pool.ring(slot));
            wake_each(rest.wakers);
            (Some(rest.given), Some(rest.trash))
        });
        if errands.calls_foreman {
            pool.call_foreman();
        }
        pool.events.tell();
        if let Some((task, outcome)) = errands.result {
            // By the worker itself, under the guard that is around each.
            drop(task.deliver(outcome));
        }
        let mut trash = trash.unwrap_or_default();
        for (task, outcome) in given.into_iter().flatten() {
            let unwanted = task.deliver(outcome);
            trash.push(Trash::Given(task, unwanted));
        }
        if is_emptied {
            ignore_panic(|| pool.emptied.notify_waiters());
        }
        trash
    }
}
