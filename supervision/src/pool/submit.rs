//! Submitting one job: how it is to be treated, and waiting for room.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::job::{JobHandle, Office, Sink, Task, TaskRef, Terms};
use super::office::{Refused, Shared};
use crate::policy::Backoff;

/// A job that is about to be submitted. What is not said of it is as the pool says.
#[must_use = "a job is submitted when this is awaited, or now"]
pub struct Submission<J, T, E> {
    pool: Arc<Shared<J, T, E>>,
    job: J,
    terms: Terms,
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

/// A job that was not taken in, and who wanted its result.
type NotTaken<J, T, E> = (SubmitError<J>, Sink<T, E>);

impl<J, T, E> Submission<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pub(super) const fn new(pool: Arc<Shared<J, T, E>>, job: J, terms: Terms) -> Self {
        Self { pool, job, terms }
    }

    /// Sets how urgent it is: the higher comes first; 0 unless set.
    pub const fn priority(mut self, priority: u8) -> Self {
        self.terms.priority = priority;
        self
    }

    /// Keeps it back for so long.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.terms.delay = Some(delay);
        self
    }

    /// Drops it if it was not begun by then.
    pub const fn expires_in(mut self, time: Duration) -> Self {
        self.terms.expires_in = Some(time);
        self
    }

    /// Sets how long an attempt may take, at its awaits: then it has failed, and its worker goes on with the next job. A worker that
    /// does not await is found by its [deadline](super::Pool::handler_deadline).
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.terms.time_limit = Some(limit);
        self
    }

    /// Sets how many attempts it has, the first included.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.terms.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// Sets how long it waits after a failed attempt.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.terms.backoff = Some(backoff);
        self
    }

    /// Says that it must not be begun twice: whatever happens to its worker, it has failed then.
    pub const fn at_most_once(self) -> Self {
        self.attempts(1)
    }

    /// Has it done by the worker that this key leads to: jobs of one key are done one after the other, in order, as long as none fails and the
    /// number of workers stays the same.
    pub fn key(mut self, key: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.terms.key = Some(hasher.finish());
        self
    }

    /// Submits it if there is room.
    ///
    /// # Errors
    ///
    /// If there is none, or the pool takes none in any more; with the job.
    pub fn now(self) -> Result<JobHandle<T, E>, SubmitError<J>> {
        let (sender, result) = oneshot::channel();
        let task = self.take_in(Sink::One(sender)).map_err(|(error, _)| error)?;
        Ok(JobHandle { id: task.id, result, task })
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
        let (mut this, mut sink) = (self, sink);
        loop {
            let pool = this.pool.clone();
            // Enlisted before it asks, so that no room comes between the two unheard.
            let room = pool.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            let (terms, shared) = (this.terms.clone(), this.pool.clone());
            match this.take_in(sink) {
                Ok(task) => return Ok(task),
                Err((SubmitError::Closed(job), _)) => return Err(SubmitError::Closed(job)),
                Err((SubmitError::Full(job), back)) => {
                    this = Self { pool: shared, job, terms };
                    sink = back;
                }
            }
            room.await;
        }
    }

    /// Takes it in, or gives it and whoever wants its result back.
    fn take_in(self, sink: Sink<T, E>) -> Result<TaskRef<J, T, E>, NotTaken<J, T, E>> {
        let Self { pool, job, terms } = self;
        let office: Arc<dyn Office> = pool.clone();
        let office = Arc::downgrade(&office);
        let made = pool.admit(&terms, (job, sink), |(job, sink)| {
            Arc::new(Task::new(pool.next_id(), Arc::new(job), terms.clone(), sink, office))
        });
        made.map_err(|(refused, (job, sink))| match refused {
            Refused::Full => (SubmitError::Full(job), sink),
            Refused::Closed => (SubmitError::Closed(job), sink),
        })
    }
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
            let (sender, result) = oneshot::channel();
            let task = self.into_sink(Sink::One(sender)).await?;
            Ok(JobHandle { id: task.id, result, task })
        })
    }
}

impl<J, T, E> fmt::Debug for Submission<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("terms", &self.terms).finish_non_exhaustive()
    }
}
