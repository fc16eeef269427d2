//! What is only to be dropped: users' values, under no lock and each under a guard.

use std::sync::Arc;

use super::job::{DeadJob, AttemptError, Failures};
use super::job_state::{GuardedOutcome, JobState};

/// What is only to be dropped. Each holds one user's value that has no guard of its own yet, at most.
#[expect(dead_code, reason = "it is kept for nothing but to be dropped")]
pub(super) enum DeferredDrop<J, T, E> {
    Task(Arc<JobState<J, T, E>>),
    Output(T),
    Failure(AttemptError<E>),
    Failures(Failures<E>),
    Dead(DeadJob<J, E>),
    Delivered(Arc<JobState<J, T, E>>, Option<GuardedOutcome<T, E>>),
}

/// Drops trash of unknown types, as [`dispose_each`](perennial_actors::host::dispose_each) does.
pub(super) type DropValues<J, T, E> = fn(Vec<DeferredDrop<J, T, E>>);
