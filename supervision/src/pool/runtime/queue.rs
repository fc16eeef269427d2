//! The lock guard of a pool's queue, and the effects after it is unlocked.

use std::sync::Arc;

use perennial_actors::host::{Each, dispose_each, ignore_panic};
use tokio::sync::oneshot;

use super::deferred_drop::DeferredDrop;
use super::effects::Effects;
use super::job_state::{Admitted, AfterFailure, JobState};
use super::shared::{Shared, State};
use super::sync::MutexGuard;
use crate::pool::event::JobEvent;
use crate::pool::job::{AttemptError, DeadJob, Failures, JobError, JobRef};
use crate::pool::scheduler::{EXPIRED_AT_ONCE, Phase, Placement, QueuedJob, Target, Time};
use crate::pool::stats::PoolStats;
use crate::pool::worker::Work;

/// The locked state of a pool, and the effects that follow when it is unlocked: waking workers and
/// tasks, delivering results, and dropping users' values, whose destructors may do anything.
#[must_use = "`end` performs the effects"]
pub(crate) struct QueueGuard<'a, W: Work + 'static> {
    pub(crate) pool: &'a Shared<W>,
    pub(crate) state: MutexGuard<'a, State<W>>,
    /// The current time, read at most once.
    now: Option<Time>,
    /// `true` once the submit buffer is drained and its credit revoked: every concurrent submission
    /// must take the queue lock.
    buffer_drained: bool,
    effects: Effects<W>,
}

impl<W: Work + 'static> Shared<W> {
    /// Locks the queue and drains the submit buffer into the scheduler.
    pub(crate) fn lock_synced(&self) -> QueueGuard<'_, W> {
        let mut guard = self.lock();
        guard.drain_buffer();
        guard
    }

    /// Locks the queue, not the submit buffer, for a worker whose next job is in the scheduler.
    pub(crate) fn lock(&self) -> QueueGuard<'_, W> {
        let state = self.lock_state();
        let effects = Effects { to_wake: None, result: None, notify_manager: false, late: None };
        QueueGuard { pool: self, now: None, buffer_drained: false, state, effects }
    }

    /// Changes the queue. `change` returns the workers to wake.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State<W>) -> Vec<usize>) {
        let mut guard = self.lock_synced();
        let to_wake = change(&mut guard.state);
        guard.wake_workers(to_wake);
        guard.end();
    }

    /// Handles the start of the tree or of a part of it: watches for the end of the tree.
    pub(crate) fn tree_started(self: &Arc<Self>) {
        let Some(supervisor) = self.supervisor.upgrade() else { return };
        let watches = self.lock_state().start_watching(self.wanted());
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

    /// Handles the end of the tree: drops the queued jobs, because no worker will run them. The
    /// tree may start again.
    pub(crate) fn close(&self) {
        let mut guard = self.lock_synced();
        guard.state.tree_ended = true;
        guard.state.is_watching = false;
        let dropped = guard.clear();
        guard.end_with_disposal();
        if let Some(supervisor) = self.supervisor.upgrade() {
            supervisor.count_dropped_jobs(dropped);
        }
    }

    /// Rejects new jobs until the tree starts again, and resumes a paused pool.
    pub(crate) fn begin_drain(&self) {
        let mut guard = self.lock_synced();
        guard.state.is_draining = true;
        let to_wake = guard.state.scheduler.pause(false);
        guard.wake_workers(to_wake);
        guard.end();
    }

    pub(crate) fn drain_dead_jobs(&self) -> Vec<DeadJob<W>> {
        self.lock_state().dead.drain(..).collect()
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let guard = self.lock_synced();
        let (scheduler, counters) = (&guard.state.scheduler, &guard.state.stats);
        let stats = PoolStats {
            submitted: self.submit_buffer.lock().submitted,
            queued: scheduler.waiting(),
            running: scheduler.leased(),
            completed: counters.completed,
            failed: counters.failed,
            retried: counters.retried,
            dropped: counters.dropped,
            workers: (0..self.workers().len()).filter(|slot| scheduler.is_present(*slot)).count(),
            wait_p50: counters.waits.percentile(0.5),
            wait_p99: counters.waits.percentile(0.99),
            work_p50: counters.works.percentile(0.5),
            work_p99: counters.works.percentile(0.99),
        };
        guard.end();
        stats
    }
}

impl<W: Work + 'static> QueueGuard<'_, W> {
    /// Moves the submit buffer into the scheduler and revokes the credit.
    pub(crate) fn drain_buffer(&mut self) {
        let mut submit_buffer = self.pool.submit_buffer.lock();
        submit_buffer.credit = 0;
        self.state.scheduler.append(&mut submit_buffer.jobs);
        self.buffer_drained = true;
    }

    /// Moves the submit buffer into the scheduler, for a worker that found no job there. If there
    /// are jobs in it, this worker is not idle, and neither is any other: new credit is granted.
    pub(crate) fn refill(&mut self) {
        let mut submit_buffer = self.pool.submit_buffer.lock();
        if !submit_buffer.jobs.is_empty() {
            self.state.scheduler.append(&mut submit_buffer.jobs);
            submit_buffer.credit = self.state.credit();
        }
    }

    pub(crate) fn now(&mut self) -> Time {
        *self.now.get_or_insert_with(|| self.pool.now())
    }

    /// Returns the current time if the scheduler needs it.
    pub(crate) fn time(&mut self) -> Time {
        if self.state.scheduler.is_timed() { self.now() } else { Time::ZERO }
    }

    pub(crate) fn wake_workers(&mut self, to_wake: impl IntoIterator<Item = usize>) {
        for slot in to_wake {
            match self.effects.to_wake {
                None => self.effects.to_wake = Some(slot),
                Some(_) => self.effects.late().to_wake.push(slot),
            }
        }
    }

    pub(crate) fn answer(&mut self, submitter: oneshot::Sender<Admitted<W>>, admitted: Admitted<W>) {
        self.effects.late().answers.push((submitter, admitted));
    }

    pub(crate) fn record(&self, event: JobEvent) {
        self.pool.events.record(event);
    }

    pub(crate) fn defer_drop(&mut self, deferred: DeferredDrop<W>) {
        self.effects.late().deferred.push(deferred);
    }

    /// Notifies the manager if the next deadline is before its current one.
    pub(crate) fn schedule_tick(&mut self) {
        let now = self.time();
        let State { scheduler, next_tick, .. } = &mut *self.state;
        let next = scheduler.next_deadline(now);
        if next.is_some_and(|next| next_tick.is_none_or(|next_tick| next < next_tick)) {
            *next_tick = next;
            self.effects.notify_manager = true;
        }
    }

    /// Handles what is due. Returns the next deadline, and `true` if more jobs may have expired.
    pub(crate) fn tick(&mut self) -> (Option<Time>, bool) {
        let now = self.now();
        let mut expired = Vec::new();
        let to_wake = self.state.scheduler.tick(now, &mut expired);
        self.wake_workers(to_wake);
        let is_partial = expired.len() == EXPIRED_AT_ONCE;
        self.drop_expired(expired);
        self.state.next_tick = self.state.scheduler.next_deadline(now);
        (self.state.next_tick, is_partial)
    }

    /// Completes a leased job with its output.
    pub(crate) fn completed(&mut self, task: Arc<JobState<W>>, output: W::Output) {
        if task.try_complete() {
            self.state.stats.completed += 1;
            self.record(JobEvent::Done(task.id));
            self.effects.result = Some((task, Ok(output)));
        } else {
            self.state.stats.dropped += 1;
            self.defer_drop(DeferredDrop::Output(output));
            self.defer_drop(DeferredDrop::Task(task));
        }
    }

    /// Drops a leased job that was cancelled: its result is delivered already.
    pub(crate) fn discard_lease(&mut self, task: Arc<JobState<W>>) {
        self.state.stats.dropped += 1;
        self.defer_drop(DeferredDrop::Task(task));
    }

    /// Ends a job that is in no place, with an error.
    pub(crate) fn drop_job(&mut self, task: Arc<JobState<W>>, why: JobError<W::Error>, event: JobEvent) {
        self.state.stats.dropped += 1;
        if task.try_complete() {
            self.record(event);
            self.effects.late().outcomes.push((task, Err(why)));
        } else {
            // It was cancelled, and its result is delivered already.
            self.defer_drop(DeferredDrop::Task(task));
        }
    }

    pub(crate) fn drop_expired(&mut self, expired: Vec<Arc<JobState<W>>>) {
        for task in expired {
            if let Some(failures) = task.take_failures() {
                self.mark_dead(task, failures, JobError::ExpiredAfterFailures);
            } else {
                let event = JobEvent::Expired(task.id);
                self.drop_job(task, JobError::Expired, event);
            }
        }
    }

    /// Drops all queued jobs and returns their number.
    pub(crate) fn clear(&mut self) -> usize {
        let waiting = self.state.scheduler.clear();
        let count = waiting.len();
        for task in waiting {
            let event = JobEvent::Dropped(task.id);
            self.drop_job(task, JobError::Dropped, event);
        }
        count
    }

    /// Handles a failed attempt of the worker in this slot. The job is in no place. It is retried,
    /// on another worker unless it has a key or is pinned; or it becomes a dead job.
    pub(crate) fn retry_or_mark_dead(
        &mut self,
        job: QueuedJob<Arc<JobState<W>>>,
        slot: usize,
        failure: AttemptError<W::Error>,
    ) {
        let task = job.item.clone();
        if self.state.is_closed() || task.is_complete() {
            self.defer_drop(DeferredDrop::Failure(failure));
            return self.drop_job(task.clone(), JobError::Dropped, JobEvent::Dropped(task.id));
        }
        match task.fail(failure, &self.state.options) {
            AfterFailure::Dead(failures) => self.mark_dead(task, failures, JobError::Failed),
            AfterFailure::Retry(delay) => {
                self.state.stats.retried += 1;
                self.record(JobEvent::Retried(task.id));
                let now = self.now();
                let target = match job.placement.target {
                    own @ (Target::Key(_) | Target::Pinned(_)) => own,
                    _ => Target::Except(slot),
                };
                let job =
                    QueuedJob { since: Some(now), placement: Placement { target, ..job.placement }, ..job };
                let has_a_time = !delay.is_zero() || job.placement.expires.is_some();
                if delay.is_zero() {
                    let to_wake = self.state.scheduler.enqueue(job);
                    self.wake_workers(to_wake);
                } else {
                    self.state.scheduler.delay(job, now.saturating_add(delay));
                }
                if has_a_time {
                    self.schedule_tick();
                }
            }
        }
    }

    fn mark_dead(
        &mut self,
        task: Arc<JobState<W>>,
        failures: Failures<W::Error>,
        error: fn(Failures<W::Error>) -> JobError<W::Error>,
    ) {
        if !task.try_complete() {
            self.state.stats.dropped += 1;
            self.defer_drop(DeferredDrop::Failures(failures));
            return self.defer_drop(DeferredDrop::Task(task));
        }
        self.state.stats.failed += 1;
        self.record(JobEvent::Dead(task.id));
        let dead = DeadJob { id: task.id, job: JobRef(task.clone()), failures: failures.clone() };
        self.state.dead.push_back(dead);
        if self.state.dead.len() > self.state.max_dead {
            let evicted = self.state.dead.pop_front();
            if let Some(evicted) = evicted {
                self.defer_drop(DeferredDrop::Dead(evicted));
            }
        }
        self.effects.late().outcomes.push((task, Err(error(failures))));
    }

    /// Ends all running jobs with [`JobError::Dropped`]. Their workers observe that at their next
    /// await; until they have dropped a job, it stays leased.
    pub(crate) fn cancel_leased(&mut self) {
        for task in self.state.scheduler.leases().cloned().collect::<Vec<_>>() {
            if task.try_complete() {
                self.record(JobEvent::Dropped(task.id));
                self.effects.late().outcomes.push((task, Err(JobError::Dropped)));
            }
        }
    }

    /// Drops the queued jobs of a draining pool that has no worker to run them.
    fn clear_if_no_worker(&mut self) {
        let scheduler = &self.state.scheduler;
        let has_no_worker = || scheduler.has_no_worker(self.pool.wanted());
        if scheduler.phase() == Phase::Finishing && has_no_worker() {
            self.clear();
        }
    }

    /// Unlocks the queue and performs the effects. Users' values are dropped here, one by one.
    pub(crate) fn end(self) {
        drop(Each::new(self.unlock()));
    }

    /// Like `end`, in the task of a supervisor: users' values are dropped on another thread.
    pub(crate) fn end_with_disposal(self) {
        dispose_each(self.unlock());
    }

    fn unlock(mut self) -> Vec<DeferredDrop<W>> {
        if self.state.drain_waiters > 0 && !self.buffer_drained {
            self.drain_buffer();
        }
        self.clear_if_no_worker();
        self.release_waiters();
        self.drop_orphaned();
        let Self { pool, mut state, mut effects, buffer_drained, .. } = self;
        if state.scaling_idle && effects.to_wake.is_none() && state.scheduler.runnable() > 0 {
            state.scaling_idle = false;
            effects.notify_manager = true;
        }
        let credit = if buffer_drained { state.credit() } else { 0 };
        if credit > 0 {
            pool.submit_buffer.lock().credit = credit;
        }
        let is_emptied = state.drain_waiters > 0 && state.is_run_down(pool.wanted());
        drop(state);
        if let Some(slot) = effects.to_wake {
            pool.wake_worker(slot);
        }
        let late = effects.late.map(|late| *late);
        let (outcomes, deferred) = late.map_or((None, None), |late| {
            late.to_wake.into_iter().for_each(|slot| pool.wake_worker(slot));
            late.answers.into_iter().for_each(|(submitter, admitted)| pool.answer(submitter, admitted));
            (Some(late.outcomes), Some(late.deferred))
        });
        if effects.notify_manager {
            pool.notify_manager();
        }
        pool.events.publish();
        if let Some((task, outcome)) = effects.result {
            // Dropped by the worker itself, under the panic guard around each job.
            drop(task.deliver(outcome));
        }
        let mut deferred = deferred.unwrap_or_default();
        for (task, outcome) in outcomes.into_iter().flatten() {
            let undelivered = task.deliver(outcome);
            deferred.push(DeferredDrop::Delivered(task, undelivered));
        }
        if is_emptied {
            ignore_panic(|| pool.emptied.notify_waiters());
        }
        deferred
    }
}
