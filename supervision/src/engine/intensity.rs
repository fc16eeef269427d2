//! How often is too often.

use std::collections::VecDeque;

use super::types::Time;
use crate::policy::Intensity;

/// The restarts that still count.
///
/// OTP's rule, with one difference: OTP cuts the clock to whole seconds, so that its window is up to a second longer than
/// said; here it is as long as said. It is inclusive: two restarts exactly one period apart both count.
///
/// It keeps one time for each restart that still counts, and so no more than are tolerated and one. A limit that tolerates
/// any number keeps none.
#[derive(Debug)]
pub(super) struct RestartWindow {
    limit: Intensity,
    pub(super) times: VecDeque<Time>,
}

impl RestartWindow {
    pub(super) const fn new(limit: Intensity) -> Self {
        Self { limit, times: VecDeque::new() }
    }

    /// Counts a restart that is needed now: how many more are tolerated, or none if this one is not.
    pub(super) fn record(&mut self, now: Time) -> Option<u32> {
        if self.limit.is_unlimited() {
            return Some(u32::MAX);
        }
        while self.times.front().is_some_and(|stamp| now.saturating_sub(*stamp) > self.limit.period) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        let count = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        self.limit.restarts.checked_sub(count)
    }

    /// What has been counted counts by another limit from now on. A limit that tolerates any number forgets it.
    pub(super) fn change(&mut self, limit: Intensity) {
        self.limit = limit;
        if limit.is_unlimited() {
            self.times = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn window(restarts: u32, millis: u64) -> RestartWindow {
        RestartWindow::new(Intensity { restarts, period: Duration::from_millis(millis) })
    }

    fn ms(millis: u64) -> Time {
        Duration::from_millis(millis)
    }

    #[test]
    fn intensity_zero_tolerates_no_restart() {
        assert_eq!(window(0, 1000).record(ms(0)), None);
    }

    #[test]
    fn the_restart_after_the_last_tolerated_one_is_too_many() {
        let mut window = window(2, 1000);
        assert!(window.record(ms(0)).is_some());
        assert!(window.record(ms(10)).is_some());
        assert_eq!(window.record(ms(20)), None);
    }

    #[test]
    fn a_restart_counts_for_exactly_one_period() {
        let mut within = window(1, 1000);
        assert!(within.record(ms(0)).is_some());
        assert_eq!(within.record(ms(1000)), None);
        let mut after = window(1, 1000);
        assert!(after.record(ms(0)).is_some());
        assert!(after.record(ms(1001)).is_some());
    }

    #[test]
    fn restarts_slide_out_one_by_one() {
        let mut window = window(2, 1000);
        assert!(window.record(ms(0)).is_some());
        assert!(window.record(ms(600)).is_some());
        assert!(window.record(ms(1100)).is_some());
        assert_eq!(window.record(ms(1200)), None);
    }
}
