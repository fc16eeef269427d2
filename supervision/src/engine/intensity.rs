//! The restarts within the period of a supervisor's intensity.

use std::collections::VecDeque;

use super::types::Time;
use crate::policy::Intensity;

/// The restarts that still count.
///
/// The rule is OTP's, with one difference. OTP truncates the clock to whole seconds, so its window
/// is up to a second longer than configured. Here it is exactly as long as configured. The window
/// is inclusive: two restarts exactly one period apart both count.
///
/// One time is stored for each restart that still counts: at most the limit plus one. A limit that
/// tolerates any number stores none.
#[derive(Debug)]
pub(super) struct RestartWindow {
    limit: Intensity,
    pub(super) times: VecDeque<Time>,
}

impl RestartWindow {
    pub(super) const fn new(limit: Intensity) -> Self {
        Self { limit, times: VecDeque::new() }
    }

    /// Counts a restart at `now`. Returns how many more are tolerated, or `None` if this one is
    /// not.
    pub(super) fn record(&mut self, now: Time) -> Option<u32> {
        if self.limit.is_unlimited() {
            return Some(u32::MAX);
        }
        while self.times.front().is_some_and(|time| now.saturating_sub(*time) > self.limit.period) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        let count = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        self.limit.restarts.checked_sub(count)
    }

    /// Sets another limit for the restarts that have been counted. A limit that tolerates any
    /// number discards them.
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
    fn restart_after_the_last_tolerated_one_exceeds_the_limit() {
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
    fn restarts_leave_the_window_one_by_one() {
        let mut window = window(2, 1000);
        assert!(window.record(ms(0)).is_some());
        assert!(window.record(ms(600)).is_some());
        assert!(window.record(ms(1100)).is_some());
        assert_eq!(window.record(ms(1200)), None);
    }
}
