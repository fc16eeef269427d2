//! Submitting one job: how it is to be treated, and waiting for room.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::admission::Refused;
use super::job_handle::{JobHandle, Office};
use super::office::Shared;
use super::task::{Sink, Task, Terms};
use crate::policy::Backoff;

/// A job that is about to be submitted. What is not said of it is as the pool says.
#[must_use = "a job is submitted when this is awaited, or now"]
pub struct Submission<J, T, E> {
    pool: Arc<Shared<J, T, E>>,
    job: J,
    /// How it is to be treated, if anything was said of that.
    terms: Option<Box<Terms>>,
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

impl<J> std::error::Error for SubmitError<J> {}

impl<J, T, E> Submission<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pub(super) const fn new(pool: Arc<Shared<J, T, E>>, job: J) -> Self {
        Self { pool, job, terms: None }
    }

    fn terms(&mut self) -> &mut Terms {
        self.terms.get_or_insert_with(|| Box::new(*self.pool.terms()))
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

    /// Has it done by the worker that this key leads to: jobs of one key are done one after the other, in order, as long as none fails and the
    /// number of workers stays the same.
    pub fn key(mut self, key: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.terms().key = Some(hasher.finish());
        self
    }

    /// Submits it if there is room.
    ///
    /// # Errors
    ///
    /// If there is none, or the pool takes none in any more; with the job.
    pub fn now(self) -> Result<JobHandle<T, E>, SubmitError<J>> {
        let Self { pool, job, terms } = self;
        match pool.admit(terms, job, Sink::here(), false) {
            Ok(task) => Ok(handle(&pool, task)),
            Err(Refused::Full { job, .. }) => Err(SubmitError::Full(job)),
            Err(Refused::Closed(job)) => Err(SubmitError::Closed(job)),
        }
    }

    /// Submits it when there is room, and does without its result.
    ///
    /// # Errors
    ///
    /// If the pool takes none in any more; with the job.
    pub async fn forget(self) -> Result<(), SubmitError<J>> {
        self.into_sink(Sink::Nobody).await.map(drop)
    }

    pub(super) async fn into_sink(self, sink: Sink<T, E>) -> Result<Arc<Task<J, T, E>>, SubmitError<J>> {
        let Self { pool, job, terms } = self;
        let (mut terms, mut job, mut sink) = (terms, job, sink);
        loop {
            // Enlisted before it asks, so that no room comes between the two unheard.
            let room = pool.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            match pool.admit(terms, job, sink, true) {
                Ok(task) => return Ok(task),
                Err(Refused::Closed(job)) => return Err(SubmitError::Closed(job)),
                Err(Refused::Full { terms: first, job: second, sink: third }) => {
                    (terms, job, sink) = (first, second, third);
                }
            }
            let _in_line = pool.counted(|state| &mut state.in_line);
            room.await;
        }
    }
}

fn handle<J, T, E>(pool: &Arc<Shared<J, T, E>>, task: Arc<Task<J, T, E>>) -> JobHandle<T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    let office: Weak<dyn Office> = Arc::<Shared<J, T, E>>::downgrade(pool);
    JobHandle { id: task.id, promise: task, office }
}

impl<J, T, E> IntoFuture for Submission<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Result<JobHandle<T, E>, SubmitError<J>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let pool = self.pool.clone();
            let task = self.into_sink(Sink::here()).await?;
            Ok(handle(&pool, task))
        })
    }
}

impl<J, T, E> fmt::Debug for Submission<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("terms", &self.terms).finish_non_exhaustive()
    }
}
