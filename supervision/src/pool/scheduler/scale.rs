//! The number of workers of an elastic pool, derived from how many jobs wait and for how long.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The greatest number of workers of a pool.
const MAX_WORKERS: usize = u32::MAX as usize;

/// The number of workers of a pool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PoolSize {
    /// A fixed number, which only [`resize`](crate::pool::PoolHandle::resize) changes.
    Fixed(usize),
    /// As many as the load requires, within these bounds: more when jobs wait, fewer when workers
    /// are idle.
    Between(RangeInclusive<usize>),
}

impl From<usize> for PoolSize {
    fn from(workers: usize) -> Self {
        Self::Fixed(workers)
    }
}

impl From<RangeInclusive<usize>> for PoolSize {
    fn from(bounds: RangeInclusive<usize>) -> Self {
        Self::Between(bounds)
    }
}

impl PoolSize {
    /// Returns the sizes that the pool can be resized to: a fixed number to any.
    pub(crate) fn limits(&self) -> RangeInclusive<usize> {
        match self {
            Self::Fixed(_) => 0..=MAX_WORKERS,
            Self::Between(_) => self.bounds().0..=self.bounds().1,
        }
    }

    /// Returns the minimum and the maximum of the slots at first.
    pub(crate) fn bounds(&self) -> (usize, usize) {
        match self {
            Self::Fixed(workers) => (*workers, *workers),
            Self::Between(bounds) => (*bounds.start(), (*bounds.end()).max(*bounds.start())),
        }
    }
}

/// The load of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Jobs that a worker could start.
    pub(crate) queued: usize,
    /// How long the oldest of them has waited.
    pub(crate) waited: Duration,
    /// Idle workers.
    pub(crate) idle: usize,
}

/// Decides the number of workers.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    min: usize,
    max: usize,
    /// How long jobs may wait before workers are added.
    max_wait: Duration,
    /// How long no job waits and a worker is idle before a worker is removed.
    cool_down: Duration,
    calm_since: Option<Duration>,
}

impl Scale {
    pub(crate) fn of(size: &PoolSize, max_wait: Duration, cool_down: Duration) -> Option<Self> {
        let (min, max) = size.bounds();
        (min < max).then_some(Self { min, max, max_wait, cool_down, calm_since: None })
    }

    /// Returns `true` if the size cannot change before a job has to wait.
    pub(crate) const fn is_idle_at_min(&self, workers: usize, load: Load) -> bool {
        workers == self.min && load.queued == 0
    }

    /// Returns the target number of workers. It doubles when jobs have waited too long, and
    /// decreases by one after each calm period of `cool_down`.
    pub(crate) fn target_size(&mut self, workers: usize, load: Load, now: Duration) -> usize {
        if load.queued > 0 {
            self.calm_since = None;
            let more = (workers * 2).max(workers + 1).min(workers + load.queued);
            return if load.waited >= self.max_wait { more.clamp(self.min, self.max) } else { workers };
        }
        // Removing a busy worker would have to wait for it, and would reduce the throughput.
        if load.idle == 0 {
            self.calm_since = None;
            return workers;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_sub(since) < self.cool_down {
            return workers;
        }
        self.calm_since = Some(now);
        workers.saturating_sub(1).clamp(self.min, self.max)
    }
}
