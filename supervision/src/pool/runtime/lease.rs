//! The workers' side of a pool: the outcome of an attempt goes in, and the next job comes out.

use std::sync::Arc;

use perennial_actors::{ExitReason, Pid};

use super::any_attempt::TimeLimits;
use super::failures::FailedAttempt;
use super::job_state::JobState;
use super::on_drop::OnDrop;
use super::queue::Queue;
use super::shared::{Shared, State};
use super::threads::Thread;
use super::worker_exit::WorkerEnd;
use crate::pool::event::JobEvent;
use crate::pool::job::AttemptError;
use crate::pool::job_status::JobStatus;
use crate::pool::scheduler::{Next, PlainLease, Time};
use crate::pool::worker::Work;

/// The slot and the incarnation of a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkerId {
    pub(crate) slot: usize,
    pub(crate) pid: Pid,
}

/// The outcome of an attempt.
pub(crate) enum AttemptOutcome<W: Work + 'static> {
    Done(W::Output),
    /// Boxed, because most attempts do not fail, and every outcome is moved.
    Failed(Box<FailedAttempt<W::Error>>),
    /// The attempt was abandoned, because the outcome of the job was decided meanwhile.
    Abandoned,
}

/// A leased job.
pub(crate) struct Leased<W: Work + 'static> {
    pub(crate) task: Arc<JobState<W>>,
    /// The number of the start; the first is 1.
    pub(crate) number: u32,
    pub(crate) limits: TimeLimits,
    /// When the attempt started, if that is measured.
    pub(crate) since: Option<Time>,
}

impl<W: Work + 'static> Shared<W> {
    /// Records that the init of a worker runs, until the returned value is dropped.
    pub(crate) fn begin_init(self: &Arc<Self>, worker_id: WorkerId) -> OnDrop {
        let WorkerId { slot, pid } = worker_id;
        self.lock_state().scheduler.init_began(slot, pid.incarnation());
        let pool = self.clone();
        OnDrop::new(move || pool.lock_state().scheduler.init_ended(slot, pid.incarnation()))
    }

    /// Registers a worker incarnation that has started.
    pub(crate) fn worker_started(&self, worker_id: WorkerId) {
        self.reschedule(|scheduler| {
            scheduler.worker_started(worker_id.slot, worker_id.pid.incarnation());
            // Its slot is opened, whatever started it, if it is one that may run.
            let is_wanted = worker_id.slot < self.may_run();
            if is_wanted { scheduler.set_open(worker_id.slot, true) } else { Vec::new() }
        });
        self.readiness_changed.notify_waiters();
    }

    /// Handles a failed start. A worker that declined to start is not due, so no job waits for it.
    pub(crate) fn init_failed(&self, worker_id: WorkerId, reason: &ExitReason) {
        if matches!(reason, ExitReason::Ignore) {
            self.reschedule(|scheduler| scheduler.decline(worker_id.slot, worker_id.pid.incarnation()));
        }
    }

    /// Completes an attempt, if there was one, and leases the next job. If there is none, the
    /// worker is idle and is woken for the next.
    pub(crate) fn complete_and_lease(
        &self,
        worker_id: WorkerId,
        finished: Option<AttemptResult<W>>,
    ) -> Option<Leased<W>> {
        let mut state = self.lock_state();
        let finished = match finished {
            Some(AttemptResult { attempt: AttemptOutcome::Done(output), since }) => {
                if let Some((job, leased)) = self.exchange_plain(&mut state, worker_id, since) {
                    drop(state);
                    // Dropped by the worker itself, under the panic guard around each job.
                    drop(job.deliver(Ok(output)));
                    return Some(leased);
                }
                Some(AttemptResult { attempt: AttemptOutcome::Done(output), since })
            }
            finished => finished,
        };
        self.with_scheduler(state, |queue| {
            if let Some(finished) = finished {
                queue.finish_attempt(worker_id, finished);
            }
            queue.lease(worker_id)
        })
    }

    /// Completes a job and leases the next one, if there is nothing else to do: no other job and no
    /// caller waits for this, and no event is sent. Returns the completed job, whose output is to
    /// be delivered once the queue is unlocked, and the next one. Changes nothing otherwise.
    #[inline]
    fn exchange_plain(
        &self,
        state: &mut State<W>,
        worker_id: WorkerId,
        since: Option<Time>,
    ) -> Option<(Arc<JobState<W>>, Leased<W>)> {
        let WorkerId { slot, pid } = worker_id;
        if !state.is_plain() || self.events.has_subscribers() {
            return None;
        }
        let completes = |job: &Arc<JobState<W>>| job.try_complete(JobStatus::Succeeded);
        let (job, next) = state.scheduler.exchange_plain(slot, pid.incarnation(), completes)?;
        state.stats.completed += 1;
        let now = since.or(next.1).map(|_| self.now());
        if let Some((since, now)) = since.zip(now) {
            state.works.count(now.saturating_sub(since));
        }
        Some((job, state.start(next, now)))
    }

    /// Completes an attempt without leasing another job.
    pub(crate) fn complete(&self, worker_id: WorkerId, finished: AttemptResult<W>) {
        self.with_scheduler(self.lock_state(), |queue| queue.finish_attempt(worker_id, finished));
    }

    /// Handles the exit of a worker incarnation, or its abandonment. A call may still run on its
    /// thread.
    pub(crate) fn worker_exited(
        self: &Arc<Self>,
        worker_id: WorkerId,
        reason: &ExitReason,
        end: WorkerEnd,
        thread: &Thread,
    ) {
        let WorkerId { slot, pid } = worker_id;
        // Before the job is queued again: an abandoned worker may be about to call its function.
        thread.end_incarnation(pid.incarnation());
        self.with_queue_disposing(|queue| {
            if end == WorkerEnd::Renewed {
                queue.state.scheduler.begin_renewal(slot, pid.incarnation());
            }
            let (job, to_wake) = queue.state.scheduler.worker_exited(slot, pid.incarnation());
            queue.wake_workers(to_wake);
            if queue.state.is_draining && end != WorkerEnd::Dismissed {
                // Its supervisor is shutting down and starts no other incarnation: the jobs of this
                // worker go to the others, and a drain without any worker is over.
                queue.reschedule(|scheduler| scheduler.close_slot(slot));
            } else if slot >= self.wanted() && !queue.state.scheduler.is_present(slot) {
                // It may have no successor, and no job waits for one. A successor opens the slot.
                queue.reschedule(|scheduler| scheduler.set_open(slot, false));
            }
            if let Some(job) = job {
                queue.while_called((self, slot, thread), |queue| {
                    let error = match end {
                        WorkerEnd::Dismissed => return queue.retry_interrupted(job, slot, reason),
                        WorkerEnd::Unresponsive(failure) => AttemptError::WorkerUnresponsive(failure),
                        WorkerEnd::Renewed | WorkerEnd::Lost => AttemptError::WorkerEnded(reason.clone()),
                    };
                    queue.retry_or_mark_dead(job, slot, FailedAttempt::new(error));
                });
            }
            // The manager starts another incarnation if the supervisor does not.
            queue.check_workers();
        });
        self.readiness_changed.notify_waiters();
    }
}

/// A finished attempt.
pub(crate) struct AttemptResult<W: Work + 'static> {
    pub(crate) attempt: AttemptOutcome<W>,
    /// When the attempt started, if that is measured.
    pub(crate) since: Option<Time>,
}

impl<W: Work + 'static> AttemptResult<W> {
    /// Returns `true` if the attempt exceeded its time limit.
    pub(crate) fn has_timed_out(&self) -> bool {
        matches!(&self.attempt, AttemptOutcome::Failed(failed) if matches!(failed.error, AttemptError::TimedOut))
    }

    /// Returns `true` if the work was dropped before it finished.
    pub(crate) fn is_cut_short(&self) -> bool {
        match &self.attempt {
            AttemptOutcome::Done(_) => false,
            AttemptOutcome::Failed(failed) => matches!(failed.error, AttemptError::TimedOut),
            AttemptOutcome::Abandoned => true,
        }
    }
}

impl<W: Work + 'static> Queue<'_, W> {
    #[inline]
    pub(super) fn finish_attempt(&mut self, worker_id: WorkerId, finished: AttemptResult<W>) {
        let job = self.state.scheduler.release_lease(worker_id.slot, worker_id.pid.incarnation());
        // The job was leased again if this incarnation was abandoned.
        let Some(job) = job else { return self.defer_drop(finished) };
        if let Some(since) = finished.since {
            let worked = self.now().saturating_sub(since);
            self.state.works.count(worked);
        }
        match finished.attempt {
            AttemptOutcome::Done(output) => self.job_completed(job.item, output),
            AttemptOutcome::Failed(failed) => self.retry_or_mark_dead(job, worker_id.slot, *failed),
            AttemptOutcome::Abandoned => self.drop_cancelled(job.item),
        }
    }

    /// Leases the next job to a worker.
    #[inline]
    fn lease(&mut self, worker_id: WorkerId) -> Option<Leased<W>> {
        let WorkerId { slot, pid } = worker_id;
        match self.state.scheduler.lease_plain(slot, pid.incarnation()) {
            Some(lease) => Some(self.start(worker_id, lease)),
            None => self.lease_any(worker_id),
        }
    }

    #[inline(never)]
    fn lease_any(&mut self, worker_id: WorkerId) -> Option<Leased<W>> {
        if !self.state.scheduler.has_job_for(worker_id.slot) {
            self.refill();
        }
        let mut leased = self.lease_from_scheduler(worker_id);
        if leased.is_none() && !self.is_synced {
            // The worker is idle now, and is woken for later submissions. Earlier submissions may
            // be in the buffer, so it checks once more.
            self.drain_buffer();
            leased = self.lease_from_scheduler(worker_id);
        }
        if leased.is_none() {
            self.schedule_tick();
        }
        leased
    }

    fn lease_from_scheduler(&mut self, worker_id: WorkerId) -> Option<Leased<W>> {
        let (time, mut expired) = (self.time(), Vec::new());
        let (next, to_wake) =
            self.state.scheduler.lease(worker_id.slot, worker_id.pid.incarnation(), time, &mut expired);
        self.wake_workers(to_wake);
        if !expired.is_empty() {
            self.drop_expired(expired);
        }
        if self.state.scheduler.has_held_kind() {
            self.schedule_tick();
        }
        let Next::Job(task, waiting_since) = next else { return None };
        Some(self.start(worker_id, (task, waiting_since)))
    }

    /// Starts a leased job.
    #[inline]
    fn start(&mut self, worker_id: WorkerId, lease: PlainLease<Arc<JobState<W>>>) -> Leased<W> {
        self.record(JobEvent::Started { id: lease.0.id, worker: worker_id.pid });
        let now = lease.1.map(|_| self.now());
        self.state.start(lease, now)
    }
}

impl<W: Work + 'static> State<W> {
    /// Counts the start of a leased job, and its wait if that is measured.
    #[inline]
    fn start(&mut self, (task, waiting_since): PlainLease<Arc<JobState<W>>>, now: Option<Time>) -> Leased<W> {
        let since = waiting_since.and(now);
        if let Some((waiting_since, now)) = waiting_since.zip(now) {
            self.waits.count(now.saturating_sub(waiting_since));
        }
        let limits = task.options(&self.options).limits;
        let number = task.count_start();
        Leased { task, number, limits, since }
    }
}
