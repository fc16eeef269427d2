//! The value of a job, which is its own or that of a dead job that is retried.

use std::ops::Deref;
use std::sync::Arc;

use perennial_actors::host::Guarded;

use super::job_state::JobState;
use crate::pool::worker::Work;

/// The value of a job.
pub(crate) enum Payload<W: Work + 'static> {
    /// Dropped under a panic guard wherever the last reference to the job is dropped.
    Own(Guarded<W::Job>),
    /// The value of this job, which is its own.
    Of(Arc<JobState<W>>),
}

impl<W: Work + 'static> Payload<W> {
    pub(crate) const fn new(job: W::Job) -> Self {
        Self::Own(Guarded::new(job))
    }

    /// Returns the value of this job, for another job.
    pub(crate) fn of(job: &Arc<JobState<W>>) -> Self {
        // The reference is to the first job, however often it is retried.
        Self::Of(match &job.job {
            Self::Own(_) => job.clone(),
            Self::Of(first) => first.clone(),
        })
    }
}

impl<W: Work + 'static> Deref for Payload<W> {
    type Target = W::Job;

    #[inline]
    fn deref(&self) -> &W::Job {
        match self {
            Self::Own(job) => job,
            Self::Of(first) => &first.job,
        }
    }
}
