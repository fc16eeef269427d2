//! The readiness of workers: an unready worker runs, but takes no jobs. A worker whose thread is
//! occupied by a call that outlives its attempt is unready too.
//!
//! Kubernetes removes a pod that is not ready from the endpoints of its service, and keeps it
//! running. A pool does the same with a worker.

use super::priority_queue::QueueId;
use super::slots::{Incarnation, Readiness, ReadinessSource, Slot, Streak};
use super::state::Scheduler;

/// The readiness of the worker of a slot, as a rollout sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Observed {
    /// It is ready, without a break as long as this number stays the same.
    Ready(Streak),
    /// Its incarnation has ended in order, and the next one is not ready yet.
    Renewing(Streak),
    /// It is not ready, or there is none.
    Unready,
}

/// Readiness.
impl<I> Scheduler<I> {
    /// Returns the readiness of the worker of a slot.
    pub(crate) fn observed(&self, slot: usize) -> Observed {
        match self.slots.get(slot) {
            Some(place) if place.takes_jobs() => Observed::Ready(place.streak),
            Some(place) if place.renewed.is_some() => Observed::Renewing(place.streak),
            _ => Observed::Unready,
        }
    }

    /// Records that an incarnation ends to be renewed (rule 11), just before its end.
    pub(crate) fn begin_renewal(&mut self, slot: usize, incarnation: Incarnation) {
        self.slots.change(slot, |place| {
            if place.last == incarnation && place.takes_jobs() {
                place.renewed = Some(incarnation);
            }
        });
    }

    /// Makes every later incarnation unready until a probe has succeeded.
    pub(crate) fn require_probe(&mut self) {
        self.is_probed = true;
    }

    /// Returns `true` if the worker of a slot has started, has not ended, is due and is ready, and
    /// its thread is free.
    pub(crate) fn is_ready(&self, slot: usize) -> bool {
        self.slots.takes_jobs(slot)
    }

    /// Returns the number of workers that are ready.
    pub(crate) const fn ready_workers(&self) -> usize {
        self.slots.taking_jobs()
    }

    /// Sets whether an incarnation is ready (rule 11). It may still be in its init: this then holds
    /// from its start on. Returns the workers to wake.
    pub(crate) fn set_ready(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
        source: ReadinessSource,
        ready: bool,
    ) -> Vec<usize> {
        let is_probed = self.is_probed;
        self.change_readiness(slot, |place| {
            let has_ended = place.last == incarnation && !place.is_occupied;
            if has_ended || incarnation < place.last.max(place.readiness.incarnation()) {
                return;
            }
            if place.readiness.incarnation() != incarnation {
                place.readiness = Readiness::new(incarnation, is_probed);
            }
            place.readiness.set(source, ready);
        })
    }

    /// Sets whether a call that outlives its attempt runs on the thread of a slot (rule 11), for
    /// each incarnation there. Returns the workers to wake.
    pub(crate) fn set_call(&mut self, slot: usize, has_call: bool) -> Vec<usize> {
        self.change_readiness(slot, |place| place.has_call = has_call)
    }

    fn change_readiness(&mut self, slot: usize, change: impl FnOnce(&mut Slot<I>)) -> Vec<usize> {
        let took_jobs = self.is_ready(slot);
        self.slots.change(slot, change);
        match (took_jobs, self.is_ready(slot)) {
            // It may have looked for a job before.
            (false, true) => self.mark_busy(slot).into_iter().collect(),
            (true, false) => {
                // It may have been woken for a job that it may no longer run.
                let to_requeue = self.queues.take(QueueId::Routed(slot));
                self.requeue(to_requeue)
            }
            _ => Vec::new(),
        }
    }
}
