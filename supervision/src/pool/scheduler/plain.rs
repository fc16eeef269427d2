//! The lease of a plain job: nothing has to be known of it but its place in the queue.
//!
//! Most jobs are leased this way, so it looks at as little as possible.

use super::slots::Incarnation;
use super::state::{Phase, Scheduler, Time};

impl<I: Clone> Scheduler<I> {
    /// Leases the first job to a busy worker, as [`lease`](Self::lease) does, and returns it with
    /// the time since when it waited, if that is measured. No worker has to be woken.
    ///
    /// Returns `None` and changes nothing if that takes more: if there is no job, a job is not
    /// plain, the starts have a rate, or the worker may not have a job.
    #[inline]
    pub(crate) fn lease_plain(&mut self, slot: usize, incarnation: Incarnation) -> Option<(I, Option<Time>)> {
        if self.paused || self.phase == Phase::Closed || self.rate.is_some() {
            return None;
        }
        let place = self.slots.busy_without_job(slot, incarnation)?;
        let job = self.queues.pop_plain()?;
        let leased = (job.item.clone(), job.since);
        place.lease = Some(job);
        self.leased += 1;
        Some(leased)
    }
}
