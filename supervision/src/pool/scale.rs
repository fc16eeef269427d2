//! How many workers a pool is to have: decided from how much waits and for how long.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How many workers a pool has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PoolSize {
    /// So many.
    Fixed(usize),
    /// As many as the work needs, within these bounds: more when jobs wait, fewer when there is less to do.
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
    pub(super) fn max(&self) -> usize {
        match self {
            Self::Fixed(workers) => *workers,
            Self::Between(bounds) => (*bounds.end()).max(*bounds.start()),
        }
    }

    pub(super) fn min(&self) -> usize {
        match self {
            Self::Fixed(workers) => *workers,
            Self::Between(bounds) => *bounds.start(),
        }
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Jobs that a worker could begin with.
    pub(super) queued: usize,
    /// For how long the first of those that wait has done so.
    pub(super) waited: Duration,
    /// Workers that have nothing to do.
    pub(super) idle: usize,
}

/// Decides how many workers there are to be.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    min: usize,
    max: usize,
    /// How long jobs may wait before there are more workers.
    max_wait: Duration,
    /// For how long nothing waits and somebody is idle before there are fewer.
    cool_down: Duration,
    calm_since: Option<Duration>,
}

impl Scale {
    pub(super) fn of(size: &PoolSize, max_wait: Duration, cool_down: Duration) -> Option<Self> {
        let (min, max) = (size.min(), size.max());
        (min < max).then_some(Self { min, max, max_wait, cool_down, calm_since: None })
    }

    /// Whether nothing changes before somebody has to wait.
    pub(super) const fn is_idle_at_min(&self, workers: usize, load: Load) -> bool {
        workers == self.min && load.queued == 0
    }

    /// How many workers there are to be, of so many, at this time. It doubles them when jobs wait too long, and lets one go each time that
    /// it has been calm for long enough.
    pub(super) fn target_size(&mut self, workers: usize, load: Load, now: Duration) -> usize {
        if load.queued > 0 {
            self.calm_since = None;
            let more = (workers * 2).max(workers + 1).min(workers + load.queued);
            return if load.waited >= self.max_wait { more.clamp(self.min, self.max) } else { workers };
        }
        // Who is busy would have to be waited for, and would be missed.
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
