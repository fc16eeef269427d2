//! Retries as values: the consequence of an error, the errors that are retried, and the reason of a
//! retry.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Foreign, catch_panic};
use perennial_actors::{ExitReason, System};

/// The consequence of an error that an attempt returned: see
/// [`Pool::retry_if`](super::Pool::retry_if). `true` converts into [`Backoff`](Self::Backoff), and
/// `false` into [`Never`](Self::Never).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// The error is the result of the job, which is dead at once, however many attempts it has
    /// left.
    Never,
    /// The job is retried after the [delay](super::Pool::retry_after) of its pool or submission.
    Backoff,
    /// The job is retried after this time, in place of that delay. A server that is busy may ask
    /// for it, as with the HTTP header `Retry-After`. Celery's `retry(countdown=..)` is the same.
    After(Duration),
}

impl From<bool> for Retry {
    fn from(is_retried: bool) -> Self {
        if is_retried { Self::Backoff } else { Self::Never }
    }
}

/// The reason why a job is retried.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RetryCause {
    /// The attempt returned an error.
    Error,
    /// The attempt exceeded its time limit.
    TimedOut,
    /// The worker crashed, was killed, or hung and was abandoned.
    LostWorker,
    /// The supervisor of the worker stopped it, for example in a rolling restart or a resize. The
    /// job has used up nothing.
    Interrupted,
}

/// A closure that decides on an error.
type Decide<E> = Box<dyn Fn(&E) -> Retry + Send + Sync>;

/// The errors that are retried.
pub(super) enum RetryRule<E: 'static> {
    Never,
    Always,
    If(Arc<Foreign<Decide<E>>>),
}

impl<E> Clone for RetryRule<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Never => Self::Never,
            Self::Always => Self::Always,
            Self::If(decide) => Self::If(decide.clone()),
        }
    }
}

impl<E> RetryRule<E> {
    pub(super) fn always_if(is_retried: bool) -> Self {
        if is_retried { Self::Always } else { Self::Never }
    }

    pub(super) fn of<R: Into<Retry>>(decide: impl Fn(&E) -> R + Send + Sync + 'static) -> Self {
        Self::If(Arc::new(Foreign::new(Box::new(move |error| decide(error).into()))))
    }

    /// Decides on an error. May run users' code.
    ///
    /// # Errors
    ///
    /// The reason, if that code panics.
    pub(super) fn decide(&self, error: &E, system: &System) -> Result<Retry, ExitReason> {
        match self {
            Self::Never => Ok(Retry::Never),
            Self::Always => Ok(Retry::Backoff),
            Self::If(decide) => catch_panic(Some(system), || decide(error)),
        }
    }
}

impl<E> fmt::Debug for RetryRule<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Always => "Always",
            Self::If(_) => "If(..)",
        })
    }
}
