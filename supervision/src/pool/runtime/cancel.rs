//! The cancellation of jobs.

use std::sync::Arc;

use perennial_actors::host::{Each, drop_each};

use super::job_state::JobState;
use super::queue::Queue;
use super::shared::Shared;
use crate::pool::event::JobEvent;
use crate::pool::job::JobError;
use crate::pool::job_id::JobId;
use crate::pool::job_status::JobStatus;
use crate::pool::worker::Work;

/// The most jobs that are cancelled under one lock of the queue: other threads wait for it.
const CANCELLED_AT_ONCE: usize = 256;

impl<W: Work + 'static> Shared<W> {
    /// Cancels a job. Returns `false` if its outcome was decided before.
    pub(crate) fn cancel(&self, job: &Arc<JobState<W>>) -> bool {
        !job.is_complete() && self.with_queue(|queue| queue.cancel(job))
    }

    /// Cancels these jobs: none of them starts meanwhile. Returns how many had no outcome before.
    /// Other threads wait for the lock of the queue no longer than for one portion of a long list.
    pub(crate) fn cancel_all(&self, ids: &[JobId]) -> usize {
        let (mut cancelled, mut values) = (0, Vec::new());
        let hold = (ids.len() > CANCELLED_AT_ONCE).then(|| Hold::begin(self));
        for ids in ids.chunks(CANCELLED_AT_ONCE) {
            let (count, dropped) = self.run(true, |queue| queue.cancel_each(ids));
            cancelled += count;
            values.extend(dropped);
        }
        // Users' code may take long to drop them.
        drop(hold);
        drop_each(values);
        cancelled
    }

    /// Cancels the queued jobs for which `is_meant` returns `true`. Returns their number.
    pub(crate) fn cancel_where(&self, mut is_meant: impl FnMut(&W::Job) -> bool) -> usize {
        // They are dropped one by one, also if the closure panics.
        let queued = self.with_queue(|queue| {
            Each::new(queue.state.scheduler.queues.iter().cloned().collect::<Vec<Arc<JobState<W>>>>())
        });
        let meant = queued.iter().filter(|job| is_meant(&job.job));
        let ids: Vec<JobId> = meant.map(|job| job.id).collect();
        self.cancel_all(&ids)
    }
}

/// Keeps the jobs of a pool from being leased until it is dropped.
struct Hold<'a, W: Work + 'static>(&'a Shared<W>);

impl<'a, W: Work + 'static> Hold<'a, W> {
    fn begin(pool: &'a Shared<W>) -> Self {
        pool.with_queue(|queue| queue.state.scheduler.hold());
        Self(pool)
    }
}

impl<W: Work + 'static> Drop for Hold<'_, W> {
    fn drop(&mut self) {
        self.0.reschedule(|scheduler| scheduler.release());
    }
}

impl<W: Work + 'static> Queue<'_, W> {
    fn cancel_each(&mut self, ids: &[JobId]) -> usize {
        let cancelled = ids.iter().filter(|id| {
            let job = self.state.unfinished(**id).map(|(job, _)| job.clone());
            job.is_some_and(|job| self.cancel(&job))
        });
        cancelled.count()
    }

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
