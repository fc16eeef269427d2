//! How a board is run: which workers are due, whether it is paused, and which worker a job is led
//! to.

use super::rate::Rate;
use super::scheduler::{Phase, Scheduler};
use super::slots::Slot;

/// Where jobs are led.
impl<I> Scheduler<I> {
    /// Returns the slot of the running worker that has the least before it.
    pub(super) fn least_queued(&self) -> Option<usize> {
        let before = |place: usize, slot: &Slot<I>| {
            self.backlog.reserved_for(place) + usize::from(slot.lease.is_some())
        };
        let running = self.slots.iter().enumerate().filter(|(_, slot)| slot.runs());
        running.min_by_key(|(place, slot)| before(*place, slot)).map(|(place, _)| place)
    }

    /// Returns the slot of the running worker whose turn it is: each has one in as many turns as
    /// there are slots.
    pub(super) fn next_in_turn(&mut self) -> Option<usize> {
        self.slots.next_in_turn()
    }

    /// Returns the slot of the due worker that a key leads to.
    pub(super) fn slot_of_key(&self, key: u64) -> Option<usize> {
        self.slots.of_key(key)
    }

    /// Returns the slots of the workers that are due.
    pub(super) fn due_slots(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|slot| self.slots.is_open(*slot)).collect()
    }

    /// Returns `true` if none of the workers in the first `wanted` slots runs or is due, because
    /// each declined to start.
    pub(super) fn has_no_worker(&self, wanted: usize) -> bool {
        self.slots.iter().take(wanted).all(|slot| slot.declined)
    }
}

/// How it is run.
impl<I> Scheduler<I> {
    /// Sets whether a worker is due in a slot. When none is, what was routed to it goes to all, and
    /// its keys lead to others. Returns the workers to wake.
    pub(super) fn set_open(&mut self, slot: usize, open: bool) -> Vec<usize> {
        let changed = self.slots.change(slot, |place| {
            place.open = open;
            place.declined &= !open;
        });
        if changed.is_none() {
            return Vec::new();
        }
        if open {
            // It may have looked before it was.
            return self.mark_busy(slot).into_iter().collect();
        }
        let mut homeless = self.backlog.take_routed(slot);
        homeless.extend(self.backlog.take_keyed(slot));
        // It may have been woken for a job that it is not to have any more.
        self.put_again(homeless)
    }

    pub(super) fn pause(&mut self, paused: bool) -> Vec<usize> {
        self.paused = paused;
        self.rate_limited &= paused;
        let idle = if paused { Vec::new() } else { std::mem::take(&mut self.idle) };
        for slot in &idle {
            self.slots.change(*slot, |place| place.idle = false);
        }
        idle
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(super) fn set_rate(&mut self, rate: Rate) {
        self.rate = Some(rate);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }
}
