//! The new jobs of a transaction, which a lease of the same transaction takes without reading them.

use std::cmp::Reverse;

use crate::record::{JobId, JobRecord, NewJob, RecordState, Timestamp};

/// The new jobs of a transaction.
///
/// A job that is leased in the transaction that stores it need not be stored among those that wait
/// first. So new jobs are in no state until one of them is leased or the rest is placed.
#[derive(Default)]
pub(super) struct NewJobs<'a> {
    /// By number.
    jobs: Vec<New<'a>>,
}

struct New<'a> {
    id: JobId,
    job: &'a NewJob,
    submitted: Timestamp,
    /// It waits or runs.
    has_state: bool,
}

impl New<'_> {
    fn record(&self) -> JobRecord {
        queued(self.id, self.job.clone(), self.submitted, self.job.due.max(self.submitted))
    }
}

/// Returns a job that has had no attempt.
pub(super) fn queued(id: JobId, job: NewJob, submitted: Timestamp, due: Timestamp) -> JobRecord {
    JobRecord { state: RecordState::Queued, due, ..JobRecord::new(id, job, submitted) }
}

/// Returns `true` if a job is ready at once, whatever becomes of others.
pub(super) fn is_ready(job: &NewJob, now: Timestamp) -> bool {
    job.key.is_none() && job.expires.is_none() && job.due <= now
}

impl<'a> NewJobs<'a> {
    /// Adds jobs in no state, under numbers from the first on, which is higher than all before.
    pub(super) fn add(&mut self, first: JobId, jobs: &[(&'a NewJob, Timestamp)]) {
        let new = |(id, (job, submitted)): (u64, &(&'a NewJob, Timestamp))| New {
            id: JobId(id),
            job,
            submitted: *submitted,
            has_state: false,
        };
        self.jobs.extend((first.0..).zip(jobs).map(new));
    }

    fn get(&self, id: JobId) -> Option<&New<'a>> {
        let index = self.jobs.binary_search_by_key(&id, |new| new.id).ok()?;
        self.jobs.get(index)
    }

    /// Returns a job with the time of its submission, if it is as it was submitted: a retry by hand
    /// takes away the time at which a job expires.
    pub(super) fn job(&self, id: JobId) -> Option<(NewJob, Timestamp)> {
        let new = self.get(id).filter(|new| new.job.expires.is_none())?;
        Some((new.job.clone(), new.submitted))
    }

    /// Returns `true` if a job is in no state.
    pub(super) fn is_stateless(&self, id: JobId) -> bool {
        self.get(id).is_some_and(|new| !new.has_state)
    }

    /// Returns the first jobs of a queue that are in no state, in the order of the queue.
    pub(super) fn ready(&self, queue: &str, max: usize) -> Vec<JobRecord> {
        let mut ready: Vec<_> =
            self.jobs.iter().filter(|new| !new.has_state && new.job.queue == queue).collect();
        ready.sort_by_key(|new| Reverse(new.job.priority));
        ready.truncate(max);
        ready.into_iter().map(New::record).collect()
    }

    /// Notes that jobs have a state, so many from a number on.
    pub(super) fn set_state(&mut self, first: JobId, count: usize) {
        let begin = self.jobs.partition_point(|new| new.id < first);
        self.jobs.iter_mut().skip(begin).take(count).for_each(|new| new.has_state = true);
    }

    /// Returns the jobs that are in no state: first numbers, and how many follow each other.
    pub(super) fn stateless(&self) -> Vec<(JobId, usize)> {
        let mut runs: Vec<(JobId, usize)> = Vec::new();
        for new in self.jobs.iter().filter(|new| !new.has_state) {
            match runs.last_mut() {
                Some((first, count)) if first.0 + *count as u64 == new.id.0 => *count += 1,
                _ => runs.push((new.id, 1)),
            }
        }
        runs
    }
}
