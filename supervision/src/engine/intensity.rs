//! How often is too often.

use std::collections::VecDeque;
use std::time::Duration;

use super::types::Time;
use crate::policy::RestartLimit;

/// The restarts that still count.
///
/// OTP's rule, with one difference: OTP cuts the clock to whole seconds, so that its window is up to a second longer than
/// said; here it is as long as said. It is inclusive: two restarts exactly one period apart both count.
///
/// It keeps one time for each restart that still counts, and so no more than are tolerated and one. A limit that tolerates
/// any number keeps none.
///
/// A limit that grows with the number of children is taken from the larger of two numbers: of the
/// children now, and of those at the oldest restart that still counts. So children that leave do
/// not turn restarts that were tolerated into too many.
#[derive(Debug)]
pub(super) struct RestartWindow {
    limit: RestartLimit,
    pub(super) times: VecDeque<Stamp>,
}

/// A restart that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    at: Time,
    /// The number of children at that time.
    children: usize,
}

impl RestartWindow {
    pub(super) fn new(limit: impl Into<RestartLimit>) -> Self {
        Self { limit: limit.into(), times: VecDeque::new() }
    }

    /// Counts a restart that is needed now, by a supervisor with this number of children. Returns
    /// how many more are tolerated, or `None` if this one is not.
    pub(super) fn record(&mut self, now: Time, children: usize) -> Option<u32> {
        let limit = self.limit.with(children);
        if limit.is_unlimited() {
            return Some(u32::MAX);
        }
        self.drop_expired(now, limit.period);
        self.times.push_back(Stamp { at: now, children });
        self.limit.with(self.most_children(children)).restarts.checked_sub(self.len())
    }

    /// Returns how many restarts are tolerated from now on, and counts none.
    pub(super) fn remaining(&mut self, now: Time, children: usize) -> u32 {
        let limit = self.limit.with(children);
        if limit.is_unlimited() {
            return u32::MAX;
        }
        self.drop_expired(now, limit.period);
        self.limit.with(self.most_children(children)).restarts.saturating_sub(self.len())
    }

    fn drop_expired(&mut self, now: Time, period: Duration) {
        while self.times.front().is_some_and(|stamp| now.saturating_sub(stamp.at) > period) {
            self.times.pop_front();
        }
    }

    fn most_children(&self, children: usize) -> usize {
        self.times.front().map_or(children, |oldest| oldest.children.max(children))
    }

    fn len(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }

    /// What has been counted counts by another limit from now on. A limit that tolerates any number forgets it.
    pub(super) fn change(&mut self, limit: impl Into<RestartLimit>) {
        self.limit = limit.into();
        if matches!(self.limit, RestartLimit::Fixed(limit) if limit.is_unlimited()) {
            self.times = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Intensity;

    fn window(restarts: u32, millis: u64) -> RestartWindow {
        RestartWindow::new(Intensity { restarts, period: Duration::from_millis(millis) })
    }

    fn ms(millis: u64) -> Time {
        Duration::from_millis(millis)
    }

    #[test]
    fn intensity_zero_tolerates_no_restart() {
        assert_eq!(window(0, 1000).record(ms(0), 1), None);
    }

    #[test]
    fn the_restart_after_the_last_tolerated_one_is_too_many() {
        let mut window = window(2, 1000);
        assert!(window.record(ms(0), 1).is_some());
        assert!(window.record(ms(10), 1).is_some());
        assert_eq!(window.record(ms(20), 1), None);
    }

    #[test]
    fn a_restart_counts_for_exactly_one_period() {
        let mut within = window(1, 1000);
        assert!(within.record(ms(0), 1).is_some());
        assert_eq!(within.record(ms(1000), 1), None);
        let mut after = window(1, 1000);
        assert!(after.record(ms(0), 1).is_some());
        assert!(after.record(ms(1001), 1).is_some());
    }

    #[test]
    fn restarts_slide_out_one_by_one() {
        let mut window = window(2, 1000);
        assert!(window.record(ms(0), 1).is_some());
        assert!(window.record(ms(600), 1).is_some());
        assert!(window.record(ms(1100), 1).is_some());
        assert_eq!(window.record(ms(1200), 1), None);
    }
}
