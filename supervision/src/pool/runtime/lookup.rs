//! The jobs of a pool by their ids: where a job is, and the results that are retained.

use std::sync::Arc;

use super::job_state::JobState;
use super::queue::Queue;
use super::result_sink::HandleNumber;
use super::shared::{Shared, State};
use crate::pool::job::JobId;
use crate::pool::job_status::JobStatus;
use crate::pool::scheduler::{EXPIRED_AT_ONCE, Place, Time};
use crate::pool::worker::Work;

impl<W: Work + 'static> Shared<W> {
    /// Returns a job that has not ended, or whose result is retained.
    pub(crate) fn find(&self, id: JobId) -> Option<Arc<JobState<W>>> {
        self.with_queue(|queue| queue.find(id).cloned())
    }

    /// Like `find`, and adds a handle to the job. Returns the number of the handle too.
    pub(crate) fn find_with_handle(&self, id: JobId) -> Option<(Arc<JobState<W>>, HandleNumber)> {
        self.with_queue(|queue| {
            let job = queue.find(id)?;
            Some((job.clone(), job.add_handle()))
        })
    }

    /// Returns the jobs that have not ended, at most this number, those that run first.
    pub(crate) fn unfinished(&self, at_most: usize) -> Vec<(Arc<JobState<W>>, JobStatus)> {
        self.with_queue(|queue| {
            let State { scheduler, terminating, .. } = &*queue.state;
            let running = scheduler.leased_jobs().chain(terminating.retries());
            let running = running.map(|job| (job, JobStatus::Running));
            let waiting = scheduler.queues.iter().map(|job| {
                let is_delayed = scheduler.queues.is_delayed(job.id.0);
                (job, if is_delayed { JobStatus::Delayed } else { JobStatus::Queued })
            });
            let jobs = running.chain(waiting).filter(|(job, _)| !job.is_complete());
            jobs.take(at_most).map(|(job, status)| (job.clone(), status)).collect()
        })
    }

    /// Returns the status of a job.
    pub(crate) fn status(&self, job: &JobState<W>) -> JobStatus {
        if let Some(end) = job.end() {
            return end;
        }
        let place = self.with_queue(|queue| Some(queue.state.unfinished(job.id)?.1));
        match place {
            Some(Place::Delayed) => JobStatus::Delayed,
            Some(Place::Queued) => JobStatus::Queued,
            Some(Place::Leased) => JobStatus::Running,
            // It has ended meanwhile.
            None => job.end().unwrap_or(JobStatus::Dropped),
        }
    }
}

impl<W: Work + 'static> State<W> {
    /// Returns a job that is queued or runs, and its place. A job that is retried when its call has
    /// returned counts as leased.
    pub(crate) fn unfinished(&self, id: JobId) -> Option<(&Arc<JobState<W>>, Place)> {
        let terminating = || self.terminating.retries().find(|job| job.id == id);
        self.scheduler.get(id.0).or_else(|| Some((terminating()?, Place::Leased)))
    }

    /// Returns `true` if something may be due at a time.
    pub(crate) fn is_timed(&self) -> bool {
        self.scheduler.is_timed() || self.retained.is_some()
    }

    /// Returns when something is due, if nothing happens before.
    pub(crate) fn next_deadline(&mut self, now: Time) -> Option<Time> {
        let scheduled = self.scheduler.next_deadline(now);
        let Some(retained) = &self.retained else { return scheduled };
        [scheduled, retained.next_deadline()].into_iter().flatten().min()
    }
}

impl<W: Work + 'static> Queue<'_, W> {
    fn find(&mut self, id: JobId) -> Option<&Arc<JobState<W>>> {
        if self.state.retained.is_some() {
            let now = self.now();
            self.release_results(now);
        }
        let retained = || self.state.retained.as_ref()?.get(id.0);
        self.state.unfinished(id).map(|(job, _)| job).or_else(retained)
    }

    /// Retains a job that the caller has claimed, if the pool retains results.
    #[inline]
    pub(crate) fn retain(&mut self, job: &Arc<JobState<W>>) {
        if self.state.retained.is_some() {
            self.insert_retained(job);
        }
    }

    #[cold]
    fn insert_retained(&mut self, job: &Arc<JobState<W>>) {
        job.keep_result();
        let now = self.now();
        let Some(retained) = &mut self.state.retained else { return };
        let evicted = retained.insert(job.id.0, job.clone(), now);
        evicted.into_iter().for_each(|evicted| self.defer_drop(evicted));
        self.schedule_tick();
    }

    /// Drops results that have been retained for long enough. Returns their number.
    pub(crate) fn release_results(&mut self, now: Time) -> usize {
        let Some(retained) = &mut self.state.retained else { return 0 };
        let expired = retained.expire(now, EXPIRED_AT_ONCE);
        let count = expired.len();
        expired.into_iter().for_each(|expired| self.defer_drop(expired));
        count
    }
}
