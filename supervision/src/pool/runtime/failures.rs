//! The failed attempts at a job, and what follows from them.

use std::time::Duration;

use perennial_actors::host::Each;

use super::options::JobOptions;
use crate::pool::job::AttemptError;
use crate::pool::retry::{Retry, RetryCause};

/// The failed attempts at a job, interrupted ones left out.
pub(crate) struct FailureLog<E> {
    pub(crate) all: Each<AttemptError<E>>,
    /// The number of lost workers among them.
    lost_workers: u32,
}

impl<E> Default for FailureLog<E> {
    fn default() -> Self {
        Self { all: Each::default(), lost_workers: 0 }
    }
}

impl<E> FailureLog<E> {
    /// Adds a failure. Returns `true` if that was the last attempt, given these options.
    pub(crate) fn push(&mut self, failure: AttemptError<E>, options: &JobOptions) -> bool {
        let is_lost = matches!(failure, AttemptError::WorkerEnded(_) | AttemptError::WorkerUnresponsive(_));
        self.lost_workers += u32::from(is_lost);
        self.all.push(failure);
        let is_used_up = if is_lost {
            self.lost_workers >= options.lost_workers.unwrap_or(options.attempts)
        } else {
            self.len() - self.lost_workers >= options.attempts
        };
        is_used_up || options.is_tried_once
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }
}

/// A failed attempt.
pub(crate) struct FailedAttempt<E> {
    pub(crate) error: AttemptError<E>,
    /// The consequence, as long as the job has attempts left.
    pub(in crate::pool) retry: Retry,
}

impl<E> FailedAttempt<E> {
    /// Returns an attempt that failed without an error of the job.
    pub(crate) const fn new(error: AttemptError<E>) -> Self {
        Self { error, retry: Retry::Backoff }
    }

    /// Returns the cause of the retry that follows.
    pub(in crate::pool) const fn cause(&self) -> RetryCause {
        match self.error {
            AttemptError::Error(_) => RetryCause::Error,
            AttemptError::TimedOut => RetryCause::TimedOut,
            AttemptError::WorkerEnded(_) | AttemptError::WorkerUnresponsive(_) => RetryCause::LostWorker,
        }
    }
}

/// The consequence of a failed attempt.
pub(crate) enum AfterFailure {
    /// The job is retried after this delay.
    Retry(Duration),
    /// The job is dead: its error is its result, or it has no attempts left.
    Dead,
}
