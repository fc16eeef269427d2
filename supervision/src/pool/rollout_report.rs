//! The outcome of a rollout.

use std::fmt;
use std::time::Duration;

use super::handle::PoolError;

/// What a rollout has done, by the slots of the workers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RolloutReport {
    /// The revision of the arguments from which the workers start now; the first one is 1.
    pub revision: u64,
    /// Workers that were replaced by new ones, or were added and are new.
    pub replaced: Vec<usize>,
    /// Workers that were never stopped.
    pub kept: Vec<usize>,
    /// Workers that were stopped, and followed by ones with the old arguments, or were added with
    /// those.
    pub rolled_back: Vec<usize>,
    /// Workers that do not run or are not ready. The pool starts them again, with growing delays.
    pub unavailable: Vec<usize>,
    /// How long it took.
    pub elapsed: Duration,
}

impl fmt::Display for RolloutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, replaced, kept, rolled_back, unavailable, elapsed } = self;
        write!(f, "revision {revision} after {elapsed:?}: {} replaced, ", replaced.len())?;
        write!(f, "{} kept, {} rolled back, ", kept.len(), rolled_back.len())?;
        write!(f, "{} unavailable", unavailable.len())
    }
}

/// The reason why a rollout did not reach its end.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutFailure {
    /// A worker did not start, declined to start, or was not stopped.
    #[error(transparent)]
    Worker(PoolError),
    /// A new worker was not ready in time, or not long enough without a break.
    #[error("worker {slot} was not ready in time")]
    NotReady {
        /// The slot of the worker.
        slot: usize,
    },
    /// The rollout was [undone](super::PoolHandle::undo_rollout).
    #[error("the rollout was undone")]
    Undone,
}

/// The error of a rollout.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// A new worker failed, or the rollout was undone. The workers have the old arguments again.
    #[error("{failure}; rolled back: {report}")]
    RolledBack {
        /// The first failure.
        failure: RolloutFailure,
        /// What was done.
        report: Box<RolloutReport>,
    },
    /// A worker failed, or the rollout was undone. It had no new arguments, so there was nothing to
    /// go back to: the workers after that one were not replaced.
    #[error("{failure}; halted: {report}")]
    Halted {
        /// The first failure.
        failure: RolloutFailure,
        /// What was done.
        report: Box<RolloutReport>,
    },
    /// No worker may be unavailable and none may run in addition.
    #[error("max_unavailable and max_surge are both 0")]
    NoRoom,
    /// More than 100 percent of the workers may be unavailable. Kubernetes refuses that too.
    #[error("max_unavailable is more than 100 percent")]
    MoreThanAll,
    /// A worker cannot be ready long enough before the deadline.
    #[error("the progress deadline is not longer than min_ready")]
    DeadlineTooShort,
    /// The pool has stopped.
    #[error("the pool has stopped")]
    Stopped,
}

impl From<RolloutError> for PoolError {
    /// Returns the failure of the worker.
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::RolledBack { failure, .. } | RolloutError::Halted { failure, .. } => {
                match failure {
                    RolloutFailure::Worker(error) => error,
                    RolloutFailure::NotReady { slot } => Self::NotReady { slot },
                    RolloutFailure::Undone => Self::Undone,
                }
            }
            RolloutError::NoRoom
            | RolloutError::MoreThanAll
            | RolloutError::DeadlineTooShort
            | RolloutError::Stopped => Self::Stopped,
        }
    }
}
