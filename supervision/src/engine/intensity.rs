//! The restarts within the period of a supervisor's intensity.

use std::collections::VecDeque;
use std::time::Duration;

use super::types::Time;
use crate::policy::RestartLimit;

/// The restarts that still count.
///
/// The rule is OTP's, with one difference. OTP truncates the clock to whole seconds, so its window
/// is up to a second longer than configured. Here it is exactly as long as configured. The window
/// is inclusive: two restarts exactly one period apart both count.
///
/// One time is stored for each restart that still counts: at most the limit plus one. A limit that
/// tolerates any number stores none.
///
/// A limit that grows with the number of children uses the larger of two numbers: the children now,
/// and the children at the oldest restart that still counts. So the removal of children never turns
/// tolerated restarts into too many.
#[derive(Debug)]
pub(super) struct RestartWindow {
    limit: RestartLimit,
    pub(super) times: VecDeque<RestartTime>,
}

/// A restart that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestartTime {
    at: Time,
    /// The number of children at that time.
    children: usize,
}

impl RestartWindow {
    pub(super) fn new(limit: impl Into<RestartLimit>) -> Self {
        Self { limit: limit.into(), times: VecDeque::new() }
    }

    /// Counts a restart at `now`, of a supervisor with `children` children. Returns how many more
    /// are tolerated, or `None` if this one is not.
    pub(super) fn record(&mut self, now: Time, children: usize) -> Option<u32> {
        let limit = self.limit.with(children);
        if limit.is_unlimited() {
            return Some(u32::MAX);
        }
        self.drop_expired(now, limit.period);
        self.times.push_back(RestartTime { at: now, children });
        self.limit.with(self.most_children(children)).restarts.checked_sub(self.len())
    }

    /// Returns how many restarts are tolerated at `now`, without counting one.
    pub(super) fn remaining(&mut self, now: Time, children: usize) -> u32 {
        let limit = self.limit.with(children);
        if limit.is_unlimited() {
            return u32::MAX;
        }
        self.drop_expired(now, limit.period);
        self.limit.with(self.most_children(children)).restarts.saturating_sub(self.len())
    }

    /// Returns how many restarts are tolerated at `now`, for a reader that changes nothing.
    pub(super) fn left_at(&self, now: Time, children: usize) -> u32 {
        let limit = self.limit.with(children);
        if limit.is_unlimited() {
            return u32::MAX;
        }
        let counts = |time: &&RestartTime| now.saturating_sub(time.at) <= limit.period;
        let most = self.times.iter().find(counts).map_or(children, |oldest| oldest.children.max(children));
        let counted = u32::try_from(self.times.iter().filter(counts).count()).unwrap_or(u32::MAX);
        self.limit.with(most).restarts.saturating_sub(counted)
    }

    /// Removes the restarts that do not count any more.
    fn drop_expired(&mut self, now: Time, period: Duration) {
        while self.times.front().is_some_and(|time| now.saturating_sub(time.at) > period) {
            self.times.pop_front();
        }
    }

    fn most_children(&self, children: usize) -> usize {
        self.times.front().map_or(children, |oldest| oldest.children.max(children))
    }

    fn len(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }

    /// Sets another limit for the restarts that have been counted. A limit that tolerates any
    /// number discards them.
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
    fn restart_after_the_last_tolerated_one_exceeds_the_limit() {
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
    fn a_reader_sees_the_restarts_that_are_left_at_its_time() {
        let mut window = window(2, 1000);
        assert_eq!(window.left_at(ms(0), 1), 2);
        assert!(window.record(ms(0), 1).is_some());
        assert!(window.record(ms(600), 1).is_some());
        let left: Vec<u32> = [600, 1000, 1001, 1601].map(|at| window.left_at(ms(at), 1)).into();
        assert_eq!(left, [0, 0, 1, 2]);
    }

    #[test]
    fn restarts_leave_the_window_one_by_one() {
        let mut window = window(2, 1000);
        assert!(window.record(ms(0), 1).is_some());
        assert!(window.record(ms(600), 1).is_some());
        assert!(window.record(ms(1100), 1).is_some());
        assert_eq!(window.record(ms(1200), 1), None);
    }
}
