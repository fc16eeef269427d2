//! The starts of one child that count for its limit.

use std::collections::VecDeque;

use super::types::Time;
use crate::policy::StartLimit;

/// The times of the starts of one child that still count.
///
/// The window slides, and is inclusive as that of an intensity: a start counts for exactly one
/// interval. systemd counts in fixed windows, which begin with a start.
#[derive(Debug, Default)]
pub(super) struct StartTimes(pub(super) VecDeque<Time>);

impl StartTimes {
    /// Records a start. Starts that do not count any more are removed.
    pub(super) fn record(&mut self, now: Time, limit: StartLimit) {
        while self.0.front().is_some_and(|at| now.saturating_sub(*at) > limit.interval) {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// Returns `true` if a start at `due` would be one more than the limit allows.
    pub(super) fn would_exceed(&self, due: Time, limit: StartLimit) -> bool {
        let counting = self.0.iter().rev().take_while(|at| due.saturating_sub(**at) <= limit.interval);
        counting.count() >= limit.burst as usize
    }
}
