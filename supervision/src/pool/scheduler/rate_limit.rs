//! The rate limit of a pool, as a setting.

use std::time::Duration;

/// How many jobs may start in a time: of a [pool](crate::pool::Pool::rate), or of [each
/// kind](crate::pool::Pool::rate_per_key) of its jobs.
///
/// | limit | starts | known from |
/// |---|---|---|
/// | `RateLimit::per(10, minute)` | evenly spaced: one in 6 s | Celery's `rate_limit="10/m"` |
/// | `RateLimit::per(10, minute).burst(5)` | up to 5 at once, then one in 6 s | token bucket |
/// | `RateLimit::window(10, minute)` | at most 10 in any minute | sliding window |
///
/// A limit of zero jobs, of a period of zero, or with a burst of zero is [an
/// error](crate::SpecError::ZeroRate) when the pool starts.
///
/// Waiting workers start jobs to the millisecond. A limit of more than 1,000 jobs per second
/// therefore needs a burst, or a window, to be used to the full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateLimit {
    pub(super) jobs: u32,
    pub(super) period: Duration,
    /// The size of the token bucket, or `None` for a sliding window.
    pub(super) burst: Option<u32>,
}

impl RateLimit {
    /// Limits starts to `jobs` per `period`, evenly spaced: a token bucket with room for one token,
    /// as Celery's `rate_limit`. An unused start is lost.
    ///
    #[doc = setting_example!(
        "let pool = pool.rate(RateLimit::per(100, Duration::from_secs(1)));"
    )]
    pub const fn per(jobs: u32, period: Duration) -> Self {
        Self { jobs, period, burst: Some(1) }
    }

    /// Limits starts to `jobs` in any window of one `period`. All of them may start at once if none
    /// started for a period.
    ///
    #[doc = setting_example!(
        "let pool = pool.rate(RateLimit::window(100, Duration::from_secs(1)));"
    )]
    pub const fn window(jobs: u32, period: Duration) -> Self {
        Self { jobs, period, burst: None }
    }

    /// Makes the limit a token bucket with room for `jobs` tokens: as many unused starts are kept
    /// and may be used at once. In any time, at most the starts of that time and `jobs` more
    /// happen.
    ///
    #[doc = setting_example!(
        "let pool = pool.rate(RateLimit::per(100, Duration::from_secs(1)).burst(10));"
    )]
    pub const fn burst(mut self, jobs: u32) -> Self {
        self.burst = Some(jobs);
        self
    }

    /// Returns `true` if the limit allows no job, or does not limit.
    pub(crate) const fn is_zero(&self) -> bool {
        self.jobs == 0 || self.period.is_zero() || matches!(self.burst, Some(0))
    }
}
