//! The downtime of a pool during a rollout: no worker can be stopped or started meanwhile.

use super::rollout::RolloutState;
use super::state::Time;

impl RolloutState {
    /// Reports whether the pool is down (rule 8). A paused rollout that has begun nothing waits as
    /// long as it has to.
    pub(crate) fn observe_pool(&mut self, is_down: bool, is_paused: bool, now: Time) {
        self.down_until = match self.down_until {
            _ if !is_down || (is_paused && !self.has_begun()) => Time::MAX,
            Time::MAX => now.saturating_add(self.limits.progress_deadline),
            until => until,
        };
    }

    /// Returns the first worker that waits for the pool, if that has been down for too long.
    pub(super) fn kept_down(&self, now: Time) -> Option<usize> {
        let is_overdue = self.is_forward() && self.down_until <= now;
        is_overdue.then(|| self.places.iter().position(|place| place.was_touched).unwrap_or(0))
    }
}
