//! The submitter's handle of a job.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::job::{JobError, JobId};
use super::job_state::JobResult;

/// The pool of a job, without its types.
pub(super) trait JobControl: Send + Sync {
    /// Removes a cancelled job from the queue, if it is still there.
    fn cancelled(&self, id: JobId);
}

/// A submitted job: a future that resolves with its result, once. Dropping the handle does not
/// cancel the job.
#[must_use = "the result is returned when the handle is awaited; use `detach` to ignore it"]
pub struct JobHandle<T, E> {
    pub(super) id: JobId,
    pub(super) result: Arc<dyn JobResult<T, E>>,
    pub(super) control: Weak<dyn JobControl>,
}

impl<T, E> JobHandle<T, E> {
    /// Returns the number of the job.
    ///
    #[doc = pool_example!(r"let (first, second) = (squares.submit(1).await?, squares.submit(2).await?);
assert!(first.id() < second.id());")]
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Cancels the job. A queued job does not start; a running job is dropped at its next await.
    /// Its result is [`Cancelled`](JobError::Cancelled). Returns `false` if the job already had a
    /// result.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert!(job.cancel() && !job.cancel());
assert!(matches!(job.await, Err(JobError::Cancelled)));")]
    pub fn cancel(&self) -> bool {
        let cancelled = self.result.cancel();
        if cancelled {
            if let Some(control) = self.control.upgrade() {
                control.cancelled(self.id);
            }
        }
        cancelled
    }
}

impl<T, E> Future for JobHandle<T, E> {
    type Output = Result<T, JobError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.result.poll_outcome(cx)
    }
}

impl<T, E> fmt::Debug for JobHandle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.id).finish_non_exhaustive()
    }
}
