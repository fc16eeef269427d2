//! What is only to be dropped: users' values, under no lock and each under a guard.

use std::sync::Arc;

use super::job::{AttemptError, DeadJob, Failures};
use super::job_state::{JobState, Kept};

/// What is only to be dropped. Each holds one user's value that has no guard of its own yet, at most.
#[expect(dead_code, reason = "it is kept for nothing but to be dropped")]
pub(super) enum Trash<J, T, E> {
    Task(Arc<JobState<J, T, E>>),
    Output(T),
    Failure(AttemptError<E>),
    Failures(Failures<E>),
    Dead(DeadJob<J, E>),
    Given(Arc<JobState<J, T, E>>, Option<Kept<T, E>>),
}

/// Drops trash of unknown types, as [`dispose_each`](perennial_actors::host::dispose_each) does.
pub(super) type Discard<J, T, E> = fn(Vec<Trash<J, T, E>>);
