//! The job of another queue that a job of a pool is an attempt at.

use std::fmt;
use std::sync::Arc;

use super::job_context::JobProgress;

/// The job of another queue that a job of a pool is an attempt at: see
/// [`Submission::origin`](super::Submission::origin).
///
/// It is for those that build on pools and decide on retries themselves, as the durable pools of
/// `perennial-durable` do.
#[derive(Clone)]
pub struct JobOrigin {
    /// The number of the job in that queue. [`JobContext::id`](super::JobContext::id) and the span
    /// of the job have it.
    pub id: u64,
    /// The number of the first attempt of the submission among all attempts at the job; the first
    /// of all is 1. [`JobContext::attempt`](super::JobContext::attempt) counts from there.
    pub attempt: u32,
    /// What an earlier attempt has reported last: see
    /// [`JobContext::progress`](super::JobContext::progress).
    pub progress: Option<JobProgress>,
    /// The trace that the job belongs to, as a W3C `traceparent`: see
    /// [`JobContext::traceparent`](super::JobContext::traceparent).
    pub traceparent: Option<Arc<str>>,
    /// What is told the progress of the job.
    pub sink: Option<Arc<dyn ProgressSink>>,
}

impl fmt::Debug for JobOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, attempt, progress, .. } = self;
        let mut fields = f.debug_struct("JobOrigin");
        fields.field("id", id).field("attempt", attempt).field("progress", progress).finish_non_exhaustive()
    }
}

/// What is told the progress of jobs with an [origin](JobOrigin).
pub trait ProgressSink: Send + Sync + 'static {
    /// Takes the progress of an attempt. It is called in
    /// [`JobContext::set_progress`](super::JobContext::set_progress), under no lock, and must not
    /// block. A panic in it is one of the job.
    fn report(&self, id: u64, attempt: u32, progress: JobProgress);
}
