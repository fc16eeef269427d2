//! The submission of one job, and the wait for room.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use perennial_actors::host::Guarded;
use tokio::sync::mpsc;

use super::batch::Batch;
use super::job::{JobHandle, JobId};
use super::runtime::{AdmitError, NewJob, OwnOptions, ResultSink, Shared, Submit};
use super::submission::{OneJob, Submission};
use super::submit_error::SubmitError;
use super::worker::Work;

impl<W: Work + 'static> Submission<W> {
    /// Submits the job if there is room now. There is no room while other submitters wait for room.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`] if there is no room, [`SubmitError::Closed`] if the pool accepts no
    /// more jobs; both return the job.
    ///
    #[doc = pool_example!("assert_eq!(squares.submit(7).try_submit()?.await?, 49);")]
    pub fn try_submit(self) -> Result<JobHandle<W>, SubmitError<W::Job>> {
        let (pool, new_job) = self.into_new_job(ResultSink::single());
        match pool.admit(new_job, Arc::clone) {
            Ok(job) => Ok(JobHandle::new(job, &pool)),
            Err(AdmitError::Full(new_job)) => Err(SubmitError::Full(new_job.job)),
            Err(AdmitError::Closed(job)) => Err(SubmitError::Closed(job)),
        }
    }

    /// Submits the job without a handle for its result. Resolves with its id when the job is
    /// queued. [`PoolHandle::job`](super::PoolHandle::job) finds the job by that id.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Closed`] with the job, if the pool accepts no more jobs.
    ///
    #[doc = pool_example!(r"squares.submit(7).detach().await?;
squares.drain().await;
assert_eq!(squares.stats().completed, 1);")]
    pub async fn detach(self) -> Result<JobId, SubmitError<W::Job>> {
        let (pool, new_job) = self.into_new_job(ResultSink::Discard);
        pool.admit_or_wait(new_job).await
    }

    /// Submits one copy of the job to each worker that is due, in slot order, as room becomes
    /// available, for example to make all workers reload their settings. Resolves when all copies
    /// are queued. Returns the results as one batch; its [length](Batch::len) is the number of
    /// workers.
    ///
    /// Each copy runs on its own worker, or on the next incarnation of that worker. If the pool is
    /// made smaller before a copy has run, the copy of a removed worker is
    /// [dropped](super::JobError::Dropped). A worker that is added later gets no copy. A key is
    /// ignored.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Closed`] with the job, if the pool accepts no more jobs. Copies that were
    /// queued before run.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the queued copies run, and their results are lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use perennial_actors::{ExitReason, System};
    /// # use perennial_supervision::pool::{JobContext, Pool, Worker, WorkerContext};
    /// #[derive(Clone)]
    /// enum Job { Square(u64), Reset }
    ///
    /// struct Squarer { done: u64 }
    ///
    /// impl Worker for Squarer {
    ///     # type Job = Job;
    ///     # type Output = u64;
    ///     # type Error = Infallible;
    ///     # type Args = ();
    ///     # async fn init(_: &(), _: &WorkerContext) -> Result<Self, ExitReason> {
    ///     #     Ok(Squarer { done: 0 })
    ///     # }
    ///     async fn work(&mut self, job: &Job, _: &JobContext<'_>) -> Result<u64, Infallible> {
    ///         self.done += 1;
    ///         match job {
    ///             Job::Square(n) => Ok(n * n),
    ///             Job::Reset => Ok(std::mem::take(&mut self.done)),
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = Pool::<Squarer>::new("squarers", 4, ());
    /// # let squarers = pool.handle();
    /// # let app = pool.start(&System::new()).await?;
    /// assert_eq!(squarers.submit(Job::Square(3)).await?.await?, 9);
    /// let all = squarers.submit(Job::Reset).priority(1).broadcast().await?;
    /// assert_eq!(all.len(), 4);
    /// let done: u64 = all.join_all().await.into_iter().flatten().sum();
    /// assert_eq!(done, 5);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn broadcast(self) -> Result<Batch<W>, SubmitError<W::Job>>
    where
        W::Job: Clone,
    {
        let Self { pool, options, jobs: OneJob(job) } = self;
        let (slots, options) = {
            let state = pool.lock_state();
            if !state.is_open() {
                drop(state);
                return Err(SubmitError::Closed(job));
            }
            let mut options = options.unwrap_or_else(|| Arc::new(OwnOptions::from(state.options)));
            options.begin_expiry(|| pool.now());
            (state.scheduler.due_slots(), options)
        };
        // Only copies are submitted. A panic in the `Drop` of the job would leak what is returned.
        let job = Guarded::new(job);
        let (sender, results) = mpsc::unbounded_channel();
        let mut ids = Vec::with_capacity(slots.len());
        for (index, slot) in slots.into_iter().enumerate() {
            let mut options = (*options).clone();
            options.values.slot = Some(slot);
            let sink = ResultSink::Batch(index, sender.clone());
            let copy = NewJob { options: Some(Arc::new(options)), job: (*job).clone(), sink };
            ids.push(pool.admit_or_wait(copy).await?);
        }
        Ok(Batch::new(results, ids, &pool))
    }

    /// Returns the pool, and the job with this destination of its result.
    fn into_new_job(self, sink: ResultSink<W>) -> (Arc<Shared<W>>, NewJob<W>) {
        let Self { pool, options, jobs: OneJob(job) } = self;
        (pool, NewJob { options, job, sink })
    }
}

/// The future that submits a job when there is room, and resolves with its handle.
#[must_use = "a job is submitted when this is awaited"]
pub struct SubmitFuture<W: Work + 'static>(Submit<W>);

impl<W: Work + 'static> Future for SubmitFuture<W> {
    type Output = Result<JobHandle<W>, SubmitError<W::Job>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let submitted = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(submitted.map(|job| JobHandle::new(job, &self.0.pool)))
    }
}

impl<W: Work + 'static> IntoFuture for Submission<W> {
    type Output = Result<JobHandle<W>, SubmitError<W::Job>>;
    type IntoFuture = SubmitFuture<W>;

    fn into_future(self) -> SubmitFuture<W> {
        let (pool, new_job) = self.into_new_job(ResultSink::single());
        SubmitFuture(Submit::new(pool, new_job))
    }
}

impl<W: Work + 'static> fmt::Debug for SubmitFuture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitFuture").finish_non_exhaustive()
    }
}
