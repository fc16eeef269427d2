//! The ends of attempts and of jobs: completed, retried, dead, or dropped.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::failures::{AfterFailure, FailedAttempt};
use super::job_state::JobState;
use super::queue::Queue;
use super::submit_buffer::Queued;
use super::terminating::JobEnd;
use crate::pool::event::JobEvent;
use crate::pool::job::{AttemptError, DeadJob, Failures, JobError, JobId, JobRef};
use crate::pool::job_status::JobStatus;
use crate::pool::retry::RetryCause;
use crate::pool::scheduler::{Phase, QueuedJob, Target};
use crate::pool::worker::Work;

/// Makes the error of a job from the failures of its attempts.
type EndOf<W> = fn(Failures<<W as Work>::Error>) -> JobError<<W as Work>::Error>;

impl<W: Work + 'static> Queue<'_, W> {
    /// Completes a leased job with its output.
    #[inline]
    pub(crate) fn job_completed(&mut self, job: Arc<JobState<W>>, output: W::Output) {
        if job.try_complete(JobStatus::Succeeded) {
            self.retain(&job);
            self.state.stats.completed += 1;
            self.record(JobEvent::Done(job.id));
            self.completed = Some((job, output));
        } else {
            self.defer_drop(output);
            self.drop_cancelled(job);
        }
    }

    /// Drops a job that was cancelled and is in no place: its result is delivered already.
    pub(crate) fn drop_cancelled(&mut self, job: Arc<JobState<W>>) {
        self.count_end(job.id, JobEnd::Dropped);
        self.defer_drop(job);
    }

    /// Ends a job that is in no place, with an error.
    fn drop_job(
        &mut self,
        job: Arc<JobState<W>>,
        end: JobStatus,
        error: EndOf<W>,
        event: fn(JobId) -> JobEvent,
    ) {
        if !job.try_complete(end) {
            return self.drop_cancelled(job);
        }
        self.retain(&job);
        self.count_end(job.id, JobEnd::Dropped);
        self.record(event(job.id));
        let error = error(job.take_failures());
        self.fail(job, error);
    }

    /// Drops a job that is in no place, because the pool stops or is cleared.
    pub(super) fn drop_unfinished(&mut self, job: Arc<JobState<W>>) {
        self.drop_job(job, JobStatus::Dropped, JobError::Dropped, JobEvent::Dropped);
    }

    pub(crate) fn drop_expired(&mut self, expired: Vec<Arc<JobState<W>>>) {
        for job in expired {
            if job.has_failed() {
                self.mark_dead(job, JobStatus::Expired, JobError::Expired);
            } else {
                self.drop_job(job, JobStatus::Expired, JobError::Expired, JobEvent::Expired);
            }
        }
    }

    /// Drops all queued jobs, and those that would be queued again when their calls have returned.
    /// Returns their number.
    pub(crate) fn clear(&mut self) -> usize {
        let waiting = self.state.scheduler.clear();
        let count = waiting.len();
        waiting.into_iter().for_each(|job| self.drop_unfinished(job));
        let retries = self.state.terminating.take_retries();
        let is_dropped = |job| {
            let is_first = self.end_running(&job);
            self.defer_drop(job);
            is_first
        };
        count + retries.into_iter().map(is_dropped).filter(|is_first| *is_first).count()
    }

    /// Drops the queued jobs of a draining pool that has no worker to run them.
    pub(crate) fn clear_if_no_worker(&mut self) {
        if self.state.scheduler.phase() == Phase::Finishing && self.pool.has_no_worker(&self.state) {
            self.clear();
        }
    }

    /// Drops the jobs that were pinned to a worker that is no longer due.
    pub(crate) fn drop_orphaned(&mut self) {
        while let Some(job) = self.state.scheduler.pop_orphaned() {
            self.drop_unfinished(job);
        }
    }

    /// Ends all running jobs with [`JobError::Dropped`]. Their workers observe that at their next
    /// await; until they have dropped a job, it stays leased.
    pub(crate) fn cancel_leased(&mut self) {
        for job in self.state.scheduler.leases().cloned().collect::<Vec<_>>() {
            self.end_running(&job);
        }
    }

    /// Ends a job that runs with [`JobError::Dropped`]. Returns `false` if its outcome was decided.
    fn end_running(&mut self, job: &Arc<JobState<W>>) -> bool {
        let is_first = job.try_complete(JobStatus::Dropped);
        if is_first {
            self.retain(job);
            self.record(JobEvent::Dropped(job.id));
            let error = JobError::Dropped(job.take_failures());
            self.fail(job.clone(), error);
        }
        is_first
    }

    /// Handles a failed attempt of the worker in this slot. The job is in no place. It is retried,
    /// on another worker unless it has a key or is pinned; or it becomes a dead job.
    pub(crate) fn retry_or_mark_dead(
        &mut self,
        mut job: Queued<W>,
        slot: usize,
        failed: FailedAttempt<W::Error>,
    ) {
        if job.item.is_complete() {
            self.defer_drop(failed);
            return self.drop_cancelled(job.item);
        }
        let cause = failed.cause();
        match job.item.fail(failed, &self.state.options) {
            AfterFailure::Dead => self.mark_dead(job.item, JobStatus::Failed, JobError::Failed),
            AfterFailure::Retry(_) if self.state.is_closed() => {
                self.drop_unfinished(job.item);
            }
            AfterFailure::Retry(delay) => {
                if !matches!(job.placement.target, Target::Key(_) | Target::Pinned(_)) {
                    job.placement.target = Target::Except(slot);
                }
                self.retry(job, cause, (!delay.is_zero()).then_some(delay));
            }
        }
    }

    /// Handles the end of an attempt that was interrupted through no fault of the job or its
    /// worker. The attempt does not count, unless the job must not start twice.
    pub(crate) fn retry_interrupted(&mut self, job: Queued<W>, slot: usize, reason: &ExitReason) {
        if self.state.is_closed() {
            self.drop_unfinished(job.item);
        } else if job.item.options(&self.state.options).is_tried_once || job.item.is_complete() {
            let error = AttemptError::WorkerEnded(reason.clone());
            self.retry_or_mark_dead(job, slot, FailedAttempt::new(error));
        } else {
            self.retry(job, RetryCause::Interrupted, None);
        }
    }

    fn retry(&mut self, job: Queued<W>, cause: RetryCause, delay: Option<Duration>) {
        let stats = &mut self.state.stats;
        stats.retried += 1;
        match cause {
            RetryCause::LostWorker => stats.retried_lost += 1,
            RetryCause::Interrupted => stats.retried_interrupted += 1,
            RetryCause::Error | RetryCause::TimedOut => {}
        }
        self.record(JobEvent::Retried { id: job.item.id, cause });
        let since = Some(self.now());
        self.enqueue_retry(QueuedJob { since, ..job }, delay);
    }

    /// Queues a job, after a delay if there is one.
    pub(crate) fn enqueue(&mut self, job: Queued<W>, delay: Option<Duration>) {
        let is_timed = delay.is_some() || job.placement.expires.is_some();
        if let Some(delay) = delay {
            let until = self.now().saturating_add(delay);
            self.state.scheduler.delay(job, until);
        } else {
            self.reschedule(|scheduler| scheduler.enqueue(job));
        }
        if is_timed {
            self.schedule_tick();
        }
    }

    fn mark_dead(&mut self, job: Arc<JobState<W>>, end: JobStatus, error: EndOf<W>) {
        if !job.try_complete(end) {
            return self.drop_cancelled(job);
        }
        self.retain(&job);
        self.count_end(job.id, JobEnd::Failed);
        self.record(JobEvent::Dead(job.id));
        let failures = job.take_failures();
        let dead = DeadJob { id: job.id, job: JobRef(job.clone()), failures: failures.clone() };
        self.state.dead.push_back(dead);
        if self.state.dead.len() > self.state.max_dead {
            let evicted = self.state.dead.pop_front();
            self.defer_drop(evicted);
        }
        self.fail(job, error(failures));
    }
}
