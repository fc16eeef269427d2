//! The status of a job.

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
assert!(!job.status().is_end());
job.cancel();
assert!(job.status().is_end());")]
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Expired | Self::Cancelled | Self::Dropped)
    }
}
