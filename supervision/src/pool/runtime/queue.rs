//! The locked queue of a pool, and the effects that follow when it is unlocked: workers and tasks
//! are woken, results are delivered, and users' values are dropped, whose destructors may do
//! anything.

use std::mem;
use std::sync::Arc;

use perennial_actors::host::sync::MutexGuard;
use perennial_actors::host::{dispose_each, drop_each, ignore_panic};
use tokio::sync::oneshot;

use super::drain_waiter::DrainWaiter;
use super::job_state::{Admitted, JobState};
use super::shared::{Jobs, Shared, State};
use crate::pool::event::JobEvent;
use crate::pool::job::JobError;
use crate::pool::scheduler::{EXPIRED_AT_ONCE, Time};
use crate::pool::stats::PoolStats;
use crate::pool::worker::Work;

/// The locked queue of a pool. The functions that pass it to a closure perform its effects.
pub(crate) struct Queue<'a, W: Work + 'static> {
    pub(crate) pool: &'a Shared<W>,
    pub(crate) state: MutexGuard<'a, State<W>>,
    /// The current time, read at most once.
    now: Option<Time>,
    /// `true` once the submit buffer is drained and its credit revoked: every concurrent submission
    /// must take the queue lock.
    pub(super) is_synced: bool,
    /// The first worker to wake. One is nearly always enough.
    to_wake: Option<usize>,
    notify_manager: bool,
    /// A job that its worker has completed, and its output.
    pub(crate) completed: Option<(Arc<JobState<W>>, W::Output)>,
    pub(crate) effects: Vec<QueueEffect<W>>,
}

/// A rarer effect of a change.
pub(crate) enum QueueEffect<W: Work + 'static> {
    /// Wakes another worker.
    Wake(usize),
    /// Answers a submitter that waited for room.
    Answer(oneshot::Sender<Admitted<W>>, Admitted<W>),
    /// Notifies a caller whose wait for the end of jobs is over.
    Notify(DrainWaiter),
    /// Delivers an error as the result of a job.
    Fail(Arc<JobState<W>>, JobError<W::Error>),
    /// Drops a value.
    Drop(Deferred),
}

/// A value that is dropped under no lock.
pub(crate) type Deferred = Box<dyn Send>;

impl<W: Work + 'static> Shared<W> {
    /// Locks the queue, drains the submit buffer into the scheduler, runs `change`, unlocks the
    /// queue and performs the effects.
    pub(crate) fn with_queue<R>(&self, change: impl FnOnce(&mut Queue<'_, W>) -> R) -> R {
        let (result, values) = self.run(true, change);
        if !values.is_empty() {
            drop_each(values);
        }
        result
    }

    /// Like `with_queue`, where users' values may delay nothing, as in the task of a supervisor or
    /// on the thread of a call: they are dropped in another task.
    pub(crate) fn with_queue_disposing<R>(&self, change: impl FnOnce(&mut Queue<'_, W>) -> R) -> R {
        let (result, values) = self.run(true, change);
        dispose_each(values);
        result
    }

    /// Like `with_queue`, for a worker that has locked the queue. Its next job is in the scheduler:
    /// the submit buffer is not drained.
    pub(crate) fn with_scheduler<R>(
        &self,
        state: MutexGuard<'_, State<W>>,
        change: impl FnOnce(&mut Queue<'_, W>) -> R,
    ) -> R {
        let (result, values) = self.run_locked(state, false, change);
        if !values.is_empty() {
            drop_each(values);
        }
        result
    }

    /// Changes the scheduler, and wakes the workers that `change` returns.
    pub(crate) fn reschedule<I: IntoIterator<Item = usize>>(&self, change: impl FnOnce(&mut Jobs<W>) -> I) {
        self.with_queue(|queue| queue.reschedule(change));
    }

    /// Returns the result of `change`, and the values to drop.
    pub(super) fn run<R>(
        &self,
        sync: bool,
        change: impl FnOnce(&mut Queue<'_, W>) -> R,
    ) -> (R, Vec<Deferred>) {
        self.run_locked(self.lock_state(), sync, change)
    }

    fn run_locked<R>(
        &self,
        state: MutexGuard<'_, State<W>>,
        sync: bool,
        change: impl FnOnce(&mut Queue<'_, W>) -> R,
    ) -> (R, Vec<Deferred>) {
        let mut queue = Queue {
            pool: self,
            state,
            now: None,
            is_synced: false,
            to_wake: None,
            notify_manager: false,
            completed: None,
            effects: Vec::new(),
        };
        if sync {
            queue.drain_buffer();
        }
        let result = change(&mut queue);
        queue.before_unlock();
        // Taken apart here and not moved: every job pays for a move.
        let Queue { state, to_wake, notify_manager, completed, effects, .. } = queue;
        drop(state);
        if let Some(slot) = to_wake {
            self.wake_worker(slot);
        }
        if notify_manager {
            self.notify_manager();
        }
        self.events.publish();
        if let Some((job, output)) = completed {
            // Dropped by the worker itself, under the panic guard around each job.
            drop(job.deliver(Ok(output)));
        }
        let values = if effects.is_empty() { Vec::new() } else { self.perform(effects) };
        (result, values)
    }

    /// Performs the rarer effects of a change. Returns the values to drop.
    #[cold]
    fn perform(&self, effects: Vec<QueueEffect<W>>) -> Vec<Deferred> {
        let mut values = Vec::new();
        for effect in effects {
            match effect {
                QueueEffect::Wake(slot) => self.wake_worker(slot),
                // It may be gone, and its waker may panic.
                QueueEffect::Notify(waiter) => ignore_panic(|| waiter.notify()),
                QueueEffect::Answer(submitter, admitted) => self.answer(submitter, admitted),
                QueueEffect::Fail(job, error) => {
                    values.push(Box::new((job.deliver(Err(error)), job)) as Deferred)
                }
                QueueEffect::Drop(value) => values.push(value),
            }
        }
        values
    }

    pub(crate) fn stats(&self) -> PoolStats {
        self.with_queue(|queue| {
            let State { scheduler, terminating, stats, waits, works, .. } = &*queue.state;
            PoolStats {
                submitted: self.submit_buffer.lock().submitted,
                queued: scheduler.waiting(),
                running: scheduler.leased() + terminating.len(),
                terminating: terminating.len(),
                workers: scheduler.count_workers(self.wanted()),
                rollout: self.rollout.status(),
                wait_p50: waits.percentile(0.5),
                wait_p99: waits.percentile(0.99),
                work_p50: works.percentile(0.5),
                work_p99: works.percentile(0.99),
                ..*stats
            }
        })
    }
}

impl<W: Work + 'static> Queue<'_, W> {
    /// Moves the submit buffer into the scheduler and revokes the credit.
    pub(crate) fn drain_buffer(&mut self) {
        let mut submit_buffer = self.pool.submit_buffer.lock();
        submit_buffer.credit = 0;
        if !submit_buffer.jobs.is_empty() {
            self.state.scheduler.append(&mut submit_buffer.jobs);
        }
        self.is_synced = true;
    }

    /// Moves the submit buffer into the scheduler, for a worker that found no job there. If there
    /// are jobs in it, this worker is not idle, and neither is any other: new credit is granted.
    /// Otherwise the credit is revoked: the worker may become idle.
    pub(crate) fn refill(&mut self) {
        let mut submit_buffer = self.pool.submit_buffer.lock();
        self.is_synced = submit_buffer.jobs.is_empty();
        submit_buffer.credit = if self.is_synced {
            0
        } else {
            self.state.scheduler.append(&mut submit_buffer.jobs);
            self.state.credit()
        };
    }

    pub(crate) fn now(&mut self) -> Time {
        *self.now.get_or_insert_with(|| self.pool.now())
    }

    /// Returns the current time if the scheduler needs it.
    pub(crate) fn time(&mut self) -> Time {
        if self.state.scheduler.is_timed() { self.now() } else { Time::ZERO }
    }

    /// Changes the scheduler, and wakes the workers that `change` returns.
    pub(crate) fn reschedule<I: IntoIterator<Item = usize>>(
        &mut self,
        change: impl FnOnce(&mut Jobs<W>) -> I,
    ) {
        let to_wake = change(&mut self.state.scheduler);
        self.wake_workers(to_wake);
    }

    pub(crate) fn wake_workers(&mut self, to_wake: impl IntoIterator<Item = usize>) {
        for slot in to_wake {
            match self.to_wake {
                None => self.to_wake = Some(slot),
                Some(_) => self.effects.push(QueueEffect::Wake(slot)),
            }
        }
    }

    pub(crate) fn record(&self, event: JobEvent) {
        self.pool.events.record(event);
    }

    pub(crate) fn fail(&mut self, job: Arc<JobState<W>>, error: JobError<W::Error>) {
        self.effects.push(QueueEffect::Fail(job, error));
    }

    pub(crate) fn defer_drop(&mut self, value: impl Send + 'static) {
        self.effects.push(QueueEffect::Drop(Box::new(value)));
    }

    /// Makes the manager check whether each of the wanted workers runs, once for all exits until
    /// it does.
    pub(crate) fn check_workers(&mut self) {
        self.notify_manager |= !mem::replace(&mut self.state.is_check_due, true);
    }

    /// Notifies the manager if the next deadline is before its current one.
    pub(crate) fn schedule_tick(&mut self) {
        if !self.state.is_timed() {
            return;
        }
        let now = self.time();
        let next = self.state.next_deadline(now);
        let State { next_tick, .. } = &mut *self.state;
        if next.is_some_and(|next| next_tick.is_none_or(|next_tick| next < next_tick)) {
            *next_tick = next;
            self.notify_manager = true;
        }
    }

    /// Handles what is due. Returns the next deadline, and `true` if more jobs may have expired.
    pub(crate) fn tick(&mut self) -> (Option<Time>, bool) {
        let now = self.now();
        let mut expired = Vec::new();
        self.reschedule(|scheduler| scheduler.tick(now, &mut expired));
        let is_partial = expired.len() == EXPIRED_AT_ONCE || self.release_results(now) == EXPIRED_AT_ONCE;
        self.drop_expired(expired);
        self.state.next_tick = self.state.next_deadline(now);
        (self.state.next_tick, is_partial)
    }

    /// Returns `true` if a caller waits until the pool is empty or a worker has finished its job.
    /// Removes the callers that are gone.
    fn is_awaited(&mut self) -> bool {
        if self.state.drain_waiters.iter().any(DrainWaiter::is_gone) {
            let (gone, waiting): (Vec<_>, Vec<_>) =
                mem::take(&mut self.state.drain_waiters).into_iter().partition(DrainWaiter::is_gone);
            self.state.drain_waiters = waiting;
            // They may hold wakers.
            gone.into_iter().for_each(|waiter| self.defer_drop(waiter));
        }
        !self.state.drain_waiters.is_empty()
    }

    /// Draws the consequences of a change before the queue is unlocked.
    fn before_unlock(&mut self) {
        let is_awaited = self.is_awaited();
        if is_awaited && !self.is_synced {
            self.drain_buffer();
        }
        self.clear_if_no_worker();
        self.release_waiters();
        self.drop_orphaned();
        let state = &mut *self.state;
        if state.scaling_idle && self.to_wake.is_none() && state.scheduler.runnable() > 0 {
            state.scaling_idle = false;
            self.notify_manager = true;
        }
        let credit = if self.is_synced { state.credit() } else { 0 };
        if credit > 0 {
            self.pool.submit_buffer.lock().credit = credit;
        }
        if is_awaited {
            let drained = state.take_drained(self.pool.wanted());
            self.effects.extend(drained.into_iter().map(QueueEffect::Notify));
        }
    }
}
