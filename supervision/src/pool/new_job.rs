//! A job that is to be taken in, and one that was.

use std::sync::Arc;

use super::job_state::{JobOptions, JobState, ResultSink};

/// A job that is to be taken in.
pub(super) struct NewJob<J, T, E> {
    /// How it is to be treated, if not as every job of its pool.
    pub(super) terms: Option<Box<JobOptions>>,
    pub(super) job: J,
    pub(super) sink: ResultSink<T, E>,
}

/// A job that was taken in.
pub(super) type TaskOf<J, T, E> = Arc<JobState<J, T, E>>;
