//! The submission of one job: its options, and the wait for room.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use perennial_actors::host::{Carried, CarriesValue};
use tokio::sync::mpsc;

use super::batch::Batch;
use super::job::{JobHandle, JobId};
use super::runtime::{AdmitError, JobOptions, NewJob, OwnOptions, ResultSink, Shared, Submit};
use super::scheduler::RateKey;
use super::worker::Work;

/// A job that is about to be submitted, with its options. Options that are not set are those of the
/// pool.
///
/// # Cancel safety
///
/// If the future is dropped while it waits for room, the job is dropped too. If the job was queued
/// at that moment, it is cancelled. [`try_submit`](Self::try_submit) does not wait.
#[must_use = "a job is submitted when this is awaited, or by `try_submit`"]
pub struct Submission<W: Work + 'static> {
    pub(super) pool: Arc<Shared<W>>,
    pub(super) new_job: NewJob<W>,
}

/// The reason why a job was not accepted, with the job.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum SubmitError<J> {
    /// The queue is full.
    Full(J),
    /// The pool accepts no more jobs.
    Closed(J),
}

impl<J> SubmitError<J> {
    /// Returns the job that was not accepted.
    ///
    #[doc = pool_example!(r"squares.stop(PoolShutdown::Drain).await;
let refused = squares.submit(7).try_submit().unwrap_err();
assert_eq!(refused.into_job(), 7);")]
    pub fn into_job(self) -> J {
        match self {
            Self::Full(job) | Self::Closed(job) => job,
        }
    }
}

impl<J> fmt::Debug for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<J> fmt::Display for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue of the pool is full",
            Self::Closed(_) => "the pool accepts no more jobs",
        })
    }
}

impl<J: 'static> Error for SubmitError<J> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<J: 'static> CarriesValue for SubmitError<J> {
    type Bare = SubmitError<()>;

    fn into_bare(self) -> SubmitError<()> {
        match self {
            Self::Full(_) => SubmitError::Full(()),
            Self::Closed(_) => SubmitError::Closed(()),
        }
    }
}

impl<W: Work + 'static> Submission<W> {
    pub(super) const fn new(pool: Arc<Shared<W>>, job: W::Job) -> Self {
        Self { pool, new_job: NewJob { options: None, job, sink: ResultSink::single() } }
    }

    /// Returns the options of the job, which are those of the pool at first.
    pub(super) fn own_options(&mut self) -> &mut OwnOptions<W::Error> {
        let Self { pool, new_job } = self;
        new_job.options.get_or_insert_with(|| Box::new(OwnOptions::from(pool.lock_state().options)))
    }

    pub(super) fn options(&mut self) -> &mut JobOptions {
        &mut self.own_options().values
    }

    /// Sets the priority: jobs of a higher priority start first; 0 by default.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).priority(9).await?;
assert_eq!(job.await?, 49);")]
    pub fn priority(mut self, priority: u8) -> Self {
        self.options().priority = priority;
        self
    }

    /// Delays the start of the job by at least this time.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).delay(Duration::from_millis(1)).await?;
assert_eq!(job.await?, 49);")]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.options().delay = Some(delay);
        self
    }

    /// Drops the job if it has not started within this time. Its result is then
    /// [`Expired`](super::JobError::Expired).
    ///
    #[doc = pool_example!(r"squares.pause();
let late = squares.submit(7).expires_in(Duration::from_millis(1)).await?;
assert!(matches!(late.await, Err(JobError::Expired(_))));")]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.options().expires_in = Some(time);
        self
    }

    /// Sets the time limit of an attempt, checked at its awaits. An attempt that exceeds it has
    /// failed, and its worker continues with the next job. A worker that never awaits is detected
    /// by its [deadline](super::Pool::handler_deadline).
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).time_limit(Duration::from_secs(1)).await?;
assert_eq!(job.await?, 49);")]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.options().limits.hard = Some(limit);
        self
    }

    /// Sets when an attempt is told to return, at the latest at its time limit: see
    /// [`Pool::soft_time_limit`](super::Pool::soft_time_limit).
    ///
    #[doc = pool_example!(
        r"let job = squares.submit(7).soft_time_limit(Duration::from_secs(1)).await?;
assert_eq!(job.await?, 49);"
    )]
    pub fn soft_time_limit(mut self, limit: Duration) -> Self {
        self.options().limits.soft = Some(limit);
        self
    }

    /// Runs the job on the worker that this key maps to. Jobs of one key run one after the other,
    /// in order, as long as none fails and the set of workers stays the same. A restart does not
    /// change the set, not even while the worker is in backoff. If the worker is no longer due,
    /// because it declined to start or the pool was made smaller, its keys map to other workers.
    ///
    #[doc = pool_example!(r#"// Both are done by one worker, in this order.
let (first, second) = (squares.submit(1).key(&"a").await?, squares.submit(2).key(&"a").await?);
assert_eq!((first.await?, second.await?), (1, 4));"#)]
    pub fn key(mut self, key: &impl Hash) -> Self {
        self.options().key = Some(hash(key));
        self
    }

    /// Sets the kind of the job for the rate limits of
    /// [`Pool::rate_per_key`](super::Pool::rate_per_key) and
    /// [`Pool::rate_for`](super::Pool::rate_for), for example the host that it calls. Jobs of a
    /// kind that has used up its limit wait, and hold back no job of another kind. A job without a
    /// kind is limited only by [`Pool::rate`](super::Pool::rate).
    ///
    #[doc = pool_example!(r#"let job = squares.submit(7).rate_key(&"example.org").await?;
assert_eq!(job.await?, 49);"#)]
    pub fn rate_key(mut self, key: &impl Hash) -> Self {
        self.options().rate_key = Some(rate_key_of(key));
        self
    }

    /// Submits the job if there is room now. There is no room while other submitters wait for room.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`] if there is no room, [`SubmitError::Closed`] if the pool accepts no
    /// more jobs; both return the job.
    ///
    #[doc = pool_example!("assert_eq!(squares.submit(7).try_submit()?.await?, 49);")]
    pub fn try_submit(self) -> Result<JobHandle<W>, SubmitError<W::Job>> {
        match self.pool.admit(self.new_job, Arc::clone) {
            Ok(job) => Ok(JobHandle::new(job, &self.pool)),
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
        let Self { pool, mut new_job } = self;
        new_job.sink = ResultSink::Discard;
        // Most jobs find room: for them there is no future to make, and no reference to count.
        match pool.admit(new_job, |job| job.id) {
            Ok(id) => Ok(id),
            Err(AdmitError::Closed(job)) => Err(SubmitError::Closed(job)),
            Err(AdmitError::Full(new_job)) => Submit::new(pool, new_job).await.map(|job| job.id),
        }
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
        let Self { pool, new_job: NewJob { job, options, .. } } = self;
        let (slots, options) = {
            let state = pool.lock_state();
            if !state.is_open() {
                drop(state);
                return Err(SubmitError::Closed(job));
            }
            let options = options.unwrap_or_else(|| Box::new(OwnOptions::from(state.options)));
            (state.scheduler.due_slots(), options)
        };
        let (sender, results) = mpsc::unbounded_channel();
        for (index, slot) in slots.iter().enumerate() {
            let mut copy = Self::new(pool.clone(), job.clone());
            let mut options = options.clone();
            options.values.slot = Some(*slot);
            copy.new_job.options = Some(options);
            copy.submit_to(ResultSink::Batch(index, sender.clone())).await?;
        }
        Ok(Batch::new(results, slots.len()))
    }

    /// Returns the future that submits the job, with this destination of its result.
    pub(super) fn submit_to(mut self, sink: ResultSink<W>) -> Submit<W> {
        self.new_job.sink = sink;
        Submit::new(self.pool, self.new_job)
    }
}

impl<W: Work + 'static> fmt::Debug for Submission<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("options", &self.new_job.options).finish_non_exhaustive()
    }
}

fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Returns the kind of the jobs with this key.
pub(super) fn rate_key_of(key: &impl Hash) -> RateKey {
    RateKey::new(hash(key)).unwrap_or(RateKey::MIN)
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
        SubmitFuture(self.submit_to(ResultSink::single()))
    }
}

impl<W: Work + 'static> fmt::Debug for SubmitFuture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitFuture").finish_non_exhaustive()
    }
}
