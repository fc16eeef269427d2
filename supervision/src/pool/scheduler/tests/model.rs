//! A model of the scheduler, as simple as possible: one list of jobs, searched linearly.

use std::cmp::Reverse;
use std::time::Duration;

use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::slots::fit;

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A job that has waited since time 0.
pub(super) fn job(number: u64) -> QueuedJob<u64> {
    QueuedJob { item: number, number, placement: Placement::default(), since: Some(Duration::ZERO) }
}

/// The place of a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Waiting,
    Delayed(u64),
    Leased(usize),
    /// Removed: done, expired, cancelled, cleared, or pinned to a worker that is not due.
    Out,
}

/// A job of the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) priority: u8,
    /// The workers that it was submitted or retried for.
    pub(super) target: Target,
    /// The only worker that may run it now.
    pub(super) only: Option<usize>,
    /// The worker that may run it only while no other worker takes jobs.
    pub(super) except: Option<usize>,
    pub(super) expires: Option<u64>,
    pub(super) place: Place,
}

/// A worker of the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerSlot {
    pub(super) incarnation: u32,
    pub(super) present: bool,
    pub(super) open: bool,
    pub(super) ready: bool,
    /// `true` if the worker was woken or has just started, and will look for a job.
    pub(super) woken: bool,
}

/// The model.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) jobs: Vec<Job>,
    pub(super) slots: Vec<WorkerSlot>,
    pub(super) now: u64,
    pub(super) paused: bool,
    pub(super) rate: Option<(u32, u64)>,
    /// The start times of jobs.
    pub(super) begun: Vec<u64>,
}

impl Model {
    pub(super) fn new(slots: usize, rate: Option<(u32, u64)>) -> Self {
        let slot_state = WorkerSlot { incarnation: 1, present: true, open: true, ready: true, woken: true };
        Self {
            jobs: Vec::new(),
            slots: vec![slot_state; slots],
            now: 0,
            paused: false,
            rate,
            begun: Vec::new(),
        }
    }

    pub(super) fn job(&mut self, number: u64) -> &mut Job {
        self.jobs.iter_mut().find(|job| job.number == number).expect("there is such a job")
    }

    pub(super) fn lease_of(&self, slot: usize) -> Option<u64> {
        self.jobs.iter().find(|job| job.place == Place::Leased(slot)).map(|job| job.number)
    }

    pub(super) fn takes_jobs(&self, slot: usize) -> bool {
        self.slots[slot].present && self.slots[slot].open && self.slots[slot].ready
    }

    /// Returns the due worker that a key maps to.
    fn slot_of_key(&self, key: u64) -> Option<usize> {
        let open = (0..self.slots.len()).filter(|slot| self.slots[*slot].open);
        open.max_by_key(|slot| fit(key, *slot))
    }

    /// Queues a job: for its worker, if that runs or, for a key, is due.
    pub(super) fn place(&mut self, number: u64) {
        let target = self.job(number).target;
        let (only, except) = match target {
            Target::Any => (None, None),
            Target::Slot(slot) => (Some(slot).filter(|slot| self.takes_jobs(*slot)), None),
            Target::Key(key) => (self.slot_of_key(key), None),
            Target::Pinned(slot) => (Some(slot), None),
            Target::Except(slot) => (None, Some(slot)),
        };
        let is_orphaned = matches!(target, Target::Pinned(slot) if !self.slots[slot].open);
        let job = self.job(number);
        let place = if is_orphaned { Place::Out } else { Place::Waiting };
        (job.only, job.except, job.place) = (only, except, place);
    }

    /// Queues the jobs again whose worker no longer takes them.
    pub(super) fn requeue(&mut self, slot: usize, keys_too: bool) {
        let is_key = |job: &Job| matches!(job.target, Target::Key(_) | Target::Pinned(_));
        let to_requeue =
            |job: &&Job| job.place == Place::Waiting && job.only == Some(slot) && (keys_too || !is_key(job));
        let to_requeue: Vec<u64> = self.jobs.iter().filter(to_requeue).map(|job| job.number).collect();
        to_requeue.into_iter().for_each(|number| self.place(number));
    }

    pub(super) fn is_within_rate(&self) -> bool {
        let Some((jobs, period)) = self.rate else { return true };
        self.begun.iter().filter(|at| **at + period > self.now).count() < jobs as usize
    }

    /// Returns the first job that a worker may run.
    pub(super) fn best_for(&self, slot: usize) -> Option<u64> {
        if !self.takes_jobs(slot) || self.paused {
            return None;
        }
        let is_alone = (0..self.slots.len()).all(|other| other == slot || !self.takes_jobs(other));
        let may = |job: &&Job| {
            let is_for_it = job.only.is_none_or(|only| only == slot);
            job.place == Place::Waiting && is_for_it && (is_alone || job.except != Some(slot))
        };
        let fresh = |job: &&Job| job.expires.is_none_or(|at| at > self.now);
        let all = self.jobs.iter().filter(may).filter(fresh);
        all.max_by_key(|job| (job.priority, Reverse(job.number))).map(|job| job.number)
    }

    pub(super) fn count(&self, is_meant: impl Fn(Place) -> bool) -> usize {
        self.jobs.iter().filter(|job| is_meant(job.place)).count()
    }
}
