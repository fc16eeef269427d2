//! The workers' side of a pool: the outcome of an attempt goes in, and the next job comes out.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ExitReason, Pid};

use super::deferred_drop::DeferredDrop;
use super::job_state::JobState;
use super::queue::QueueGuard;
use super::shared::Shared;
use crate::pool::event::JobEvent;
use crate::pool::job::AttemptError;
use crate::pool::scheduler::{Next, QueuedJob, Time};
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
    Failed(AttemptError<W::Error>),
    /// The attempt was abandoned, because the outcome of the job was decided meanwhile.
    Abandoned,
}

/// A leased job.
pub(crate) struct Leased<W: Work + 'static> {
    pub(crate) task: Arc<JobState<W>>,
    /// The time limit of the attempt.
    pub(crate) time_limit: Option<Duration>,
    /// When the attempt started, if that is measured.
    pub(crate) since: Option<Time>,
}

impl<W: Work + 'static> Shared<W> {
    /// Registers a worker incarnation that has started.
    pub(crate) fn worker_started(&self, worker_id: WorkerId) {
        self.change(|state| {
            state.scheduler.worker_started(worker_id.slot, worker_id.pid.incarnation());
            // Its slot is opened, whatever started it, if it is one of the wanted workers.
            if worker_id.slot < self.wanted() {
                state.scheduler.set_open(worker_id.slot, true)
            } else {
                Vec::new()
            }
        });
    }

    /// Handles a failed start. A worker that declined to start is not due, so no job waits for it.
    pub(crate) fn init_failed(&self, worker_id: WorkerId, reason: &ExitReason) {
        if matches!(reason, ExitReason::Ignore) {
            self.change(|state| state.scheduler.decline(worker_id.slot, worker_id.pid.incarnation()));
        }
    }

    /// Completes an attempt, if there was one, and leases the next job. If there is none, the
    /// worker is idle and is woken for the next.
    pub(crate) fn complete_and_lease(
        &self,
        worker_id: WorkerId,
        finished: Option<AttemptResult<W>>,
    ) -> Option<Leased<W>> {
        let mut guard = self.lock();
        if let Some(finished) = finished {
            guard.finish_attempt(worker_id, finished);
        }
        let leased = guard.lease(worker_id);
        guard.end();
        leased
    }

    /// Completes an attempt without leasing another job.
    pub(crate) fn complete(&self, worker_id: WorkerId, finished: AttemptResult<W>) {
        let mut guard = self.lock();
        guard.finish_attempt(worker_id, finished);
        guard.end();
    }

    /// Handles the exit of a worker incarnation, or its abandonment.
    pub(crate) fn worker_exited(&self, worker_id: WorkerId, reason: &ExitReason) {
        self.on_worker_exit(worker_id, reason, false);
    }

    /// Handles the exit of a worker that its supervisor stopped, and not because it hung: its job
    /// has used no attempt.
    pub(crate) fn worker_dismissed(&self, worker_id: WorkerId, reason: &ExitReason) {
        self.on_worker_exit(worker_id, reason, true);
    }

    fn on_worker_exit(&self, worker_id: WorkerId, reason: &ExitReason, is_dismissed: bool) {
        let mut guard = self.lock_synced();
        let (job, to_wake) = guard.state.scheduler.worker_exited(worker_id.slot, worker_id.pid.incarnation());
        guard.wake_workers(to_wake);
        if guard.state.is_draining && !is_dismissed {
            // Its supervisor is shutting down and starts no other incarnation: the jobs of this
            // worker go to the others, and a drain without any worker is over.
            let to_wake = guard.state.scheduler.close_slot(worker_id.slot);
            guard.wake_workers(to_wake);
        }
        if let Some(job) = job {
            let failure = AttemptError::WorkerEnded(reason.clone());
            if is_dismissed {
                guard.requeue_interrupted(job, worker_id.slot, failure);
            } else {
                guard.retry_or_mark_dead(job, worker_id.slot, failure);
            }
        }
        // The manager starts another incarnation if the supervisor does not.
        let notify_manager = !std::mem::replace(&mut guard.state.is_checking_workers, true);
        guard.end_with_disposal();
        if notify_manager {
            self.notify_manager();
        }
    }
}

/// A finished attempt.
pub(crate) struct AttemptResult<W: Work + 'static> {
    pub(crate) attempt: AttemptOutcome<W>,
    /// When the attempt started, if that is measured.
    pub(crate) since: Option<Time>,
}

impl<W: Work + 'static> AttemptResult<W> {
    /// Returns `true` if the work was dropped before it finished.
    pub(crate) const fn is_cut_short(&self) -> bool {
        matches!(self.attempt, AttemptOutcome::Abandoned | AttemptOutcome::Failed(AttemptError::TimedOut))
    }
}

impl<W: Work + 'static> QueueGuard<'_, W> {
    fn finish_attempt(&mut self, worker_id: WorkerId, finished: AttemptResult<W>) {
        let job = self.state.scheduler.release_lease(worker_id.slot, worker_id.pid.incarnation());
        let Some(job) = job else {
            // The job was leased again: this incarnation was abandoned.
            return match finished.attempt {
                AttemptOutcome::Done(output) => self.defer_drop(DeferredDrop::Output(output)),
                AttemptOutcome::Failed(failure) => self.defer_drop(DeferredDrop::Failure(failure)),
                AttemptOutcome::Abandoned => {}
            };
        };
        if let Some(since) = finished.since {
            let worked = self.now().saturating_sub(since);
            self.state.stats.works.count(worked);
        }
        match finished.attempt {
            AttemptOutcome::Done(output) => self.completed(job.item, output),
            AttemptOutcome::Failed(failure) => self.retry_or_mark_dead(job, worker_id.slot, failure),
            AttemptOutcome::Abandoned => self.discard_lease(job.item),
        }
    }

    /// Queues a job again that was interrupted through no fault of its own or of its worker. The
    /// attempt does not count, unless the job must not start twice.
    fn requeue_interrupted(
        &mut self,
        job: QueuedJob<Arc<JobState<W>>>,
        slot: usize,
        failure: AttemptError<W::Error>,
    ) {
        let task = job.item.clone();
        let is_tried_once = task.options(&self.state.options).attempts == 1;
        if is_tried_once || self.state.is_closed() || task.is_complete() {
            return self.retry_or_mark_dead(job, slot, failure);
        }
        self.state.stats.retried += 1;
        self.record(JobEvent::Retried(task.id));
        let (since, expires) = (Some(self.now()), job.placement.expires.is_some());
        let to_wake = self.state.scheduler.enqueue(QueuedJob { since, ..job });
        self.wake_workers(to_wake);
        if expires {
            self.schedule_tick();
        }
    }

    fn lease(&mut self, worker_id: WorkerId) -> Option<Leased<W>> {
        if !self.state.scheduler.has_job_for(worker_id.slot) {
            self.refill();
        }
        if let Some(leased) = self.lease_from_scheduler(worker_id) {
            return Some(leased);
        }
        // The worker is idle now, and is woken for later submissions. Earlier submissions may be in
        // the buffer, so it checks once more.
        self.drain_buffer();
        let leased = self.lease_from_scheduler(worker_id);
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
        self.drop_expired(expired);
        let Next::Job(task, waiting_since) = next else { return None };
        let since = waiting_since.map(|waiting_since| {
            let now = self.now();
            self.state.stats.waits.count(now.saturating_sub(waiting_since));
            now
        });
        self.record(JobEvent::Started { id: task.id, worker: worker_id.pid });
        let time_limit = task.options(&self.state.options).time_limit;
        Some(Leased { task, since, time_limit })
    }
}
