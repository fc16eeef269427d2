//! The management of the scheduler: due workers, pause, settings, and the mapping of jobs to
//! workers.

use super::job_queues::Place;
use super::priority_queue::QueueId;
use super::slots::{Incarnation, Slot};
use super::state::{Phase, Scheduler};
use crate::pool::stats::WorkerCounts;

/// The pool is paused.
const PAUSED: u32 = 1;

/// A long change of the queue takes place, in several portions.
const HELD: u32 = 2;

/// The mapping of jobs to workers.
impl<I> Scheduler<I> {
    /// Returns the job with this number, and where it is.
    pub(crate) fn get(&self, number: u64) -> Option<(&I, Place)> {
        let leased = || {
            let mut leases = self.slots.iter().filter_map(|slot| slot.lease.as_ref());
            leases.find(|job| job.number == number).map(|job| (&job.item, Place::Leased))
        };
        self.queues.get(number).or_else(leased)
    }

    /// Returns the jobs that workers run.
    pub(crate) fn leased_jobs(&self) -> impl Iterator<Item = &I> {
        self.slots.iter().filter_map(|slot| Some(&slot.lease.as_ref()?.item))
    }

    /// Returns the slot of the ready worker with the fewest jobs.
    pub(crate) fn least_queued(&self) -> Option<usize> {
        let before = |place: usize, slot: &Slot<I>| {
            self.queues.reserved_for(place) + usize::from(slot.lease.is_some())
        };
        let ready = self.slots.iter().enumerate().filter(|(_, slot)| slot.takes_jobs());
        ready.min_by_key(|(place, slot)| before(*place, slot)).map(|(place, _)| place)
    }

    /// Returns the slot of the ready worker whose turn it is. Each ready worker has one turn in as
    /// many turns as there are slots.
    pub(crate) fn next_in_turn(&mut self) -> Option<usize> {
        self.slots.next_in_turn()
    }

    /// Returns the slot of the due worker that a key maps to.
    pub(crate) fn slot_of_key(&self, key: u64) -> Option<usize> {
        self.slots.of_key(key)
    }

    /// Returns the slots of the workers that are due.
    pub(crate) fn due_slots(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|slot| self.slots.is_open(*slot)).collect()
    }

    /// Returns the incarnation of the worker that runs in a slot.
    pub(crate) fn running_incarnation(&self, slot: usize) -> Option<Incarnation> {
        self.slots.get(slot).filter(|slot| slot.is_occupied).map(|slot| slot.last)
    }

    /// Returns `true` if the worker of a slot runs a job.
    pub(crate) fn has_lease(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.lease.is_some())
    }

    /// Returns the workers by state, given the target number.
    pub(crate) fn count_workers(&self, wanted: usize) -> WorkerCounts {
        let ready = self.slots.taking_jobs();
        let mut counts = WorkerCounts { wanted, ready, ..WorkerCounts::default() };
        for (number, slot) in self.slots.iter().enumerate() {
            if slot.is_occupied {
                counts.running += 1;
            } else if slot.starting.is_some() {
                counts.starting += 1;
            } else if number < wanted {
                counts.down += 1;
            }
        }
        counts
    }

    /// Returns `true` if each worker in the first `wanted` slots declined to start, so that none
    /// runs or is due.
    pub(crate) fn has_no_worker(&self, wanted: usize) -> bool {
        self.slots.iter().take(wanted).all(|slot| slot.declined)
    }
}

/// Settings and phases.
impl<I> Scheduler<I> {
    /// Adds a slot where no worker is due.
    pub(crate) fn add_slot(&mut self) {
        self.queues.add_slot();
        self.slots.add();
    }

    /// Closes the slot of a worker that ended and is not started again, as after a declined start.
    /// Returns the workers to wake.
    pub(crate) fn close_slot(&mut self, slot: usize) -> Vec<usize> {
        self.slots.change(slot, |place| place.declined = true);
        self.set_open(slot, false)
    }

    /// Sets whether the worker of a slot is due. When it is not, the jobs that were routed to it go
    /// to all workers, and its keys map to other workers. Returns the workers to wake.
    pub(crate) fn set_open(&mut self, slot: usize, open: bool) -> Vec<usize> {
        let changed = self.slots.change(slot, |place| {
            place.open = open;
            place.declined &= !open;
        });
        if changed.is_none() {
            return Vec::new();
        }
        if open {
            // The worker may have looked for a job before its slot was open.
            return self.mark_busy(slot).into_iter().collect();
        }
        let mut to_requeue = self.queues.take(QueueId::Routed(slot));
        to_requeue.extend(self.queues.take(QueueId::Keyed(slot)));
        // The worker may have been woken for a job that it may no longer run.
        self.requeue(to_requeue)
    }

    pub(crate) fn pause(&mut self, paused: bool) -> Vec<usize> {
        self.stops = (self.stops & !PAUSED) | if paused { PAUSED } else { 0 };
        self.rate_limited &= paused;
        self.wake_all_idle()
    }

    /// Returns `true` if no job starts until the pool is resumed.
    pub(crate) const fn is_paused(&self) -> bool {
        self.stops & PAUSED != 0
    }

    /// Keeps all jobs from being leased until [`release`](Self::release).
    pub(crate) fn hold(&mut self) {
        self.stops += HELD;
    }

    /// Ends a hold. Returns the workers to wake.
    pub(crate) fn release(&mut self) -> Vec<usize> {
        self.stops = self.stops.saturating_sub(HELD);
        self.wake_all_idle()
    }

    fn wake_all_idle(&mut self) -> Vec<usize> {
        let idle = if self.stops > 0 { Vec::new() } else { std::mem::take(&mut self.idle) };
        for slot in &idle {
            self.slots.set_idle(*slot, false);
        }
        idle
    }

    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(crate) fn advance_to(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }
}
