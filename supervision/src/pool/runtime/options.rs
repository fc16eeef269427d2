//! The options of a job.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::any_attempt::TimeLimits;
use crate::policy::Backoff;
use crate::pool::origin::JobOrigin;
use crate::pool::retry::RetryRule;
use crate::pool::scheduler::{RateKey, Time};

/// The options of a job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobOptions {
    pub(crate) priority: u8,
    /// The number of attempts that may fail by themselves, the last included.
    pub(crate) attempts: u32,
    /// The number of workers that the job may lose, the last included, if it is not the number of
    /// attempts.
    pub(crate) lost_workers: Option<u32>,
    /// `true` if the job never starts twice.
    pub(crate) is_tried_once: bool,
    pub(crate) backoff: Option<Backoff>,
    /// The time limits of an attempt.
    pub(crate) limits: TimeLimits,
    pub(crate) expires_in: Option<Duration>,
    /// When the job expires, once its submission has begun to wait for room.
    pub(crate) expires: Option<Time>,
    pub(crate) delay: Option<Duration>,
    /// The hash of its key.
    pub(crate) key: Option<u64>,
    /// The kind of the job, for its rate limit.
    pub(crate) rate_key: Option<RateKey>,
    /// The slot of the only worker that may run it.
    pub(crate) slot: Option<usize>,
}

/// The options of a job that has options of its own.
pub(crate) struct OwnOptions<E: 'static> {
    pub(crate) values: JobOptions,
    /// The errors that are retried, if they differ from those of the pool.
    pub(in crate::pool) retry: Option<RetryRule<E>>,
    /// The job of another queue that this is an attempt at.
    pub(in crate::pool) origin: Option<JobOrigin>,
}

impl<E> OwnOptions<E> {
    /// Counts the time until the job expires from `now`, unless it is counted already.
    pub(crate) fn begin_expiry(self: &mut Arc<Self>, now: impl FnOnce() -> Time) {
        let JobOptions { expires_in: Some(time), expires: None, .. } = self.values else { return };
        Arc::make_mut(self).values.expires = Some(now().saturating_add(time));
    }

    /// Returns the options of the next life of a job, which has no delay and expires later.
    pub(crate) fn of_next(mut self: Arc<Self>) -> Arc<Self> {
        if self.values.delay.is_some() || self.values.expires.is_some() {
            let values = &mut Arc::make_mut(&mut self).values;
            (values.delay, values.expires) = (None, None);
        }
        self
    }
}

impl<E> From<JobOptions> for OwnOptions<E> {
    fn from(values: JobOptions) -> Self {
        Self { values, retry: None, origin: None }
    }
}

impl<E> fmt::Debug for OwnOptions<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { values, retry, origin } = self;
        let mut fields = f.debug_struct("OwnOptions");
        fields.field("values", values).field("retry", retry).field("origin", origin).finish()
    }
}

impl<E> Clone for OwnOptions<E> {
    fn clone(&self) -> Self {
        Self { values: self.values, retry: self.retry.clone(), origin: self.origin.clone() }
    }
}
