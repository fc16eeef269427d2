//! So many jobs in so much time.

use std::time::Duration;

/// A bucket of tokens that fills evenly. A job that begins takes one.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// How long one token takes.
    interval: Duration,
    /// How long it takes to fill the whole bucket.
    depth: Duration,
    /// When the bucket would be empty, if time ran backwards: the later, the fewer tokens there are.
    empty_at: Duration,
}

impl Bucket {
    /// `jobs` in every `period`; as many at once, if none have begun for so long.
    pub(super) fn new(jobs: u32, period: Duration) -> Self {
        let jobs = jobs.max(1);
        Self { interval: period / jobs, depth: period, empty_at: Duration::ZERO }
    }

    pub(super) fn is_ready(&self, now: Duration) -> bool {
        self.spent(now) + self.interval <= self.depth
    }

    pub(super) fn spend(&mut self, now: Duration) {
        self.empty_at = now + self.spent(now) + self.interval;
    }

    /// When there is a token, if there is none now.
    pub(super) fn ready_at(&self, now: Duration) -> Option<Duration> {
        let missing = (self.spent(now) + self.interval).saturating_sub(self.depth);
        (!missing.is_zero()).then(|| now + missing)
    }

    /// How much of the bucket is spent.
    fn spent(&self, now: Duration) -> Duration {
        self.empty_at.saturating_sub(now)
    }
}
