//! Deferred drops: users' values are dropped under no lock, each under a panic guard.

use std::sync::Arc;

use super::job_state::{GuardedOutcome, JobState};
use crate::pool::job::{AttemptError, DeadJob, Failures};
use crate::pool::worker::Work;

/// A value to be dropped. Each holds at most one user's value without a panic guard of its own.
#[expect(dead_code, reason = "the values are only dropped")]
pub(crate) enum DeferredDrop<W: Work + 'static> {
    Task(Arc<JobState<W>>),
    Output(W::Output),
    Failure(AttemptError<W::Error>),
    Failures(Failures<W::Error>),
    Dead(DeadJob<W>),
    Delivered(Arc<JobState<W>>, Option<GuardedOutcome<W>>),
}

/// Drops values of unknown types, as [`dispose_each`](perennial_actors::host::dispose_each) does.
pub(crate) type DropValues<W> = fn(Vec<DeferredDrop<W>>);
