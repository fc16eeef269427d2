//! Deferred drops: users' values are dropped under no lock, each under a panic guard.

use std::sync::Arc;

use super::job::{AttemptError, DeadJob, Failures};
use super::job_state::{GuardedOutcome, JobState};

/// A value to be dropped. Each holds at most one user's value without a panic guard of its own.
#[expect(dead_code, reason = "the values are only dropped")]
pub(super) enum DeferredDrop<J, T, E> {
    Task(Arc<JobState<J, T, E>>),
    Output(T),
    Failure(AttemptError<E>),
    Failures(Failures<E>),
    Dead(DeadJob<J, E>),
    Delivered(Arc<JobState<J, T, E>>, Option<GuardedOutcome<T, E>>),
}

/// Drops values of unknown types, as [`dispose_each`](perennial_actors::host::dispose_each) does.
pub(super) type DropValues<J, T, E> = fn(Vec<DeferredDrop<J, T, E>>);
