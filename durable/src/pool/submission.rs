//! Durable jobs that are about to be submitted, and their options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::catch_panic;
use perennial_supervision::pool::Work;

use super::shared::Shared;
use super::submit_error::DurableSubmitError;
use crate::codec::EncodeError;
use crate::payload::Payload;
use crate::record::{NewJob, Timestamp, Unique};

/// A durable job that is about to be submitted, or [many](ManyDurableJobs), with options. Options
/// that are not set are those of the pool. An option of many jobs holds for each of them.
///
/// # Cancel safety
///
/// The jobs are handed over to the store when this becomes a future. If that is dropped, they are
/// stored and run, and only their numbers are lost.
#[must_use = "jobs are submitted when this is awaited"]
pub struct DurableSubmission<W: Work + 'static, J = OneDurableJob<<W as Work>::Job>> {
    pub(super) shared: Arc<Shared<W>>,
    pub(super) job: J,
    options: NewJob,
    delay: Option<Duration>,
    expires_in: Option<Duration>,
}

/// The job of a [`DurableSubmission`] by [`DurableHandle::submit`](super::DurableHandle::submit).
pub struct OneDurableJob<J>(pub(super) J);

/// The jobs of a [`DurableSubmission`] by
/// [`DurableHandle::submit_many`](super::DurableHandle::submit_many).
pub struct ManyDurableJobs<J>(pub(super) Vec<J>);

impl<J> fmt::Debug for OneDurableJob<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneDurableJob(..)")
    }
}

impl<J> fmt::Debug for ManyDurableJobs<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManyDurableJobs").field("len", &self.0.len()).finish()
    }
}

impl<W: Work + 'static> DurableSubmission<W> {
    pub(super) fn one(shared: Arc<Shared<W>>, job: W::Job) -> Self {
        Self::new(shared, OneDurableJob(job))
    }

    /// Returns the job as it is stored, for an enqueue in the caller's own transaction: see
    /// `SqliteStore::transaction`. Its time of submission is that of this call.
    ///
    /// # Errors
    ///
    /// [`DurableSubmitError::Encode`] with the job.
    pub fn prepare(self) -> Result<NewJob, DurableSubmitError<W::Job>> {
        match self.encoded(&self.job.0, self.shared.now()) {
            Ok(new) => Ok(new),
            Err(error) => Err(DurableSubmitError::Encode(self.job.0, error)),
        }
    }
}

impl<W: Work + 'static> DurableSubmission<W, ManyDurableJobs<W::Job>> {
    pub(super) fn many(shared: Arc<Shared<W>>, jobs: impl IntoIterator<Item = W::Job>) -> Self {
        Self::new(shared, ManyDurableJobs(jobs.into_iter().collect()))
    }
}

impl<W: Work + 'static, J> DurableSubmission<W, J> {
    fn new(shared: Arc<Shared<W>>, job: J) -> Self {
        let empty = Payload { tag: String::new(), version: 0, codec: String::new(), bytes: Vec::new() };
        let mut options = NewJob::new(&*shared.queue, empty);
        let settings = shared.settings.lock();
        options.attempts = settings.attempts;
        options.lost_attempts = settings.lost_workers;
        options.retention = settings.retention;
        options.options.retain_dead = settings.retain_dead;
        drop(settings);
        Self { shared, job, options, delay: None, expires_in: None }
    }

    /// Sets the priority: jobs of a higher priority start first; 0 by default.
    pub const fn priority(mut self, priority: u8) -> Self {
        self.options.priority = priority;
        self
    }

    /// Delays the start of the job by at least this time, also if the process ends meanwhile.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Lets the job expire if it has not started within this time. That is found when it would
    /// start.
    pub const fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }

    /// Sets the key: jobs of one key run one after the other, in order as long as none fails, in
    /// whichever process.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.options.key = Some(key.into());
        self
    }

    /// Stores the job only if there is none with this rule: see [`Unique`]. The submission resolves
    /// with the handle of the one that is there then.
    pub fn unique(mut self, unique: Unique) -> Self {
        self.options.unique = Some(unique);
        self
    }

    /// Sets the number of attempts, the first included: see [`DurablePool::attempts`].
    ///
    /// [`DurablePool::attempts`]: super::DurablePool::attempts
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.options.attempts = attempts.max(1);
        self
    }

    /// Sets how many workers and processes the job may cost before it is dead: see
    /// [`DurablePool::lost_workers`](super::DurablePool::lost_workers).
    pub fn lost_workers(mut self, workers: u32) -> Self {
        self.options.lost_attempts = workers.max(1);
        self
    }

    /// Starts the job at most once. If its process ends meanwhile, its state is
    /// [unknown](crate::RecordState::Unknown), and it is kept until it is retried or removed by
    /// hand.
    pub const fn at_most_once(mut self) -> Self {
        self.options.at_most_once = true;
        self
    }

    /// Sets how long the result is kept: see
    /// [`DurablePool::retain_results`](super::DurablePool::retain_results).
    pub const fn retain(mut self, time: Duration) -> Self {
        self.options.retention = time;
        self
    }

    /// Sets the time limit of an attempt; that of the pool by default: see
    /// [`Submission::time_limit`](perennial_supervision::pool::Submission::time_limit).
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.options.options.time_limit = Some(limit);
        self
    }

    /// Sets when an attempt is told to return; that of the pool by default: see
    /// [`Submission::soft_time_limit`](perennial_supervision::pool::Submission::soft_time_limit).
    pub const fn soft_time_limit(mut self, limit: Duration) -> Self {
        self.options.options.soft_time_limit = Some(limit);
        self
    }

    /// Sets the kind of the job for the rate limits of the pool, of which each process has its own:
    /// see [`Submission::rate_key`](perennial_supervision::pool::Submission::rate_key). For
    /// [`Pool::rate_for`](perennial_supervision::pool::Pool::rate_for), it is a `String`.
    pub fn rate_key(mut self, key: impl Into<String>) -> Self {
        self.options.options.rate_key = Some(key.into());
        self
    }

    /// Sets the trace that the job belongs to, as a W3C `traceparent`; that of
    /// [`DurablePool::traceparent_from`](super::DurablePool::traceparent_from) by default. It is
    /// stored with the job as it is, and not read. Each attempt has it in its span and its
    /// [context](perennial_supervision::pool::JobContext::traceparent), in whichever process.
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.options.options.traceparent = Some(traceparent.into());
        self
    }

    /// Sets how long the job is kept when it is dead: see
    /// [`DurablePool::retain_dead_jobs`](super::DurablePool::retain_dead_jobs).
    pub const fn retain_dead(mut self, time: Duration) -> Self {
        self.options.options.retain_dead = Some(time);
        self
    }

    /// Returns the trace of the submission. May run a user's function.
    fn find_traceparent(&self) -> Option<String> {
        if let Some(own) = &self.options.options.traceparent {
            return Some(own.clone());
        }
        let current = self.shared.settings.lock().traceparent.clone()?;
        catch_panic(None, || current()).ok().flatten()
    }

    /// Returns the job with its options and its bytes.
    pub(super) fn encoded(&self, job: &W::Job, now: Timestamp) -> Result<NewJob, EncodeError> {
        let encode = self.shared.settings.lock().encode_job;
        let payload = catch_panic(None, || encode(job))
            .unwrap_or_else(|panicked| Err(EncodeError::Refused(panicked.to_string())))?;
        let mut new = NewJob {
            payload,
            due: self.delay.map_or(Timestamp(0), |delay| now.saturating_add(delay)),
            expires: self.expires_in.map(|time| now.saturating_add(time)),
            ..self.options.clone()
        };
        new.options.traceparent = self.find_traceparent();
        Ok(new)
    }
}

impl<W: Work + 'static, J> fmt::Debug for DurableSubmission<W, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableSubmission").field("queue", &self.options.queue).finish_non_exhaustive()
    }
}
