//! A scheduler whose workers have started, and jobs for them.

use super::model::{job, ms};
use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::{Next, Scheduler};

/// A scheduler with this capacity whose workers have started and not asked for a job.
pub(super) fn started(workers: usize, capacity: usize) -> Scheduler<u64> {
    let mut scheduler = Scheduler::new(workers, capacity);
    (0..workers).for_each(|slot| scheduler.worker_started(slot, 1));
    scheduler
}

pub(super) fn lease(scheduler: &mut Scheduler<u64>, slot: usize) -> Option<u64> {
    match scheduler.lease(slot, 1, ms(0), &mut Vec::new()).0 {
        Next::Job(job, _) => Some(job),
        Next::Nothing => None,
    }
}

pub(super) fn meant(number: u64, target: Target) -> QueuedJob<u64> {
    QueuedJob { placement: Placement { target, ..Placement::default() }, ..job(number) }
}
