//! What waits: for anybody, for one worker, or for its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::lane::{Lane, Waiting};

/// All jobs that wait, each in one place.
#[derive(Debug)]
pub(super) struct Backlog<I> {
    shared: Lane<I>,
    /// What only the worker in that slot may have.
    own: Vec<Lane<I>>,
    /// By when they are due.
    delayed: BTreeMap<(Duration, u64), Waiting<I>>,
    /// Of all these, those that expire: when, and the number.
    expiring: BTreeSet<(Duration, u64)>,
    len: usize,
}

impl<I> Backlog<I> {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            shared: Lane::default(),
            own: std::iter::repeat_with(Lane::default).take(slots).collect(),
            delayed: BTreeMap::new(),
            expiring: BTreeSet::new(),
            len: 0,
        }
    }

    /// How many wait, delayed ones included.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many a worker could begin with.
    pub(super) fn ready(&self) -> usize {
        self.len - self.delayed.len()
    }

    /// How many only this worker may have.
    pub(super) fn reserved_for(&self, slot: usize) -> usize {
        self.own.get(slot).map_or(0, Lane::len)
    }

    /// Whether there is one for this worker, and for any.
    pub(super) fn has_for(&self, slot: usize) -> bool {
        !self.shared.is_empty() || self.own.get(slot).is_some_and(|own| !own.is_empty())
    }

    /// Puts a job in, for one worker or for all.
    pub(super) fn push(&mut self, job: Waiting<I>, slot: Option<usize>) {
        self.enlist(&job);
        let own = slot.and_then(|slot| self.own.get_mut(slot));
        own.unwrap_or(&mut self.shared).push(job);
    }

    /// Puts jobs in that are for all, have no priority, do not expire, and are later than those that are here.
    pub(super) fn append(&mut self, jobs: &mut VecDeque<Waiting<I>>) {
        self.len += jobs.len();
        self.shared.append(jobs);
    }

    /// Whether anything that waits is due at a time, or expires.
    pub(super) fn is_timed(&self) -> bool {
        !self.delayed.is_empty() || !self.expiring.is_empty()
    }

    /// The next one for this worker: of its own jobs and of those for all, the one that comes first.
    pub(super) fn pop(&mut self, slot: usize) -> Option<Waiting<I>> {
        let own = self.own.get_mut(slot).filter(|own| own.first() > self.shared.first());
        let job = own.unwrap_or(&mut self.shared).pop()?;
        self.delist(&job);
        Some(job)
    }

    /// Takes out what only this worker may have.
    pub(super) fn take_reserved(&mut self, slot: usize) -> Vec<Waiting<I>> {
        let jobs: Vec<_> = self.own.get_mut(slot).into_iter().flat_map(Lane::drain).collect();
        jobs.iter().for_each(|job| self.delist(job));
        jobs
    }

    /// Keeps a job back until then.
    pub(super) fn delay(&mut self, job: Waiting<I>, until: Duration) {
        self.enlist(&job);
        self.delayed.insert((until, job.number), job);
    }

    /// Takes out one that is due.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Waiting<I>> {
        let job = self.delayed.first_entry().filter(|entry| entry.key().0 <= now)?.remove();
        self.delist(&job);
        Some(job)
    }

    /// Takes out one that has expired.
    pub(super) fn pop_expired(&mut self, now: Duration) -> Option<I> {
        let (_, number) = self.expiring.first().copied().filter(|(at, _)| *at <= now)?;
        self.withdraw(number)
    }

    /// When the next one is due, or expires.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let due = self.delayed.keys().next().map(|(due, _)| *due);
        let expires = self.expiring.first().map(|(at, _)| *at);
        [due, expires].into_iter().flatten().min()
    }

    /// Takes one out.
    pub(super) fn withdraw(&mut self, number: u64) -> Option<I> {
        let queued = self.own.iter_mut().chain([&mut self.shared]).find_map(|lane| lane.withdraw(number));
        let delayed = || {
            let key = *self.delayed.keys().find(|(_, delayed)| *delayed == number)?;
            self.delayed.remove(&key)
        };
        let job = queued.or_else(delayed)?;
        self.delist(&job);
        Some(job.item)
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) -> Vec<I> {
        let lanes = self.own.iter_mut().chain([&mut self.shared]);
        let mut all: Vec<Waiting<I>> = lanes.flat_map(Lane::drain).collect();
        all.extend(std::mem::take(&mut self.delayed).into_values());
        self.expiring.clear();
        self.len = 0;
        all.into_iter().map(|job| job.item).collect()
    }

    /// Since when the first of all that wait for a worker has done so.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.own.iter().chain([&self.shared]).filter_map(Lane::oldest).min()
    }

    fn enlist(&mut self, job: &Waiting<I>) {
        self.len += 1;
        self.expiring.extend(job.stand.expires.map(|at| (at, job.number)));
    }

    fn delist(&mut self, job: &Waiting<I>) {
        self.len -= 1;
        if let Some(at) = job.stand.expires {
            self.expiring.remove(&(at, job.number));
        }
    }
}
