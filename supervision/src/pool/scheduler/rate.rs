//! The rate limit of a pool.

use std::collections::VecDeque;
use std::time::Duration;

/// The number of parts of a period. Jobs that start within one part are recorded as one entry.
const PARTS: u32 = 4096;

/// Jobs that started at nearly the same time.
#[derive(Clone, Copy, Debug)]
struct StartGroup {
    first: Duration,
    last: Duration,
    jobs: u32,
}

/// A sliding-window rate limit: at most `jobs` start in any window of one period.
///
/// A token bucket would allow nearly twice as many starts in the period after it was full.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    jobs: u32,
    period: Duration,
    /// The starts that may still count, oldest first: a few thousand entries at most, however many
    /// jobs there are.
    starts: VecDeque<StartGroup>,
    /// The number of jobs in `starts`.
    in_window: u32,
}

impl Rate {
    /// Makes a limit of `jobs` per `period`. All of them may start at once if none started for a
    /// period.
    pub(crate) fn new(jobs: u32, period: Duration) -> Self {
        Self { jobs: jobs.max(1), period, starts: VecDeque::new(), in_window: 0 }
    }

    pub(crate) fn is_ready(&mut self, now: Duration) -> bool {
        self.ready_at(now).is_none()
    }

    /// Records the start of a job.
    pub(crate) fn record_start(&mut self, now: Duration) {
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

    /// Returns when the next job may start, or `None` if one may start now.
    pub(crate) fn ready_at(&mut self, now: Duration) -> Option<Duration> {
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
    /// Returns the number of entries.
    pub(crate) fn entries(&self) -> usize {
        self.starts.len()
    }
}
