//! The statistics of a pool.

use std::fmt;
use std::time::Duration;

/// A histogram of durations with an error of at most one eighth, in constant memory.
#[derive(Clone)]
pub(super) struct Histogram {
    counts: [u32; BUCKETS],
    total: u64,
}

/// The number of buckets: eight for each power of two, of nanoseconds, up to more than an hour.
const BUCKETS: usize = 8 * 43;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    pub(super) fn count(&mut self, time: Duration) {
        let count = &mut self.counts[bucket(time)];
        *count = count.saturating_add(1);
        self.total += 1;
    }

    /// Returns an upper bound of the durations of this part of all, with the error of the
    /// histogram.
    pub(super) fn percentile(&self, part: f64) -> Duration {
        let wanted = (self.total as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted && seen > 0 {
                return upper(bucket);
            }
        }
        Duration::ZERO
    }
}

fn bucket(time: Duration) -> usize {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(8);
    let power = nanos.ilog2() as usize;
    let eighth = (nanos >> (power - 3)) as usize & 7;
    ((power - 3) * 8 + eighth).min(BUCKETS - 1)
}

fn upper(bucket: usize) -> Duration {
    let (power, eighth) = (bucket / 8 + 3, bucket as u64 % 8);
    Duration::from_nanos((8 + eighth + 1) << (power - 3))
}

/// Returns `true` if the times of this job are measured: the first 1,024 jobs, and then one in 16.
/// Reading the clock twice for every job would cost as much as all the rest.
pub(super) const fn is_sampled(number: u64) -> bool {
    number <= 1024 || number % 16 == 0
}

/// The statistics of a pool at one moment. Wait and work times are measured for the first 1,024
/// jobs, and after that for one job in 16. A pool of elastic size measures every job.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Jobs that were accepted.
    pub submitted: u64,
    /// Jobs that are queued now, delayed ones included.
    pub queued: usize,
    /// Jobs that run now.
    pub running: usize,
    /// Jobs that completed with an output.
    pub completed: u64,
    /// Jobs that failed permanently: they returned an error, had all their attempts, or expired
    /// before the next.
    pub failed: u64,
    /// Attempts that failed or were interrupted and are followed by another.
    pub retried: u64,
    /// Jobs that were cancelled, expired before their first attempt, or were dropped.
    pub dropped: u64,
    /// Workers that run now.
    pub workers: usize,
    /// The median time that jobs waited before they started.
    pub wait_p50: Duration,
    /// The 99th percentile of that.
    pub wait_p99: Duration,
    /// The median duration of attempts.
    pub work_p50: Duration,
    /// The 99th percentile of that.
    pub work_p99: Duration,
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { submitted, queued, running, completed: done, failed, retried, dropped, workers, .. } =
            self;
        write!(f, "{done} of {submitted} done, {running} running, {queued} queued, {failed} failed, ")?;
        write!(f, "{retried} retried, {dropped} dropped, {workers} workers, ")?;
        write!(f, "waiting {:?} (p99 {:?}), ", self.wait_p50, self.wait_p99)?;
        write!(f, "working {:?} (p99 {:?})", self.work_p50, self.work_p99)
    }
}

/// The counters of a pool.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) retried: u64,
    pub(super) dropped: u64,
    pub(super) waits: Histogram,
    pub(super) works: Histogram,
}
