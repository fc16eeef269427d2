//! The jobs of a pool by their ids: status, result and cancel.

use super::handle::PoolHandle;
use super::job::{JobHandle, JobId};
use super::worker::Work;

/// The status of a job.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum JobStatus {
    /// It waits until its delay is over: that of its submission, or that after a failed attempt.
    Delayed = 1,
    /// It waits for a worker.
    Queued,
    /// A worker runs it.
    Running,
    /// It succeeded.
    Succeeded,
    /// It returned an error, or all its attempts failed.
    Failed,
    /// It expired before its first or its next attempt.
    Expired,
    /// It was cancelled.
    Cancelled,
    /// The pool stopped or was cleared before the job was done.
    Dropped,
}

impl JobStatus {
    /// The statuses of jobs that have ended.
    pub(super) const ENDS: [Self; 5] =
        [Self::Succeeded, Self::Failed, Self::Expired, Self::Cancelled, Self::Dropped];

    /// Returns `true` if the job has ended: its status does not change any more.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert!(!job.status().is_end());")]
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Expired | Self::Cancelled | Self::Dropped)
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Returns a handle of the job with this id, for example to ask for the result of a job in
    /// another request than the one that submitted it. Returns `None` if there is no such job, or
    /// if it has ended and its result is not [retained](super::Pool::retain_results).
    ///
    /// If the job has other handles, an error is returned to each of them, and an output to one: the
    /// others resolve with [`JobError::ResultTaken`](super::JobError::ResultTaken). The output of a
    /// job of a batch is the batch's.
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
}
