//! The jobs of a pool by their ids: status, result and cancel.

use super::handle::PoolHandle;
use super::job::{JobHandle, JobId};
use super::job_status::JobStatus;
use super::worker::Work;

impl<W: Work + 'static> PoolHandle<W> {
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
