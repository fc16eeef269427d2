//! Leases where nothing has to be known of a job but its place in the queue.
//!
//! Most leases are such, so they look at as little as possible. Each function here returns `None`
//! and changes nothing if more has to be looked at: if no job is queued, a queued job has options,
//! the starts have a rate, or the worker may not have a job. Otherwise it does what
//! [`lease`](Scheduler::lease) does, and no worker has to be woken.

use std::mem;

use super::slots::Incarnation;
use super::state::{Phase, Scheduler, Time};

/// A leased job, and since when it waited, if that is measured.
pub(crate) type PlainLease<I> = (I, Option<Time>);

impl<I: Clone> Scheduler<I> {
    /// Leases the first job to a worker that has none.
    #[inline]
    pub(crate) fn lease_plain(&mut self, slot: usize, incarnation: Incarnation) -> Option<PlainLease<I>> {
        if !self.is_plain() {
            return None;
        }
        let place = self.slots.busy(slot, incarnation).filter(|place| place.lease.is_none())?;
        let job = self.queues.pop_plain()?;
        let leased = (job.item.clone(), job.since);
        place.lease = Some(job);
        self.leased += 1;
        Some(leased)
    }

    /// Ends the lease of a worker, if `completes` returns `true` for its job, and leases the first
    /// queued job to it. Returns both jobs, the ended one first.
    #[inline]
    pub(crate) fn exchange_plain(
        &mut self,
        slot: usize,
        incarnation: Incarnation,
        completes: impl FnOnce(&I) -> bool,
    ) -> Option<(I, PlainLease<I>)> {
        if !self.is_plain() {
            return None;
        }
        let place = self.slots.busy(slot, incarnation)?;
        let lease = place.lease.as_mut().filter(|lease| completes(&lease.item))?;
        let job = self.queues.pop_plain()?;
        let leased = (job.item.clone(), job.since);
        Some((mem::replace(lease, job).item, leased))
    }

    fn is_plain(&self) -> bool {
        self.queues.is_plain() && self.phase == Phase::Open && self.stops == 0 && self.rate.is_none()
    }
}
