//! What happens to the jobs of a pool, for whoever wants to watch.

use perennial_actors::Pid;

use super::job::JobId;

/// Something that happened to a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JobEvent {
    /// It was taken in.
    Submitted(JobId),
    /// A worker has begun an attempt at it.
    Started {
        /// The job.
        id: JobId,
        /// The incarnation of the worker.
        worker: Pid,
    },
    /// It has a result.
    Done(JobId),
    /// An attempt at it has failed, and it is tried again.
    Retried(JobId),
    /// It has had all its attempts.
    Dead(JobId),
    /// It was not begun before it expired.
    Expired(JobId),
    /// It was cancelled.
    Cancelled(JobId),
    /// The pool stopped, or was cleared, before it was done.
    Dropped(JobId),
}
