//! So many jobs in so much time.

use std::collections::VecDeque;
use std::time::Duration;

/// Into how many parts a period is divided, for jobs that begin within one part to be remembered as one.
const GRAINS: u32 = 4096;

/// Jobs that began together, or nearly.
#[derive(Clone, Copy, Debug)]
struct Begun {
    first: Duration,
    last: Duration,
    jobs: u32,
}

/// At most so many jobs begin in any period of this length, wherever it begins.
///
/// A bucket of tokens would let nearly twice as many begin in the period after it was full.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    jobs: u32,
    period: Duration,
    /// Those that may count still, oldest first. A few thousand entries at most, however many jobs there are.
    begun: VecDeque<Begun>,
    /// How many jobs these are.
    counted: u32,
}

impl Rate {
    /// `jobs` in every `period`; all of them at once, if none have begun for so long.
    pub(super) fn new(jobs: u32, period: Duration) -> Self {
        Self { jobs: jobs.max(1), period, begun: VecDeque::new(), counted: 0 }
    }

    pub(super) fn is_ready(&mut self, now: Duration) -> bool {
        self.ready_at(now).is_none()
    }

    /// A job begins.
    pub(super) fn record_start(&mut self, now: Duration) {
        self.counted = self.counted.saturating_add(1);
        let grain = self.period / GRAINS;
        match self.begun.back_mut() {
            Some(begun) if now.saturating_sub(begun.first) <= grain => {
                begun.last = begun.last.max(now);
                begun.jobs += 1;
            }
            _ => self.begun.push_back(Begun { first: now, last: now, jobs: 1 }),
        }
    }

    /// When the next job may begin, if none may now.
    pub(super) fn ready_at(&mut self, now: Duration) -> Option<Duration> {
        while let Some(begun) =
            self.begun.front().filter(|begun| begun.last.saturating_add(self.period) <= now)
        {
            self.counted -= begun.jobs;
            self.begun.pop_front();
        }
        let full = self.counted >= self.jobs;
        self.begun.front().filter(|_| full).map(|begun| begun.last.saturating_add(self.period))
    }
}

#[cfg(all(test, not(model)))]
impl Rate {
    /// How many entries it keeps.
    pub(super) fn entries(&self) -> usize {
        self.begun.len()
    }
}
