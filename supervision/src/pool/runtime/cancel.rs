//! The cancellation of jobs.

use std::sync::Arc;

use super::job_state::JobState;
use super::queue::Queue;
use super::shared::Shared;
use crate::pool::event::JobEvent;
use crate::pool::job::JobError;
use crate::pool::job_id::JobId;
use crate::pool::job_status::JobStatus;
use crate::pool::worker::Work;

impl<W: Work + 'static> Shared<W> {
    /// Cancels a job. Returns `false` if its outcome was decided before.
    pub(crate) fn cancel(&self, job: &Arc<JobState<W>>) -> bool {
        !job.is_complete() && self.with_queue(|queue| queue.cancel(job))
    }

    /// Cancels these jobs, at one moment: none of them starts meanwhile. Returns how many had no
    /// outcome before.
    pub(crate) fn cancel_all(&self, ids: &[JobId]) -> usize {
        self.with_queue(|queue| {
            let cancelled = ids.iter().filter(|id| {
                let job = queue.state.unfinished(**id).map(|(job, _)| job.clone());
                job.is_some_and(|job| queue.cancel(&job))
            });
            cancelled.count()
        })
    }
}

impl<W: Work + 'static> Queue<'_, W> {
    /// Cancels a job, and removes it from the queue. Returns `false` if its outcome was decided
    /// before.
    fn cancel(&mut self, job: &Arc<JobState<W>>) -> bool {
        if !job.try_complete(JobStatus::Cancelled) {
            return false;
        }
        self.retain(job);
        self.record(JobEvent::Cancelled(job.id));
        // A leased job is dropped by its worker.
        if self.state.scheduler.cancel(job.id.0).is_some() {
            self.state.stats.dropped += 1;
        }
        let error = JobError::Cancelled(job.take_failures());
        self.fail(job.clone(), error);
        true
    }
}
