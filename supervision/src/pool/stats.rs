//! What a pool has done, and how long it took.

use std::fmt;
use std::time::Duration;

/// Times, counted by how long they were: with an error of at most an eighth, and in the same room however many there are.
#[derive(Clone)]
pub(super) struct Histogram {
    counts: [u32; BUCKETS],
    total: u64,
}

/// Eight for each power of two, of nanoseconds up to more than an hour.
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

    /// The time below which this part of all is, or a little more.
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

/// Whether it is taken of a job how long it waits and is worked at: of the first thousand, and then of one in sixteen. To look at the clock
/// twice for every job would cost as much as all the rest.
pub(super) const fn is_sampled(number: u64) -> bool {
    number <= 1024 || number % 16 == 0
}

/// What a pool has done up to a moment. How long jobs waited and were worked at is of the first thousand, and of one in sixteen after that.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Jobs that were taken in.
    pub submitted: u64,
    /// Jobs that wait now, delayed ones included.
    pub queued: usize,
    /// Jobs that are worked at now.
    pub running: usize,
    /// Jobs that have a result.
    pub completed: u64,
    /// Jobs that failed and are not tried again: they have had all their attempts, or expired
    /// before the next.
    pub failed: u64,
    /// Attempts that failed and were followed by another.
    pub retried: u64,
    /// Jobs that were cancelled, or expired before they were begun, or were dropped.
    pub dropped: u64,
    /// Workers that run.
    pub workers: usize,
    /// How long half of the jobs waited before they were begun, at most.
    pub wait_p50: Duration,
    /// How long 99 of 100 did.
    pub wait_p99: Duration,
    /// How long half of the attempts took, at most.
    pub work_p50: Duration,
    /// How long 99 of 100 did.
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

/// The books of a pool.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) retried: u64,
    pub(super) dropped: u64,
    pub(super) waits: Histogram,
    pub(super) works: Histogram,
}
