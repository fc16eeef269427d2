//! A job before and after its admission.

use std::sync::Arc;

use super::job_state::{JobOptions, JobState, ResultSink};

/// A job that is not admitted yet.
pub(super) struct NewJob<J, T, E> {
    /// The options, if they differ from those of the pool.
    pub(super) options: Option<Box<JobOptions>>,
    pub(super) job: J,
    pub(super) sink: ResultSink<T, E>,
}

/// An admitted job.
pub(super) type AdmittedJob<J, T, E> = Arc<JobState<J, T, E>>;
