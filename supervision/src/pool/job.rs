//! The identity, the handle and the errors of jobs.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use perennial_actors::ExitReason;
use perennial_actors::host::Each;

use super::job_context::JobProgress;
pub use super::job_id::JobId;
use super::runtime::{HandleNumber, JobState, Shared};
use super::worker::Work;
use crate::report::LivenessFailure;

/// The reason why one attempt at a job failed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AttemptError<E> {
    /// The worker returned an error. It continues with the next job.
    Error(E),
    /// The attempt exceeded its time limit.
    TimedOut,
    /// The worker ended during the attempt: it crashed, or was killed.
    WorkerEnded(ExitReason),
    /// The worker failed a check of its liveness during the attempt: the
    /// [watchdog](super::Pool::watchdog), the [handler deadline](super::Pool::handler_deadline) or
    /// the [probe](super::Pool::probe). Its supervisor stopped or abandoned it. It counts as a lost
    /// worker.
    WorkerUnresponsive(LivenessFailure),
}

/// The failures of the attempts at a job, in order; none by default. Clones share the same values,
/// which are dropped one by one, each under a panic guard.
pub struct Failures<E>(Option<Arc<Each<AttemptError<E>>>>);

impl<E> Failures<E> {
    pub(super) fn new(failures: Each<AttemptError<E>>) -> Self {
        Self((!failures.is_empty()).then(|| Arc::new(failures)))
    }
}

impl<E> Default for Failures<E> {
    fn default() -> Self {
        Self(None)
    }
}

impl<E> Deref for Failures<E> {
    type Target = [AttemptError<E>];

    fn deref(&self) -> &[AttemptError<E>] {
        self.0.as_ref().map_or(&[], |failures| failures)
    }
}

impl<E> Clone for Failures<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Compares the failures, in order.
impl<E: PartialEq> PartialEq for Failures<E> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<E: Eq> Eq for Failures<E> {}

impl<E: fmt::Debug> fmt::Debug for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The reason why a job has no result, with the failures of its attempts until then. An attempt
/// that a supervisor interrupted is no failure.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JobError<E> {
    /// The job returned an error that is not retried, or has no attempts left; the last failure is
    /// the last in the list. The job is among the
    /// [dead jobs](super::PoolHandle::drain_dead_jobs).
    Failed(Failures<E>),
    /// The job expired before its next attempt. If it had failed before, it is among the
    /// [dead jobs](super::PoolHandle::drain_dead_jobs).
    Expired(Failures<E>),
    /// The job was cancelled.
    Cancelled(Failures<E>),
    /// The pool stopped or was cleared before the job was done.
    Dropped(Failures<E>),
    /// The job succeeded, and its output was returned before: to another handle of the job, or to
    /// its batch.
    ResultTaken(Failures<E>),
}

/// Clones share the same failures.
impl<E> Clone for JobError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Failed(failures) => Self::Failed(failures.clone()),
            Self::Expired(failures) => Self::Expired(failures.clone()),
            Self::Cancelled(failures) => Self::Cancelled(failures.clone()),
            Self::Dropped(failures) => Self::Dropped(failures.clone()),
            Self::ResultTaken(failures) => Self::ResultTaken(failures.clone()),
        }
    }
}

impl<E> JobError<E> {
    /// Returns the failures of the attempts at the job, in order: none if no attempt failed.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
squares.clear();
assert!(job.await.unwrap_err().failures().is_empty());")]
    pub const fn failures(&self) -> &Failures<E> {
        match self {
            Self::Failed(failures)
            | Self::Expired(failures)
            | Self::Cancelled(failures)
            | Self::Dropped(failures)
            | Self::ResultTaken(failures) => failures,
        }
    }
}

impl<E: fmt::Display> fmt::Display for AttemptError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the attempt timed out"),
            Self::WorkerEnded(reason) => {
                f.write_str("the worker ended: ")?;
                fmt::Display::fmt(reason, f)
            }
            Self::WorkerUnresponsive(failure) => write!(f, "the worker was unresponsive: {failure}"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for JobError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failures) => with_last(["the job failed"; 2], failures, f),
            Self::Expired(failures) => {
                let ends = ["the job expired before its first attempt", "the job expired after it failed"];
                with_last(ends, failures, f)
            }
            Self::Cancelled(failures) => {
                with_last(["the job was cancelled", "the job was cancelled after it failed"], failures, f)
            }
            Self::Dropped(failures) => {
                let before = "the pool dropped the job before it completed";
                with_last([before, "the pool dropped the job after it failed"], failures, f)
            }
            Self::ResultTaken(_) => f.write_str("the output of the job was returned before"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for JobError<E> {}

/// Writes the end of a job that has not failed before, or its end after failures with their number
/// and the last of them.
fn with_last<E: fmt::Display>(
    [unfailed, failed]: [&str; 2],
    failures: &Failures<E>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let Some(last) = failures.last() else { return f.write_str(unfailed) };
    let noun = if failures.len() == 1 { "attempt" } else { "attempts" };
    write!(f, "{failed} ({} {noun}), last failure: ", failures.len())?;
    // With the options of the caller.
    fmt::Display::fmt(last, f)
}

/// A job that failed permanently: it returned an error that is not retried, has no attempts left,
/// or expired before the next attempt.
#[non_exhaustive]
pub struct DeadJob<W: Work + 'static> {
    /// The number of the job.
    pub id: JobId,
    /// The job itself.
    pub job: JobRef<W>,
    /// The failures of its attempts, in order.
    pub failures: Failures<W::Error>,
}

impl<W: Work + 'static> Clone for DeadJob<W> {
    fn clone(&self) -> Self {
        Self { id: self.id, job: self.job.clone(), failures: self.failures.clone() }
    }
}

impl<W: Work<Job: fmt::Debug, Error: fmt::Debug>> fmt::Debug for DeadJob<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, job, failures } = self;
        f.debug_struct("DeadJob").field("id", id).field("job", job).field("failures", failures).finish()
    }
}

/// A reference to a submitted job. Clones refer to the same job.
pub struct JobRef<W: Work + 'static>(pub(super) Arc<JobState<W>>);

impl<W: Work + 'static> Deref for JobRef<W> {
    type Target = W::Job;

    fn deref(&self) -> &W::Job {
        &self.0.job
    }
}

impl<W: Work + 'static> Clone for JobRef<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Work<Job: fmt::Debug>> fmt::Debug for JobRef<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// A submitted job: a future that resolves with its result. Dropping the handle does not cancel the
/// job.
///
/// A job may have several handles: [`PoolHandle::job`](super::PoolHandle::job) makes another one
/// from its id. All of them resolve when the job ends. An error is returned to each of them, and an
/// output to one: the others resolve with [`JobError::ResultTaken`]. The output of a job of a
/// [batch](super::Batch) goes to the batch.
#[must_use = "the result is returned when the handle is awaited; use `detach` to ignore it"]
pub struct JobHandle<W: Work + 'static> {
    pub(super) job: Arc<JobState<W>>,
    pub(super) pool: Weak<Shared<W>>,
    number: HandleNumber,
}

impl<W: Work + 'static> JobHandle<W> {
    pub(super) fn new(job: Arc<JobState<W>>, pool: &Arc<Shared<W>>) -> Self {
        Self::numbered(job, 0, pool)
    }

    /// Returns the handle with this number among the handles of the job.
    pub(super) fn numbered(job: Arc<JobState<W>>, number: HandleNumber, pool: &Arc<Shared<W>>) -> Self {
        Self { job, pool: Arc::downgrade(pool), number }
    }

    /// Returns the number of the job.
    ///
    #[doc = pool_example!(
        r"let (first, second) = (squares.submit(1).await?, squares.submit(2).await?);
assert!(first.id() < second.id());"
    )]
    #[must_use]
    pub fn id(&self) -> JobId {
        self.job.id
    }

    /// Returns the progress that the latest attempt has
    /// [reported](super::JobContext::set_progress), or `None` if it has reported none.
    ///
    #[doc = pool_example!("assert_eq!(squares.submit(1).await?.progress(), None);")]
    #[must_use]
    pub fn progress(&self) -> Option<JobProgress> {
        self.job.progress()
    }

    /// Cancels the job. A queued job does not start. A running job is dropped at its next await, or
    /// after the [grace period](super::JobContext::set_grace_period) that it has asked for. Its
    /// result is [`Cancelled`](JobError::Cancelled). Returns `false` if the job already had a
    /// result.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert!(job.cancel() && !job.cancel());
assert!(matches!(job.await, Err(JobError::Cancelled(_))));")]
    pub fn cancel(&self) -> bool {
        // The jobs of a pool that is gone have a result.
        self.pool.upgrade().is_some_and(|pool| pool.cancel(&self.job))
    }
}

impl<W: Work + 'static> Future for JobHandle<W> {
    type Output = Result<W::Output, JobError<W::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.job.poll_outcome(self.number, cx)
    }
}

impl<W: Work + 'static> Drop for JobHandle<W> {
    #[inline]
    fn drop(&mut self) {
        if self.number > 0 {
            self.job.remove_handle(self.number);
        }
    }
}

impl<W: Work + 'static> fmt::Debug for JobHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.job.id).finish_non_exhaustive()
    }
}
