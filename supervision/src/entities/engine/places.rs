//! The places of incarnations: which entity gets one, and which one makes room.

use std::time::Duration;

use super::core::Engine;
use super::slots::{Phase, SlotKey};
use super::values::{Action, Reading};

/// The number of steps that an entity takes before it makes room although it has messages.
pub(super) const TURN: u32 = 16;

/// The number of entities that are looked at for one that is idle, from the least recently used.
const CANDIDATES: usize = 32;

/// How long to wait for an entity that may make room, if there is none.
const RETRY: Duration = Duration::from_millis(1);

impl Engine {
    /// Stops what was not used for the idle time. One that has worked since it was looked at last
    /// counts as used now.
    pub(super) fn passivate_idle(&mut self, now: Duration, seen: &impl Fn(SlotKey) -> Reading) {
        let Some(after) = self.limits.idle_after else { return };
        for _ in 0..self.order.len() {
            let Some((_, &key)) = self.order.first_key_value() else { return };
            let Some(slot) = self.slots.get_mut(key) else { return };
            if slot.used_at.saturating_add(after) > now {
                return;
            }
            let Reading { step, is_idle } = seen(key);
            if is_idle && step == slot.step {
                self.begin_stop(key, Phase::Stopping, now);
            } else {
                slot.step = step;
                self.leave_order(key);
                self.join_order(key, now);
            }
        }
    }

    /// Starts those that wait, as far as there are places, and stops others to make room.
    pub(super) fn make_room(&mut self, now: Duration, seen: &impl Fn(SlotKey) -> Reading) {
        self.retry_at = None;
        while self.running < self.limits.max_live {
            let Some(key) = self.waiting.pop_front() else { return };
            self.begin_start(key, seen(key).step, now);
        }
        let missing = self.waiting.len().saturating_sub(self.stopping);
        for _ in 0..missing {
            let Some(key) = self.choose(now, seen) else {
                self.retry_at = (!self.order.is_empty()).then(|| now.saturating_add(RETRY));
                return;
            };
            self.begin_stop(key, Phase::Stopping, now);
        }
    }

    /// Chooses the one that makes room: the least recently used that is idle, or else the least
    /// recently used that has had its turn. One that works counts as used now.
    fn choose(&mut self, now: Duration, seen: &impl Fn(SlotKey) -> Reading) -> Option<SlotKey> {
        let mut working = None;
        for _ in 0..self.order.len().min(CANDIDATES) {
            let (_, &key) = self.order.first_key_value()?;
            let Reading { step, is_idle } = seen(key);
            if is_idle {
                return Some(key);
            }
            let first = self.slots.get(key).map_or(0, |slot| slot.first_step);
            if step.wrapping_sub(first) / 2 >= TURN {
                working = working.or(Some(key));
            }
            self.leave_order(key);
            self.join_order(key, now);
        }
        working
    }

    fn begin_start(&mut self, key: SlotKey, step: u32, now: Duration) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.phase = Phase::Starting;
        (slot.step, slot.first_step) = (step, step);
        if now >= slot.failures_until {
            slot.failures = 0;
        }
        self.running += 1;
        self.actions.push(Action::Start(key));
        let timeout = self.limits.start_timeout.map(|time| now.saturating_add(time));
        self.set_due(key, timeout);
    }
}
