//! The jobs of a pool by their ids: status, result and cancel.

use std::fmt;
use std::sync::Arc;

use super::handle::PoolHandle;
use super::job::{JobHandle, JobId, JobRef};
use super::job_status::JobStatus;
use super::runtime::JobState;
use super::worker::Work;

/// A job that has not ended, at one moment.
#[non_exhaustive]
pub struct UnfinishedJob<W: Work + 'static> {
    /// The number of the job.
    pub id: JobId,
    /// The job itself.
    pub job: JobRef<W>,
    /// Its status: it waits or runs.
    pub status: JobStatus,
    /// The number of its latest attempt; 0 if it has not started.
    pub attempt: u32,
}

impl<W: Work<Job: fmt::Debug>> fmt::Debug for UnfinishedJob<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, job, status, attempt } = self;
        let mut debug = f.debug_struct("UnfinishedJob");
        debug.field("id", id).field("job", job).field("status", status).field("attempt", attempt).finish()
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Returns the jobs that have not ended, at most this number: those that run first, then those
    /// that are queued, those with a delay last.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
let unfinished = squares.unfinished_jobs(10);
assert_eq!((unfinished[0].id, *unfinished[0].job), (job.id(), 7));
squares.resume();
assert_eq!(job.await?, 49);")]
    #[must_use]
    pub fn unfinished_jobs(&self, at_most: usize) -> Vec<UnfinishedJob<W>> {
        let listed = self.shared.unfinished(at_most).into_iter();
        let job = |(job, status): (Arc<JobState<W>>, JobStatus)| {
            let (id, attempt) = (job.id, job.attempt());
            UnfinishedJob { id, job: JobRef(job), status, attempt }
        };
        listed.map(job).collect()
    }

    /// Returns a handle of the job with this id, for example to ask for the result of a job in
    /// another request than the one that submitted it. Returns `None` if there is no such job, or
    /// if it has ended and its result is not [retained](super::Pool::retain_results).
    ///
    /// If the job has other handles, an error is returned to each of them, and an output to one:
    /// the others resolve with [`JobError::ResultTaken`](super::JobError::ResultTaken). The output
    /// of a job of a batch goes to the batch.
    ///
    #[doc = pool_example!(
        r#"squares.pause();
let id = squares.submit(7).detach().await?;
let job = squares.job(id).ok_or("there is no such job")?;
assert_eq!(job.status(), JobStatus::Queued);
squares.resume();
assert_eq!(job.await?, 49);"#
    )]
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<JobHandle<W>> {
        let (job, number) = self.shared.find_with_handle(id)?;
        Some(JobHandle::numbered(job, number, &self.shared))
    }

    /// Cancels the job with this id: see [`JobHandle::cancel`]. Returns `false` if there is no such
    /// job, or if it already had a result.
    ///
    #[doc = pool_example!(r"squares.pause();
let id = squares.submit(7).detach().await?;
assert!(squares.cancel(id) && !squares.cancel(id));")]
    pub fn cancel(&self, id: JobId) -> bool {
        self.shared.find(id).is_some_and(|job| self.shared.cancel(&job))
    }

    /// Cancels the jobs with these ids, as `revoke` of Celery cancels a list: see
    /// [`JobHandle::cancel`]. They are cancelled at one moment, so that none of them starts
    /// meanwhile. Returns how many had no result before. Ids of no job are ignored.
    ///
    #[doc = pool_example!(r"squares.pause();
let ids = squares.submit_many([1, 2, 3]).detach().await?;
assert_eq!((squares.cancel_all(&ids[1..]), squares.cancel_all(&ids)), (2, 1));")]
    pub fn cancel_all(&self, ids: &[JobId]) -> usize {
        self.shared.cancel_all(ids)
    }

    /// Cancels the queued jobs for which `predicate` returns `true`, delayed ones included, as
    /// `cancel_all_jobs` of Oban does: see [`cancel_all`](Self::cancel_all). Returns how many were
    /// cancelled.
    ///
    /// The predicate is called in this call, for the jobs that are queued at its begin, under no
    /// lock. A job that starts meanwhile is cancelled as a running one. If the predicate panics,
    /// nothing is cancelled.
    ///
    #[doc = pool_example!(r"squares.pause();
let batch = squares.submit_many([1, 2, 3]).await?;
assert_eq!(squares.cancel_where(|job| job % 2 == 1), 2);
squares.resume();
assert!(matches!(batch.join_all().await[..], [Err(_), Ok(4), Err(_)]));")]
    pub fn cancel_where(&self, predicate: impl FnMut(&W::Job) -> bool) -> usize {
        self.shared.cancel_where(predicate)
    }
}

impl<W: Work + 'static> JobHandle<W> {
    /// Returns the status of the job.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).delay(Duration::from_secs(60)).await?;
assert_eq!(job.status(), JobStatus::Delayed);
job.cancel();
assert_eq!(job.status(), JobStatus::Cancelled);")]
    #[must_use]
    pub fn status(&self) -> JobStatus {
        let ended = || self.job.end().unwrap_or(JobStatus::Dropped);
        self.pool.upgrade().map_or_else(ended, |pool| pool.status(&self.job))
    }

    /// Returns the number of the latest attempt, or 0 if the job has not started. The first attempt
    /// is 1, as in [`JobContext::attempt`](super::JobContext::attempt).
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert_eq!(job.attempt(), 0);
squares.resume();
squares.drain().await;
assert_eq!(job.attempt(), 1);")]
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.job.attempt()
    }
}
