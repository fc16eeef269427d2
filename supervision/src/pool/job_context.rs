//! The context of a job.

use std::fmt;
use std::sync::Arc;

use super::job_id::JobId;
use super::runtime::{AnyAttempt, AttemptInfo, OwnedAttempt};

/// The context of one attempt at a job: its identity and its limits. Each call of
/// [`Worker::work`](super::Worker::work) gets one.
///
/// It borrows from the worker, and costs nothing until it is used. [`to_owned`](Self::to_owned)
/// makes one for another task or thread.
pub struct JobContext<'a>(Inner<'a>);

enum Inner<'a> {
    Borrowed(&'a dyn AnyAttempt),
    Owned(Arc<OwnedAttempt>),
}

impl<'a> JobContext<'a> {
    pub(super) const fn new(attempt: &'a dyn AnyAttempt) -> Self {
        Self(Inner::Borrowed(attempt))
    }

    fn info(&self) -> &AttemptInfo {
        match &self.0 {
            Inner::Borrowed(attempt) => attempt.info(),
            Inner::Owned(attempt) => &attempt.info,
        }
    }

    /// Returns the number of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.info().id
    }

    /// Returns the number of this start of the job; the first is 1. Every start counts, also one
    /// that uses up no [attempt](super::Pool::attempts).
    ///
    #[doc = setting_example!(
        r#"let pool = Pool::from_fn_with_context("squares", 2, |n: &u64, ctx: JobContext<'_>| {
    assert_eq!(ctx.attempt(), 1);
    ready(Ok::<u64, Infallible>(n * n))
});"#
    )]
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.info().number
    }

    /// Returns a context of the same attempt for another task or thread. It allocates once per
    /// attempt.
    #[must_use]
    pub fn to_owned(&self) -> JobContext<'static> {
        JobContext(Inner::Owned(match &self.0 {
            Inner::Borrowed(attempt) => attempt.owned().clone(),
            Inner::Owned(attempt) => attempt.clone(),
        }))
    }
}

impl fmt::Debug for JobContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AttemptInfo { id, number } = self.info();
        f.debug_struct("JobContext").field("id", id).field("attempt", number).finish_non_exhaustive()
    }
}
