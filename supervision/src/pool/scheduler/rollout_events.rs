//! What happens to the workers during a rollout, and when it has failed.

use super::readiness::Observed;
use super::rollout::{RolloutDirection as Direction, RolloutState, StepEnd};
use super::rollout_limit::RolloutLimits;
use super::rollout_place::{Change, Place, ReadyTime, Status};
use super::state::Time;

/// Events.
impl RolloutState {
    /// Reports the readiness of the worker of a slot.
    pub(crate) fn observe(&mut self, slot: usize, seen: Observed, now: Time) {
        let RolloutLimits { min_ready, progress_deadline, .. } = self.limits;
        let Some(place) = self.places.get_mut(slot) else { return };
        let was_available = place.is_available(now);
        let Status::Running { ready, .. } = &mut place.status else { return };
        let before = |streak| ready.filter(|ready| ready.streak == streak);
        *ready = match seen {
            Observed::Ready(streak) => {
                let until = before(streak).map_or(now.saturating_add(min_ready), |ready| ready.until);
                Some(ReadyTime { streak, until, is_renewing: false })
            }
            Observed::Renewing(streak) => {
                before(streak).map(|ready| ReadyTime { is_renewing: true, ..ready })
            }
            Observed::Unready => None,
        };
        let is_lost = was_available && !place.is_available(now);
        if let Status::Running { deadline, .. } = &mut place.status {
            if is_lost && *deadline != Time::MAX {
                *deadline = now.saturating_add(progress_deadline);
            }
        }
    }

    /// Reports the end of a stop. If it has failed, the worker may still run.
    pub(crate) fn stopped(&mut self, slot: usize, end: StepEnd) {
        let wanted = self.wanted;
        let Some(place) = self.places.get_mut(slot) else { return };
        if end == StepEnd::Interrupted && slot >= wanted {
            // The pool may have started it again. It is stopped again.
            place.status = Status::Running { ready: None, deadline: Time::MAX };
            place.was_touched = false;
            return;
        }
        let has_failed = end == StepEnd::Failed;
        place.status = if has_failed { Status::Abandoned { runs: false } } else { Status::Down };
        let is_surplus = place.is_surplus();
        if is_surplus || has_failed {
            place.change = Change::None;
        }
        if has_failed && !is_surplus {
            self.fail();
        }
    }

    /// Reports the end of a start.
    pub(crate) fn started(&mut self, slot: usize, end: StepEnd) {
        let target = self.target();
        let direction = self.direction;
        let Some(place) = self.places.get_mut(slot) else { return };
        let is_outdated = place.version != target;
        let Status::Starting { deadline, is_killed } = place.status else { return };
        if end == StepEnd::Interrupted {
            place.status = Status::Down;
            place.end_change(Change::Surplus);
            return;
        }
        let succeeded = end == StepEnd::Succeeded;
        if !succeeded && !is_outdated && (is_killed || place.is_surplus()) {
            // It is not wanted, or was not for a while.
            place.status = Status::Down;
            place.end_change(Change::Surplus);
            return;
        }
        place.status = match (succeeded, direction) {
            (true, _) => Status::Running { ready: None, deadline },
            (false, Direction::Forward) if self.reverts => Status::Down,
            (false, Direction::Back) if is_outdated => Status::Down,
            (false, _) => Status::Abandoned { runs: false },
        };
        let is_down = matches!(place.status, Status::Down);
        place.end_change(if is_down { Change::Surplus } else { Change::Added });
        if !succeeded && !is_outdated {
            self.fail();
        }
    }

    /// Returns a worker that is not available in time. It is reported once.
    pub(crate) fn overdue(&mut self, now: Time) -> Option<usize> {
        if self.direction == Direction::Halted {
            return None;
        }
        let target = self.target();
        let is_overdue = |place: &Place| {
            let has_expired = match place.status {
                // On the way back, the start has a timeout of its own.
                Status::Starting { deadline, .. } => self.is_forward() && deadline <= now,
                Status::Running { deadline, .. } => deadline <= now && !place.is_available(now),
                Status::Down | Status::Stopping | Status::Abandoned { .. } => false,
            };
            has_expired && place.version == target && !place.is_surplus()
        };
        let slot = self.kept_down(now).or_else(|| self.places.iter().position(is_overdue))?;
        if self.direction == Direction::Back {
            self.places[slot].status = Status::Abandoned { runs: true };
        } else {
            self.fail();
        }
        Some(slot)
    }

    /// Makes a rollout that goes forward go back, or halts it.
    pub(crate) fn fail(&mut self) {
        if self.direction == Direction::Forward {
            self.direction = if self.reverts { Direction::Back } else { Direction::Halted };
        }
    }

    /// Returns when a worker becomes available or is overdue, if nothing happens before.
    pub(crate) fn next_deadline(&self, now: Time) -> Option<Time> {
        if self.direction == Direction::Halted {
            return None;
        }
        let target = self.target();
        let due = |place: &Place| match place.status {
            // It is being stopped or killed.
            _ if place.is_surplus() => None,
            Status::Running { .. } if place.is_available(now) => None,
            Status::Running { ready, deadline } => {
                let counts = ready.filter(|ready| !ready.is_renewing);
                let available = counts.map_or(Time::MAX, |ready| ready.until);
                Some(if place.version == target { available.min(deadline) } else { available })
            }
            Status::Starting { deadline, .. } if self.is_forward() => Some(deadline),
            Status::Starting { .. } | Status::Down | Status::Stopping | Status::Abandoned { .. } => None,
        };
        let down_until = self.is_forward().then_some(self.down_until);
        self.places.iter().filter_map(due).chain(down_until).filter(|due| *due != Time::MAX).min()
    }
}
