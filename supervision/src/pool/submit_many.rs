//! The submission of many jobs, one after the other.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::batch::Batch;
use super::job_id::JobId;
use super::runtime::{NewJob, ResultSink};
use super::submission::{ManyJobs, Submission};
use super::submit_error::SubmitError;
use super::worker::Work;

impl<W: Work + 'static> Submission<W, ManyJobs<W::Job>> {
    /// Submits the jobs without a batch for their results. Resolves with their ids, in order, when
    /// all jobs are queued. [`PoolHandle::job`](super::PoolHandle::job) finds a job by its id, and
    /// [`PoolHandle::cancel_all`](super::PoolHandle::cancel_all) cancels them.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Closed`] with the first job that the closed pool did not accept; the jobs
    /// after it are dropped, and the jobs before it run.
    ///
    #[doc = pool_example!(r"let ids = squares.submit_many([1, 2, 3]).detach().await?;
squares.drain().await;
assert_eq!((ids.len(), squares.stats().completed), (3, 3));")]
    pub async fn detach(self) -> Result<Vec<JobId>, SubmitError<W::Job>> {
        self.submit_each(|_| ResultSink::Discard).await
    }

    /// Submits each job, with the destination of its result by its index. Returns the ids.
    async fn submit_each(
        self,
        sink: impl Fn(usize) -> ResultSink<W>,
    ) -> Result<Vec<JobId>, SubmitError<W::Job>> {
        let Self { pool, mut options, jobs: ManyJobs { mut left } } = self;
        if let Some(options) = &mut options {
            options.begin_expiry(|| pool.now());
        }
        let mut ids = Vec::with_capacity(left.len());
        while let Some(job) = left.pop() {
            let new_job = NewJob { options: options.clone(), job, sink: sink(ids.len()) };
            ids.push(pool.admit_or_wait(new_job).await?);
        }
        Ok(ids)
    }
}

impl<W: Work + 'static> IntoFuture for Submission<W, ManyJobs<W::Job>> {
    type Output = Result<Batch<W>, SubmitError<W::Job>>;
    type IntoFuture = SubmitManyFuture<W>;

    fn into_future(self) -> SubmitManyFuture<W> {
        SubmitManyFuture(Box::pin(async move {
            let (sender, results) = mpsc::unbounded_channel();
            let pool = Arc::clone(&self.pool);
            let ids = self.submit_each(|index| ResultSink::Batch(index, sender.clone())).await?;
            Ok(Batch::new(results, ids, &pool))
        }))
    }
}

/// The outcome of the submission of many jobs.
type Submitted<W> = Result<Batch<W>, SubmitError<<W as Work>::Job>>;

/// The future that submits many jobs as room becomes available, and resolves with their batch.
#[must_use = "jobs are submitted when this is awaited"]
pub struct SubmitManyFuture<W: Work + 'static>(Pin<Box<dyn Future<Output = Submitted<W>> + Send>>);

impl<W: Work + 'static> Future for SubmitManyFuture<W> {
    type Output = Submitted<W>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<W: Work + 'static> fmt::Debug for SubmitManyFuture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitManyFuture").finish_non_exhaustive()
    }
}
