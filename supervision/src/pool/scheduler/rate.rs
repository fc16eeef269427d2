//! The state of a rate limit: which starts still count.

use std::collections::VecDeque;
use std::time::Duration;

use super::rate_limit::RateLimit;

/// The number of parts of a period. Jobs that start within one part are recorded as one entry.
const PARTS: u32 = 4096;

/// The state of a rate limit.
#[derive(Clone, Debug)]
pub(crate) enum Rate {
    Window(Window),
    Bucket(Bucket),
}

impl Rate {
    /// Makes the state of a limit of which nothing is used.
    pub(crate) fn new(limit: RateLimit) -> Self {
        let RateLimit { jobs, period, burst } = limit;
        match burst {
            None => Self::Window(Window::new(jobs, period)),
            Some(burst) => Self::Bucket(Bucket::new(jobs, period, burst)),
        }
    }

    pub(crate) fn is_ready(&mut self, now: Duration) -> bool {
        self.ready_at(now).is_none()
    }

    /// Records the start of a job.
    pub(crate) fn record_start(&mut self, now: Duration) {
        match self {
            Self::Window(window) => window.record_start(now),
            Self::Bucket(bucket) => bucket.record_start(now),
        }
    }

    /// Returns when the next job may start, or `None` if one may start now.
    pub(crate) fn ready_at(&mut self, now: Duration) -> Option<Duration> {
        match self {
            Self::Window(window) => window.ready_at(now),
            Self::Bucket(bucket) => bucket.ready_at(now),
        }
    }

    /// Returns when no start counts any more, so that the state equals a new one.
    pub(crate) fn unused_at(&self) -> Duration {
        match self {
            Self::Window(window) => window.unused_at(),
            Self::Bucket(bucket) => bucket.time_of(bucket.full),
        }
    }
}

/// A token bucket as one number, known as the generic cell rate algorithm: a start moves the time
/// at which the bucket is full again by the time that one token takes.
///
/// Times are counted in parts of a nanosecond, one for each job of a period, in which every time
/// that matters is a whole number. So no start is allowed too early, not even by rounding.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    /// The parts of a nanosecond: the jobs of a period.
    parts: u128,
    /// The time that one token takes.
    token: u128,
    /// The time that all tokens but one take.
    slack: u128,
    /// When the bucket is full.
    full: u128,
}

impl Bucket {
    fn new(jobs: u32, period: Duration, burst: u32) -> Self {
        let token = period.as_nanos();
        let slack = token.saturating_mul(u128::from(burst.max(1)) - 1);
        Self { parts: u128::from(jobs.max(1)), token, slack, full: 0 }
    }

    fn record_start(&mut self, now: Duration) {
        let now = now.as_nanos().saturating_mul(self.parts);
        self.full = self.full.max(now).saturating_add(self.token);
    }

    fn ready_at(&self, now: Duration) -> Option<Duration> {
        Some(self.time_of(self.full.saturating_sub(self.slack))).filter(|ready| *ready > now)
    }

    /// Returns the first whole nanosecond that is not before this time.
    fn time_of(&self, time: u128) -> Duration {
        const SECOND: u128 = 1_000_000_000;
        let nanos = time.div_ceil(self.parts);
        // The remainder of a second is less than one.
        let remainder = u32::try_from(nanos % SECOND).unwrap_or(0);
        u64::try_from(nanos / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, remainder))
    }
}

/// Jobs that started at nearly the same time.
#[derive(Clone, Copy, Debug)]
struct StartGroup {
    first: Duration,
    last: Duration,
    jobs: u32,
}

/// A sliding window: at most `jobs` start in any window of one period.
///
/// A token bucket would allow nearly twice as many starts in the period after it was full.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    jobs: u32,
    period: Duration,
    /// The starts that may still count, oldest first: a few thousand entries at most, however many
    /// jobs there are.
    starts: VecDeque<StartGroup>,
    /// The number of jobs in `starts`.
    in_window: u32,
}

impl Window {
    fn new(jobs: u32, period: Duration) -> Self {
        Self { jobs: jobs.max(1), period, starts: VecDeque::new(), in_window: 0 }
    }

    fn record_start(&mut self, now: Duration) {
        self.in_window = self.in_window.saturating_add(1);
        let part = self.period / PARTS;
        match self.starts.back_mut() {
            Some(group) if now.saturating_sub(group.first) <= part => {
                group.last = group.last.max(now);
                group.jobs += 1;
            }
            _ => self.starts.push_back(StartGroup { first: now, last: now, jobs: 1 }),
        }
    }

    fn ready_at(&mut self, now: Duration) -> Option<Duration> {
        while let Some(group) =
            self.starts.front().filter(|group| group.last.saturating_add(self.period) <= now)
        {
            self.in_window -= group.jobs;
            self.starts.pop_front();
        }
        let full = self.in_window >= self.jobs;
        self.starts.front().filter(|_| full).map(|group| group.last.saturating_add(self.period))
    }

    fn unused_at(&self) -> Duration {
        self.starts.back().map_or(Duration::ZERO, |group| group.last.saturating_add(self.period))
    }
}

#[cfg(all(test, not(model)))]
impl Rate {
    /// Returns the number of entries.
    pub(crate) fn entries(&self) -> usize {
        match self {
            Self::Window(window) => window.starts.len(),
            Self::Bucket(_) => 0,
        }
    }
}
