//! The rate limits of a pool: its settings, and their changes while it runs.

use std::hash::Hash;

use super::builder::Pool;
use super::handle::PoolHandle;
use super::scheduler::RateLimit;
use super::submission::rate_key_of;
use super::worker::Work;
use crate::spec::SpecError;

impl<W: Work + 'static> Pool<W> {
    /// Limits the start of jobs; no limit by default. Retries count as starts.
    ///
    /// A limit of zero is [an error](SpecError::ZeroRate) when the pool starts.
    ///
    #[doc = setting_example!(
        "let pool = pool.rate(RateLimit::per(100, Duration::from_secs(1)));"
    )]
    pub fn rate(mut self, limit: RateLimit) -> Self {
        self.has_zero_rate |= limit.is_zero();
        self.handle.shared.reschedule(|scheduler| scheduler.set_rate(Some(limit)));
        self
    }

    /// Limits the start of the jobs of each kind, by their
    /// [`rate_key`](super::Submission::rate_key); no limit by default. Retries count as starts.
    ///
    /// Jobs of a kind that has used up its limit wait. They start in the order of their priorities
    /// and submissions, and hold back no job of another kind. A kind uses memory only while a job
    /// of it is queued, or a start of it still counts.
    ///
    /// A limit of zero is [an error](SpecError::ZeroRate) when the pool starts.
    ///
    #[doc = setting_example!(
        "let pool = pool.rate_per_key(RateLimit::per(10, Duration::from_secs(1)).burst(10));"
    )]
    pub fn rate_per_key(mut self, limit: RateLimit) -> Self {
        self.has_zero_rate |= limit.is_zero();
        self.handle.shared.reschedule(|scheduler| scheduler.set_rate_per_key(Some(limit)));
        self
    }

    /// Limits the start of the jobs of one kind, in place of
    /// [`rate_per_key`](Self::rate_per_key), as Celery limits each type of task.
    ///
    /// A limit of zero is [an error](SpecError::ZeroRate) when the pool starts.
    ///
    #[doc = setting_example!(
        r#"let minute = Duration::from_secs(60);
let pool = pool.rate_for(&"mail", RateLimit::per(10, minute));"#
    )]
    pub fn rate_for(mut self, key: &impl Hash, limit: RateLimit) -> Self {
        self.has_zero_rate |= limit.is_zero();
        let key = rate_key_of(key);
        self.handle.shared.reschedule(|scheduler| scheduler.set_rate_for(key, Some(limit)));
        self
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Changes the [rate limit](Pool::rate) of all jobs, or removes it with `None`. The starts
    /// before this call do not count for the new limit.
    ///
    /// # Errors
    ///
    /// [`SpecError::ZeroRate`] if the limit is zero. The limit is then not changed.
    ///
    #[doc = pool_example!(r"squares.set_rate(RateLimit::window(1, Duration::from_secs(60)))?;
assert_eq!(squares.submit(7).await?.await?, 49);
let second = squares.submit(7).await?;
squares.set_rate(None)?;
assert_eq!(second.await?, 49);")]
    pub fn set_rate(&self, limit: impl Into<Option<RateLimit>>) -> Result<(), SpecError> {
        let limit = self.checked(limit.into())?;
        self.shared.reschedule(|scheduler| scheduler.set_rate(limit));
        Ok(())
    }

    /// Changes the [rate limit](Pool::rate_for) of one kind of jobs, or removes it with `None`,
    /// also that of [`rate_per_key`](Pool::rate_per_key). The starts before this call do not count
    /// for the new limit. It is Celery's `control.rate_limit`.
    ///
    /// # Errors
    ///
    /// [`SpecError::ZeroRate`] if the limit is zero. The limit is then not changed.
    ///
    #[doc = pool_example!(r#"let minute = Duration::from_secs(60);
squares.set_rate_for(&"mail", RateLimit::window(1, minute))?;
assert_eq!(squares.submit(7).rate_key(&"mail").await?.await?, 49);
let second = squares.submit(7).rate_key(&"mail").await?;
squares.set_rate_for(&"mail", None)?;
assert_eq!(second.await?, 49);"#)]
    pub fn set_rate_for(
        &self,
        key: &impl Hash,
        limit: impl Into<Option<RateLimit>>,
    ) -> Result<(), SpecError> {
        let (key, limit) = (rate_key_of(key), self.checked(limit.into())?);
        self.shared.reschedule(|scheduler| scheduler.set_rate_for(key, limit));
        Ok(())
    }

    /// Returns the limit, or an error if it is zero.
    fn checked(&self, limit: Option<RateLimit>) -> Result<Option<RateLimit>, SpecError> {
        if limit.is_some_and(|limit| limit.is_zero()) {
            return Err(SpecError::ZeroRate { id: self.supervisor().id().clone() });
        }
        Ok(limit)
    }
}
