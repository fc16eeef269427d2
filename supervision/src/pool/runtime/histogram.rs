//! The distribution of the wait and work times of jobs.

use std::time::Duration;

/// A histogram of durations with an error of at most one eighth, in constant memory.
#[derive(Clone)]
pub(crate) struct Histogram {
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
    pub(crate) fn count(&mut self, time: Duration) {
        let count = &mut self.counts[bucket(time)];
        *count = count.saturating_add(1);
        self.total += 1;
    }

    /// Returns an upper bound of the durations of this part of all, with the error of the
    /// histogram.
    pub(crate) fn percentile(&self, part: f64) -> Duration {
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

    /// Returns the upper bounds of the buckets that are not empty, with their counts.
    pub(crate) fn buckets(&self) -> Vec<(Duration, u64)> {
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(bucket, count)| (upper(bucket), u64::from(*count))).collect()
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
pub(crate) const fn is_sampled(number: u64) -> bool {
    number <= 1024 || number % 16 == 0
}
