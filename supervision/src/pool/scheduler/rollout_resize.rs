//! A change of the number of wanted workers during a rollout.

use super::rollout::RolloutState;
use super::rollout_place::{Change, Place, Status};
use super::state::Time;

impl RolloutState {
    /// Changes the number of wanted workers (rule 7). The limits are resolved for it.
    pub(crate) fn resize(&mut self, wanted: usize) {
        let (before, target) = (self.wanted, self.target());
        (self.wanted, self.margins) = (wanted, self.limits.resolve(wanted));
        let slots = self.places.len().max(wanted.saturating_add(self.margins.surge));
        self.places.resize(slots, Place::UNUSED);
        for place in self.places.iter_mut().take(wanted).skip(before) {
            // An additional worker that runs becomes one of the pool.
            let is_missing = matches!(place.status, Status::Down | Status::Stopping);
            if is_missing {
                place.version = target;
            }
            let is_added = is_missing || matches!(place.status, Status::Starting { .. });
            place.change = if is_added { Change::Added } else { Change::None };
        }
        for place in self.places.iter_mut().take(before).skip(wanted) {
            place.change = if place.is_there() { Change::Surplus } else { Change::None };
        }
    }

    /// Returns `true` if the added workers have started, and the surplus ones have ended.
    pub(crate) fn is_resized(&self) -> bool {
        self.places.iter().all(|place| place.change == Change::None)
    }

    /// Returns the next worker to stop because of a resize. Enough others are available without the
    /// surplus ones, because as many fewer are wanted. An additional worker that exceeds the new
    /// limit stays while it makes up for others.
    pub(super) fn to_shed(&self, now: Time) -> Option<usize> {
        if let Some(slot) = self.places.iter().position(|place| place.is_surplus() && place.runs()) {
            return Some(slot);
        }
        let is_additional = |slot: usize| slot >= self.wanted && self.places[slot].runs();
        let mut additional = (0..self.places.len()).rev().filter(|slot| is_additional(*slot));
        if additional.clone().count() <= self.margins.surge {
            return None;
        }
        let is_needed = self.available(now) <= self.floor(now);
        additional.find(|slot| !(is_needed && self.places[*slot].is_available(now)))
    }
}
