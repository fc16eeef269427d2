//! What the submitter of a job holds: its result, when there is one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::job::{JobError, JobId};
use super::job_state::JobResult;

/// Where a job waits or is worked at.
pub(super) trait JobControl: Send + Sync {
    /// A job was cancelled: if it waits, it need not.
    fn cancelled(&self, id: JobId);
}

/// The result of a job that was submitted, when there is one; once. To drop it changes nothing: the job is done, and nobody hears of it.
#[must_use = "the result comes when it is awaited; to do without it, drop it on purpose"]
pub struct JobHandle<T, E> {
    pub(super) id: JobId,
    pub(super) result: Arc<dyn JobResult<T, E>>,
    pub(super) control: Weak<dyn JobControl>,
}

impl<T, E> JobHandle<T, E> {
    /// Its number.
    ///
    #[doc = pool_example!(r"let (first, second) = (squares.submit(1).await?, squares.submit(2).await?);
assert!(first.id() < second.id());")]
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Cancels the job: it is not begun, or its worker drops it at its next await. Its result is
    /// [`Cancelled`](JobError::Cancelled). False if it had one already.
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
