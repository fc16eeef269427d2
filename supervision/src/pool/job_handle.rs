//! The submitter's handle of a job.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::job::{JobError, JobId};
use super::runtime::{JobState, Shared};
use super::worker::Work;

/// A submitted job: a future that resolves with its result, once. Dropping the handle does not
/// cancel the job.
#[must_use = "the result is returned when the handle is awaited; use `detach` to ignore it"]
pub struct JobHandle<W: Work + 'static> {
    job: Arc<JobState<W>>,
    pool: Weak<Shared<W>>,
}

impl<W: Work + 'static> JobHandle<W> {
    pub(super) fn new(job: Arc<JobState<W>>, pool: &Arc<Shared<W>>) -> Self {
        Self { job, pool: Arc::downgrade(pool) }
    }

    /// Returns the number of the job.
    ///
    #[doc = pool_example!(r"let (first, second) = (squares.submit(1).await?, squares.submit(2).await?);
assert!(first.id() < second.id());")]
    #[must_use]
    pub fn id(&self) -> JobId {
        self.job.id
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
        // The jobs of a pool that is gone have a result.
        self.pool.upgrade().is_some_and(|pool| pool.cancel(&self.job))
    }
}

impl<W: Work + 'static> Future for JobHandle<W> {
    type Output = Result<W::Output, JobError<W::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.job.poll_outcome(cx)
    }
}

impl<W: Work + 'static> fmt::Debug for JobHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.job.id).finish_non_exhaustive()
    }
}
