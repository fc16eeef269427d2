//! Submitting one job: how it is to be treated, and waiting for room.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::host::{Carried, CarriesValue};
use tokio::sync::mpsc;

use super::admission::AdmitError;
use super::batch::Batch;
use super::job_handle::{JobControl, JobHandle};
use super::job_state::{JobOptions, JobState, ResultSink};
use super::new_job::NewJob;
use super::shared::Shared;
use crate::policy::Backoff;

/// A job that is about to be submitted. What is not said of it is as the pool says.
///
/// # Cancel safety
///
/// If the future is dropped while it waits for room, the job is dropped too. If the job was taken
/// in at that moment, it is cancelled. To keep it, submit it [now](Self::try_submit), or not at all.
#[must_use = "a job is submitted when this is awaited, or now"]
pub struct Submission<J, T, E> {
    pub(super) pool: Arc<Shared<J, T, E>>,
    pub(super) job: J,
    /// How it is to be treated, if anything was said of that.
    pub(super) terms: Option<Box<JobOptions>>,
}

/// Why a job was not taken in; with the job.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum SubmitError<J> {
    /// As many jobs wait as may.
    Full(J),
    /// The pool takes none in any more.
    Closed(J),
}

impl<J> SubmitError<J> {
    /// The job that was not taken in.
    ///
    #[doc = pool_example!(r"squares.stop(StopPool::Finish).await;
let refused = squares.submit(7).now().unwrap_err();
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

impl<J, T, E> Submission<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pub(super) const fn new(pool: Arc<Shared<J, T, E>>, job: J) -> Self {
        Self { pool, job, terms: None }
    }

    fn terms(&mut self) -> &mut JobOptions {
        self.terms.get_or_insert_with(|| Box::new(self.pool.lock_state().terms))
    }

    /// Sets how urgent it is: the higher comes first; 0 unless set.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).priority(9).await?;
assert_eq!(job.await?, 49);")]
    pub fn priority(mut self, priority: u8) -> Self {
        self.terms().priority = priority;
        self
    }

    /// Keeps it back for so long.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).delay(Duration::from_millis(1)).await?;
assert_eq!(job.await?, 49);")]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.terms().delay = Some(delay);
        self
    }

    /// Drops it if it was not begun by then.
    ///
    #[doc = pool_example!(r"squares.pause();
let late = squares.submit(7).expires_in(Duration::from_millis(1)).await?;
assert!(matches!(late.await, Err(JobError::Expired)));")]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.terms().expires_in = Some(time);
        self
    }

    /// Sets how long an attempt may take, at its awaits: then it has failed, and its worker goes on with the next job. A worker that
    /// does not await is found by its [deadline](super::Pool::handler_deadline).
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).time_limit(Duration::from_secs(1)).await?;
assert_eq!(job.await?, 49);")]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.terms().time_limit = Some(limit);
        self
    }

    /// Sets how many attempts it has, the first included: see [`Pool::attempts`](super::Pool::attempts).
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).attempts(5).await?;
assert_eq!(job.await?, 49);")]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.terms().attempts = attempts.max(1);
        self
    }

    /// Sets whether an attempt that returns an error is followed by another: see
    /// [`Pool::retry_errors`](super::Pool::retry_errors).
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).retry_errors(true).await?;
assert_eq!(job.await?, 49);")]
    pub fn retry_errors(mut self, retry: bool) -> Self {
        self.terms().retry_errors = retry;
        self
    }

    /// Sets how long it waits after a failed attempt.
    ///
    #[doc = pool_example!(r"let backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
let job = squares.submit(7).backoff(backoff).await?;
assert_eq!(job.await?, 49);")]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.terms().backoff = Some(backoff);
        self
    }

    /// Says that it must not be begun twice: whatever happens to its worker, it has failed then.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).at_most_once().await?;
assert_eq!(job.await?, 49);")]
    pub fn at_most_once(self) -> Self {
        self.attempts(1)
    }

    /// Has it done by the worker that this key leads to: jobs of one key are done one after the
    /// other, in order, as long as none fails and the workers stay the same. A worker that is
    /// restarted stays the same, also while it is in backoff. If it is not due any more, because it
    /// declined to start or there are to be fewer workers, its keys lead to others.
    ///
    #[doc = pool_example!(r#"// Both are done by one worker, in this order.
let (first, second) = (squares.submit(1).key(&"a").await?, squares.submit(2).key(&"a").await?);
assert_eq!((first.await?, second.await?), (1, 4));"#)]
    pub fn key(mut self, key: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.terms().key = Some(hasher.finish());
        self
    }

    /// Submits it if there is room. There is none while others wait for room.
    ///
    /// # Errors
    ///
    /// If there is none, or the pool takes none in any more; with the job.
    ///
    #[doc = pool_example!("assert_eq!(squares.submit(7).now()?.await?, 49);")]
    pub fn try_submit(self) -> Result<JobHandle<T, E>, SubmitError<J>> {
        let Self { pool, job, terms } = self;
        let draft = NewJob { terms, job, sink: ResultSink::here() };
        pool.admit(draft, |task| handle(&pool, task)).map_err(|refused| match refused {
            AdmitError::Full(draft) => SubmitError::Full(draft.job),
            AdmitError::Closed(job) => SubmitError::Closed(job),
        })
    }

    /// Submits it when there is room, and does without its result.
    ///
    /// # Errors
    ///
    /// If the pool takes none in any more; with the job.
    ///
    #[doc = pool_example!(r"squares.submit(7).forget().await?;
squares.drain().await;
assert_eq!(squares.stats().done, 1);")]
    pub async fn detach(self) -> Result<(), SubmitError<J>> {
        self.put(ResultSink::Nobody).await
    }

    /// Submits a copy of it to each worker that is due, in the order of their numbers, as there is room:
    /// to tell all of them something, as to load their settings anew. Returns the results as one; its
    /// [length](Batch::len) is the number of workers.
    ///
    /// Each copy is done by its own worker, or by the next incarnation of that. One whose worker is not
    /// due any more before it is done, because there are to be fewer, is
    /// [dropped](super::JobError::Dropped). A worker that joins later has no copy. A key is ignored.
    ///
    /// # Errors
    ///
    /// If the pool takes none in any more; with the job. Workers before that have their copies.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the copies that were taken in are done, and their results are lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use perennial_actors::{ExitReason, System};
    /// # use perennial_supervision::pool::{Pool, Worker, WorkerContext};
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
    ///     # async fn init(_: &(), _: &WorkerContext) -> Result<Self, ExitReason> { Ok(Squarer { done: 0 }) }
    ///     async fn work(&mut self, job: &Job) -> Result<u64, Infallible> {
    ///         self.done += 1;
    ///         match job {
    ///             Job::Square(n) => Ok(n * n),
    ///             Job::Reset => Ok(std::mem::take(&mut self.done)),
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = Pool::new::<Squarer>("squarers", 4, ());
    /// # let squarers = pool.handle();
    /// # let app = pool.start(&System::new()).await?;
    /// assert_eq!(squarers.submit(Job::Square(3)).await?.await?, 9);
    /// let all = squarers.submit(Job::Reset).priority(1).broadcast().await?;
    /// assert_eq!(all.len(), 4);
    /// let done: u64 = all.all().await.into_iter().flatten().sum();
    /// assert_eq!(done, 5);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn broadcast(self) -> Result<Batch<T, E>, SubmitError<J>>
    where
        J: Clone,
    {
        let Self { pool, job, terms } = self;
        let (slots, terms) = {
            let state = pool.lock_state();
            if !state.is_open() {
                drop(state);
                return Err(SubmitError::Closed(job));
            }
            (state.board.due_slots(), terms.map_or(state.terms, |terms| *terms))
        };
        let (sender, results) = mpsc::unbounded_channel();
        for (index, slot) in slots.iter().enumerate() {
            let terms = Some(Box::new(JobOptions { slot: Some(*slot), ..terms }));
            let copy = Self { pool: pool.clone(), job: job.clone(), terms };
            copy.put(ResultSink::Batch(index, sender.clone())).await?;
        }
        Ok(Batch::new(results, slots.len()))
    }

    pub(super) async fn put(self, sink: ResultSink<T, E>) -> Result<(), SubmitError<J>> {
        let Self { pool, job, terms } = self;
        match pool.admit(NewJob { terms, job, sink }, |_| ()) {
            Ok(()) => Ok(()),
            Err(AdmitError::Closed(job)) => Err(SubmitError::Closed(job)),
            Err(AdmitError::Full(draft)) => Box::pin(wait_in_line(&pool, draft)).await.map(drop),
        }
    }
}

pub(super) async fn wait_in_line<J, T, E>(
    pool: &Shared<J, T, E>,
    draft: NewJob<J, T, E>,
) -> Result<Arc<JobState<J, T, E>>, SubmitError<J>>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    let in_line = pool.join_line(draft);
    poll_fn(|cx| in_line.poll(cx)).await.map_err(SubmitError::Closed)
}

pub(super) fn handle<J, T, E>(pool: &Arc<Shared<J, T, E>>, task: &Arc<JobState<J, T, E>>) -> JobHandle<T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    let office: Weak<dyn JobControl> = Arc::<Shared<J, T, E>>::downgrade(pool);
    JobHandle { id: task.id, promise: task.clone(), office }
}

impl<J, T, E> fmt::Debug for Submission<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("terms", &self.terms).finish_non_exhaustive()
    }
}
