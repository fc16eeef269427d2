//! What a board should do, written down as plainly as can be: one list of jobs, searched from end to end.

use std::cmp::Reverse;
use std::time::Duration;

use crate::pool::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::slots::fit;

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A job that has waited since the beginning of time.
pub(super) fn job(number: u64) -> QueuedJob<u64> {
    QueuedJob { item: number, number, stand: Placement::default(), since: Some(Duration::ZERO) }
}

/// Where a job is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Waits,
    Delayed(u64),
    Leased(usize),
    /// It came out: done, expired, withdrawn, cleared, or pinned to a worker that is not due.
    Out,
}

/// A job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) priority: u8,
    /// The workers that it was submitted, or comes back, for.
    pub(super) target: Target,
    /// The one worker that may have it now.
    pub(super) only: Option<usize>,
    /// The worker that may have it only while no other runs.
    pub(super) except: Option<usize>,
    pub(super) expires: Option<u64>,
    pub(super) place: Place,
}

/// A worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) incarnation: u32,
    pub(super) present: bool,
    pub(super) open: bool,
    /// It was woken, or has just come, and is due to look.
    pub(super) woken: bool,
}

/// The whole of it.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) jobs: Vec<Job>,
    pub(super) seats: Vec<Seat>,
    pub(super) now: u64,
    pub(super) paused: bool,
    pub(super) rate: Option<(u32, u64)>,
    /// When jobs began.
    pub(super) begun: Vec<u64>,
}

impl Model {
    pub(super) fn new(slots: usize, rate: Option<(u32, u64)>) -> Self {
        let seat = Seat { incarnation: 1, present: true, open: true, woken: true };
        Self { jobs: Vec::new(), seats: vec![seat; slots], now: 0, paused: false, rate, begun: Vec::new() }
    }

    pub(super) fn job(&mut self, number: u64) -> &mut Job {
        self.jobs.iter_mut().find(|job| job.number == number).expect("there is such a job")
    }

    pub(super) fn lease_of(&self, slot: usize) -> Option<u64> {
        self.jobs.iter().find(|job| job.place == Place::Leased(slot)).map(|job| job.number)
    }

    pub(super) fn runs(&self, slot: usize) -> bool {
        self.seats[slot].present && self.seats[slot].open
    }

    /// The due worker that a key leads to.
    fn slot_of_key(&self, key: u64) -> Option<usize> {
        let open = (0..self.seats.len()).filter(|slot| self.seats[*slot].open);
        open.max_by_key(|slot| fit(key, *slot))
    }

    /// Puts a job where it waits: with its worker, if that runs or, for a key, is due.
    pub(super) fn place(&mut self, number: u64) {
        let target = self.job(number).target;
        let (only, except) = match target {
            Target::Any => (None, None),
            Target::Slot(slot) => (Some(slot).filter(|slot| self.runs(*slot)), None),
            Target::Key(key) => (self.slot_of_key(key), None),
            Target::Pinned(slot) => (Some(slot), None),
            Target::Except(slot) => (None, Some(slot)),
        };
        let is_orphaned = matches!(target, Target::Pinned(slot) if !self.seats[slot].open);
        let job = self.job(number);
        let place = if is_orphaned { Place::Out } else { Place::Waits };
        (job.only, job.except, job.place) = (only, except, place);
    }

    /// Places those again that wait for a worker that is not there for them any more.
    pub(super) fn place_again(&mut self, slot: usize, keys_too: bool) {
        let is_key = |job: &Job| matches!(job.target, Target::Key(_) | Target::Pinned(_));
        let homeless =
            |job: &&Job| job.place == Place::Waits && job.only == Some(slot) && (keys_too || !is_key(job));
        let homeless: Vec<u64> = self.jobs.iter().filter(homeless).map(|job| job.number).collect();
        homeless.into_iter().for_each(|number| self.place(number));
    }

    pub(super) fn is_within_rate(&self) -> bool {
        let Some((jobs, period)) = self.rate else { return true };
        self.begun.iter().filter(|at| **at + period > self.now).count() < jobs as usize
    }

    /// What a worker may have, the first first.
    pub(super) fn best_for(&self, slot: usize) -> Option<u64> {
        if !self.seats[slot].open || self.paused {
            return None;
        }
        let is_alone = (0..self.seats.len()).all(|other| other == slot || !self.runs(other));
        let may = |job: &&Job| {
            let is_for_it = job.only.is_none_or(|only| only == slot);
            job.place == Place::Waits && is_for_it && (is_alone || job.except != Some(slot))
        };
        let fresh = |job: &&Job| job.expires.is_none_or(|at| at > self.now);
        let all = self.jobs.iter().filter(may).filter(fresh);
        all.max_by_key(|job| (job.priority, Reverse(job.number))).map(|job| job.number)
    }

    pub(super) fn count(&self, is_meant: impl Fn(Place) -> bool) -> usize {
        self.jobs.iter().filter(|job| is_meant(job.place)).count()
    }
}
