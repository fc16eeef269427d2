//! A model of the scheduler, as simple as possible: one list of jobs, searched linearly.

use std::cmp::Reverse;
use std::time::Duration;

use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::rate_limit::RateLimit;
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
    /// The kind, if it has one.
    pub(super) kind: Option<usize>,
    pub(super) place: Place,
}

/// The number of kinds of jobs.
pub(super) const KINDS: usize = 4;

/// The rate limit of a kind of the model: how many jobs in which time, and the burst of a token
/// bucket, or `None` for a window.
pub(super) type KindLimit = (u32, u64, Option<u32>);

/// Returns the limit as a setting.
pub(super) fn setting((jobs, period, burst): KindLimit) -> RateLimit {
    match burst {
        Some(burst) => RateLimit::per(jobs, ms(period)).burst(burst),
        None => RateLimit::window(jobs, ms(period)),
    }
}

/// A kind of jobs of the model.
#[derive(Clone, Debug, Default)]
pub(super) struct KindState {
    pub(super) limit: Option<KindLimit>,
    /// The start times of its jobs since the limit was set.
    pub(super) begun: Vec<u64>,
}

impl KindState {
    /// Returns `true` if a job may start at this time, by the definition of the limits.
    pub(super) fn allows_start(&self, now: u64) -> bool {
        match self.limit {
            None => true,
            Some((jobs, period, None)) => {
                self.begun.iter().filter(|at| **at + period > now).count() < jobs as usize
            }
            // Since each start: at most the burst and the tokens of that time, this start included.
            Some((jobs, period, Some(burst))) => self.begun.iter().enumerate().all(|(n, at)| {
                (self.begun.len() - n + 1) as u64 <= u64::from(burst) + (now - at) * u64::from(jobs) / period
            }),
        }
    }
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
    pub(super) kinds: [KindState; KINDS],
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
            kinds: Default::default(),
        }
    }

    /// Returns `true` if the rate of its kind allows the job to start.
    pub(super) fn is_allowed(&self, job: &Job) -> bool {
        job.kind.is_none_or(|kind| self.kinds[kind].allows_start(self.now))
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
        self.rate_allows_start(self.now)
    }

    /// Returns `true` if the rate of all jobs allows one to start at this time.
    pub(super) fn rate_allows_start(&self, now: u64) -> bool {
        let Some((jobs, period)) = self.rate else { return true };
        self.begun.iter().filter(|at| **at + period > now).count() < jobs as usize
    }

    /// Returns the queued jobs that a worker may run if the rates of their kinds allow it.
    pub(super) fn jobs_for(&self, slot: usize) -> impl Iterator<Item = &Job> {
        let is_alone = (0..self.slots.len()).all(|other| other == slot || !self.takes_jobs(other));
        let is_open = self.takes_jobs(slot) && !self.paused;
        let may = move |job: &&Job| {
            let is_for_it = job.only.is_none_or(|only| only == slot);
            is_open && job.place == Place::Waiting && is_for_it && (is_alone || job.except != Some(slot))
        };
        let fresh = |job: &&Job| job.expires.is_none_or(|at| at > self.now);
        self.jobs.iter().filter(may).filter(fresh)
    }

    /// Returns the first job that a worker may run.
    pub(super) fn best_for(&self, slot: usize) -> Option<u64> {
        let all = self.jobs_for(slot).filter(|job| self.is_allowed(job));
        all.max_by_key(|job| (job.priority, Reverse(job.number))).map(|job| job.number)
    }

    pub(super) fn count(&self, is_meant: impl Fn(Place) -> bool) -> usize {
        self.jobs.iter().filter(|job| is_meant(job.place)).count()
    }
}
