//! So many jobs in so much time.

use std::collections::VecDeque;
use std::time::Duration;

/// Into how many parts a period is divided, for jobs that begin within one part to be remembered as one.
const PARTS: u32 = 4096;

/// Jobs that began together, or nearly.
#[derive(Clone, Copy, Debug)]
struct StartGroup {
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
    starts: VecDeque<StartGroup>,
    /// How many jobs these are.
    in_window: u32,
}

impl Rate {
    /// `jobs` in every `period`; all of them at once, if none have begun for so long.
    pub(super) fn new(jobs: u32, period: Duration) -> Self {
        Self { jobs: jobs.max(1), period, starts: VecDeque::new(), in_window: 0 }
    }

    pub(super) fn is_ready(&mut self, now: Duration) -> bool {
        self.ready_at(now).is_none()
    }

    /// A job begins.
    pub(super) fn record_start(&mut self, now: Duration) {
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

    /// When the next job may begin, if none may now.
    pub(super) fn ready_at(&mut self, now: Duration) -> Option<Duration> {
        while let Some(group) =
            self.starts.front().filter(|group| group.last.saturating_add(self.period) <= now)
        {
            self.in_window -= group.jobs;
            self.starts.pop_front();
        }
        let full = self.in_window >= self.jobs;
        self.starts.front().filter(|_| full).map(|group| group.last.saturating_add(self.period))
    }
}

#[cfg(all(test, not(model)))]
impl Rate {
    /// How many entries it keeps.
    pub(super) fn entries(&self) -> usize {
        self.starts.len()
    }
}
