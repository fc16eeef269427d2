//! Submitting one job: how it is to be treated, and waiting for room.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use perennial_actors::host::{Carried, CarriesValue};

use super::admission::AdmitError;
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
    pool: Arc<Shared<J, T, E>>,
    job: J,
    /// How it is to be treated, if anything was said of that.
    terms: Option<Box<JobOptions>>,
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
            Self::Closed(_) => "the pool takes no more jobs in",
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
    pub fn priority(mut self, priority: u8) -> Self {
        self.terms().priority = priority;
        self
    }

    /// Keeps it back for so long.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.terms().delay = Some(delay);
        self
    }

    /// Drops it if it was not begun by then.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.terms().expires_in = Some(time);
        self
    }

    /// Sets how long an attempt may take, at its awaits: then it has failed, and its worker goes on with the next job. A worker that
    /// does not await is found by its [deadline](super::Pool::handler_deadline).
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.terms().time_limit = Some(limit);
        self
    }

    /// Sets how many attempts it has, the first included.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.terms().attempts = attempts.max(1);
        self
    }

    /// Sets how long it waits after a failed attempt.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.terms().backoff = Some(backoff);
        self
    }

    /// Says that it must not be begun twice: whatever happens to its worker, it has failed then.
    pub fn at_most_once(self) -> Self {
        self.attempts(1)
    }

    /// Has it done by the worker that this key leads to: jobs of one key are done one after the
    /// other, in order, as long as none fails and the workers stay the same. A worker that is
    /// restarted stays the same, also while it is in backoff. If it is not due any more, because it
    /// declined to start or there are to be fewer workers, its keys lead to others.
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
    pub async fn detach(self) -> Result<(), SubmitError<J>> {
        self.put(ResultSink::Nobody).await
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

async fn wait_in_line<J, T, E>(
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

fn handle<J, T, E>(pool: &Arc<Shared<J, T, E>>, task: &Arc<JobState<J, T, E>>) -> JobHandle<T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    let office: Weak<dyn JobControl> = Arc::<Shared<J, T, E>>::downgrade(pool);
    JobHandle { id: task.id, promise: task.clone(), office }
}

/// A job that is submitted as soon as there is room.
#[must_use = "a job is submitted when this is awaited"]
pub struct SubmitFuture<J, T, E>(Step<J, T, E>);

enum Step<J, T, E> {
    First(Submission<J, T, E>),
    InLine(Waits<J, T, E>),
    Over,
}

type Submitted<J, T, E> = Result<JobHandle<T, E>, SubmitError<J>>;

type Waits<J, T, E> = Pin<Box<dyn Future<Output = Submitted<J, T, E>> + Send>>;

/// Nothing in it is ever pinned but what is in a box of its own.
impl<J, T, E> Unpin for SubmitFuture<J, T, E> {}

impl<J, T, E> Future for SubmitFuture<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Submitted<J, T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waits =
            match std::mem::replace(&mut self.0, Step::Over) {
                Step::First(Submission { pool, job, terms }) => {
                    let draft = NewJob { terms, job, sink: ResultSink::here() };
                    match pool.admit(draft, |task| handle(&pool, task)) {
                        Ok(handle) => return Poll::Ready(Ok(handle)),
                        Err(AdmitError::Closed(job)) => return Poll::Ready(Err(SubmitError::Closed(job))),
                        Err(AdmitError::Full(draft)) => Box::pin(async move {
                            wait_in_line(&pool, draft).await.map(|task| handle(&pool, &task))
                        }),
                    }
                }
                Step::InLine(waits) => waits,
                Step::Over => return Poll::Pending,
            };
        let submitted = waits.as_mut().poll(cx);
        if submitted.is_pending() {
            self.0 = Step::InLine(waits);
        }
        submitted
    }
}

impl<J, T, E> IntoFuture for Submission<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Submitted<J, T, E>;
    type IntoFuture = SubmitFuture<J, T, E>;

    fn into_future(self) -> SubmitFuture<J, T, E> {
        SubmitFuture(Step::First(self))
    }
}

impl<J, T, E> fmt::Debug for SubmitFuture<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitting").finish_non_exhaustive()
    }
}

impl<J, T, E> fmt::Debug for Submission<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("terms", &self.terms).finish_non_exhaustive()
    }
}
