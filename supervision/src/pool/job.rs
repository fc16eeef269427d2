//! What is said of jobs: which one, why it failed, why it has no result.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use perennial_actors::ExitReason;
use perennial_actors::host::Each;

/// Why an attempt at a job failed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AttemptError<E> {
    /// Its worker returned an error. The worker goes on with the next job.
    Error(E),
    /// It took longer than an attempt may take.
    TimedOut,
    /// Its worker ended with it in hand: it crashed, was killed, or hung and was abandoned.
    WorkerEnded(ExitReason),
}

/// Why the attempts at a job failed, in order. Clones are the same ones; they are dropped one by one, each under a guard.
pub struct Failures<E>(Arc<Each<AttemptError<E>>>);

impl<E> Failures<E> {
    pub(super) fn new(failures: Each<AttemptError<E>>) -> Self {
        Self(Arc::new(failures))
    }
}

impl<E> Deref for Failures<E> {
    type Target = [AttemptError<E>];

    fn deref(&self) -> &[AttemptError<E>] {
        &self.0
    }
}

impl<E> Clone for Failures<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Two are equal if their failures are, in the same order.
impl<E: PartialEq> PartialEq for Failures<E> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<E: Eq> Eq for Failures<E> {}

impl<E: fmt::Debug> fmt::Debug for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a job has no result.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JobError<E> {
    /// It returned an error, or every attempt that it had failed; the last failure is the last here.
    /// It is among the [dead jobs](super::PoolHandle::drain_dead_jobs).
    Failed(Failures<E>),
    /// It was not begun before it expired.
    Expired,
    /// It failed, and expired before its next attempt was begun; the last failure is the last here.
    /// It is among the [dead jobs](super::PoolHandle::drain_dead_jobs).
    ExpiredAfterFailures(Failures<E>),
    /// It was cancelled.
    Cancelled,
    /// The pool stopped, or was cleared, before it was done.
    Dropped,
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
        }
    }
}

impl<E: fmt::Display> fmt::Display for JobError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failures) => match failures.last() {
                Some(last) => {
                    write!(f, "the job failed ({}), last failure: ", Attempts(failures.len()))?;
                    fmt::Display::fmt(last, f)
                }
                None => f.write_str("the job failed"),
            },
            Self::ExpiredAfterFailures(failures) => match failures.last() {
                Some(last) => {
                    write!(
                        f,
                        "the job expired after it failed ({}), last failure: ",
                        Attempts(failures.len())
                    )?;
                    fmt::Display::fmt(last, f)
                }
                None => f.write_str("the job expired after it failed"),
            },
            Self::Expired => f.write_str("the job expired before its first attempt"),
            Self::Cancelled => f.write_str("the job was cancelled"),
            Self::Dropped => f.write_str("the pool dropped the job before it completed"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for JobError<E> {}

/// A number of attempts, with its noun.
struct Attempts(usize);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "attempt" } else { "attempts" })
    }
}

/// A job, by its number in its pool: the lower was submitted first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobId(pub(super) u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A job that failed and is not tried again, with what came of each attempt: it returned an error, has
/// had all its attempts, or expired before the next.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadJob<J, E> {
    /// Its number.
    pub id: JobId,
    /// The job itself.
    pub job: JobRef<J>,
    /// Why its attempts failed, in order.
    pub failures: Failures<E>,
}

/// A job that was submitted, to be looked at. Clones are the same one.
pub struct JobRef<J>(pub(super) Arc<dyn AsRef<J> + Send + Sync>);

impl<J> Deref for JobRef<J> {
    type Target = J;

    fn deref(&self) -> &J {
        (*self.0).as_ref()
    }
}

impl<J> Clone for JobRef<J> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<J: fmt::Debug> fmt::Debug for JobRef<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        J::fmt(self, f)
    }
}
