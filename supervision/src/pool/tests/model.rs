//! What a board should do, written down as plainly as can be: one list of jobs, searched from end to end.

use std::cmp::Reverse;
use std::time::Duration;

use crate::pool::lane::{Stand, Waiting};

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A job that has waited since the beginning of time.
pub(super) fn job(number: u64) -> Waiting<u64> {
    Waiting { item: number, number, stand: Stand::default(), since: Some(Duration::ZERO) }
}

/// Where a job is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Waits,
    Delayed(u64),
    Leased(usize),
    /// It came out: done, expired, withdrawn or cleared.
    Out,
}

/// A job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) priority: u8,
    /// The slot that it was submitted for.
    pub(super) meant_for: Option<usize>,
    /// The one worker that may have it now.
    pub(super) only: Option<usize>,
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

    /// Puts a job where it waits: with its worker, if that has an open slot.
    pub(super) fn place(&mut self, number: u64) {
        let open: Vec<bool> = self.seats.iter().map(|seat| seat.open).collect();
        let job = self.job(number);
        job.only = job.meant_for.filter(|slot| open[*slot]);
        job.place = Place::Waits;
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
        let may = |job: &&Job| job.place == Place::Waits && job.only.is_none_or(|only| only == slot);
        let fresh = |job: &&Job| job.expires.is_none_or(|at| at > self.now);
        let all = self.jobs.iter().filter(may).filter(fresh);
        all.max_by_key(|job| (job.priority, Reverse(job.number))).map(|job| job.number)
    }

    pub(super) fn count(&self, is_meant: impl Fn(Place) -> bool) -> usize {
        self.jobs.iter().filter(|job| is_meant(job.place)).count()
    }
}
