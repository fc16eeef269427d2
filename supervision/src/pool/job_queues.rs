//! What waits: for anybody, for some workers, or for its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::priority_queue::{PriorityQueue, QueuedJob, Rank};

/// Where a job waits for a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LaneId {
    /// Any worker may have it.
    Shared,
    /// The worker in this slot may have it, because of its key or because it is pinned there.
    Keyed(usize),
    /// The worker in this slot may have it, because its turn had come.
    Routed(usize),
    /// Every worker but the one in this slot may have it.
    Except(usize),
}

/// The lanes of one slot.
#[derive(Debug)]
struct SlotLanes<I> {
    keyed: PriorityQueue<I>,
    routed: PriorityQueue<I>,
    except: PriorityQueue<I>,
}

impl<I> Default for SlotLanes<I> {
    fn default() -> Self {
        Self {
            keyed: PriorityQueue::default(),
            routed: PriorityQueue::default(),
            except: PriorityQueue::default(),
        }
    }
}

/// All jobs that wait, each in one place.
#[derive(Debug)]
pub(super) struct JobQueues<I> {
    shared: PriorityQueue<I>,
    slots: Vec<SlotLanes<I>>,
    /// The slots for which there is a job that every other worker may have.
    excepted: BTreeSet<usize>,
    /// By when they are due.
    delayed: BTreeMap<(Duration, u64), QueuedJob<I>>,
    /// When each of the delayed is due, by its number.
    due: BTreeMap<u64, Duration>,
    /// Of all these, those that expire: when, and the number.
    expiring: BTreeSet<(Duration, u64)>,
    len: usize,
}

impl<I> JobQueues<I> {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            shared: PriorityQueue::default(),
            slots: std::iter::repeat_with(SlotLanes::default).take(slots).collect(),
            excepted: BTreeSet::new(),
            delayed: BTreeMap::new(),
            due: BTreeMap::new(),
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
        self.slots.get(slot).map_or(0, |own| own.keyed.len() + own.routed.len())
    }

    /// Returns `true` if there is a job that some workers may not have because they failed it.
    pub(super) fn has_excepted(&self) -> bool {
        !self.excepted.is_empty()
    }

    /// Returns `true` if there is a job that this worker may have. One that `is_alone` may have
    /// those too that it failed.
    pub(super) fn has_for(&self, slot: usize, is_alone: bool) -> bool {
        !self.shared.is_empty()
            || self.reserved_for(slot) > 0
            || self.excepted.iter().any(|except| is_alone || *except != slot)
    }

    /// Puts a job in.
    pub(super) fn push(&mut self, job: QueuedJob<I>, lane: LaneId) {
        self.enlist(&job);
        if let LaneId::Except(slot) = lane {
            self.excepted.insert(slot);
        }
        self.lane(lane).push(job);
    }

    /// The lane of this name; the shared one, if there is no such slot.
    fn lane(&mut self, lane: LaneId) -> &mut PriorityQueue<I> {
        let Self { shared, slots, .. } = self;
        match lane {
            LaneId::Shared => None,
            LaneId::Keyed(slot) => slots.get_mut(slot).map(|own| &mut own.keyed),
            LaneId::Routed(slot) => slots.get_mut(slot).map(|own| &mut own.routed),
            LaneId::Except(slot) => slots.get_mut(slot).map(|own| &mut own.except),
        }
        .unwrap_or(shared)
    }

    /// Puts jobs in that are for all, have no priority, do not expire, and are later than those that are here.
    pub(super) fn append(&mut self, jobs: &mut VecDeque<QueuedJob<I>>) {
        self.len += jobs.len();
        self.shared.append(jobs);
    }

    /// Whether anything that waits is due at a time, or expires.
    pub(super) fn is_timed(&self) -> bool {
        !self.delayed.is_empty() || !self.expiring.is_empty()
    }

    /// The next one for this worker: of all jobs that it may have, the one that comes first.
    pub(super) fn pop(&mut self, slot: usize, is_alone: bool) -> Option<(QueuedJob<I>, LaneId)> {
        let lane = self.first_for(slot, is_alone)?;
        let job = self.lane(lane).pop()?;
        self.delist(&job);
        self.forget_if_empty(lane);
        Some((job, lane))
    }

    /// The lane whose first job is the first of all that this worker may have.
    fn first_for(&self, slot: usize, is_alone: bool) -> Option<LaneId> {
        let own = self.slots.get(slot)?;
        let mut first = (LaneId::Shared, self.shared.first());
        let mut consider = |lane, rank: Option<Rank>| {
            if rank.is_some() && (first.1.is_none() || rank < first.1) {
                first = (lane, rank);
            }
        };
        consider(LaneId::Keyed(slot), own.keyed.first());
        consider(LaneId::Routed(slot), own.routed.first());
        for except in self.excepted.iter().filter(|except| is_alone || **except != slot) {
            consider(LaneId::Except(*except), self.slots[*except].except.first());
        }
        first.1.map(|_| first.0)
    }

    fn forget_if_empty(&mut self, lane: LaneId) {
        if let LaneId::Except(slot) = lane {
            if self.slots[slot].except.is_empty() {
                self.excepted.remove(&slot);
            }
        }
    }

    /// Takes out what only this worker may have because its turn had come.
    pub(super) fn take_routed(&mut self, slot: usize) -> Vec<QueuedJob<I>> {
        self.take(LaneId::Routed(slot))
    }

    /// Takes out what only this worker may have because of a key, or because it is pinned there.
    pub(super) fn take_keyed(&mut self, slot: usize) -> Vec<QueuedJob<I>> {
        self.take(LaneId::Keyed(slot))
    }

    fn take(&mut self, lane: LaneId) -> Vec<QueuedJob<I>> {
        let jobs: Vec<_> = self.lane(lane).drain().collect();
        jobs.iter().for_each(|job| self.delist(job));
        jobs
    }

    /// Keeps a job back until then.
    pub(super) fn delay(&mut self, job: QueuedJob<I>, until: Duration) {
        self.enlist(&job);
        self.due.insert(job.number, until);
        self.delayed.insert((until, job.number), job);
    }

    /// Takes out one that is due.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<QueuedJob<I>> {
        let job = self.delayed.first_entry().filter(|entry| entry.key().0 <= now)?.remove();
        self.due.remove(&job.number);
        self.delist(&job);
        Some(job)
    }

    /// Takes out one that has expired.
    pub(super) fn pop_expired(&mut self, now: Duration) -> Option<I> {
        let (_, number) = self.expiring.first().copied().filter(|(at, _)| *at <= now)?;
        self.cancel(number)
    }

    /// When the next one is due, or expires.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let due = self.delayed.keys().next().map(|(due, _)| *due);
        let expires = self.expiring.first().map(|(at, _)| *at);
        [due, expires].into_iter().flatten().min()
    }

    /// Takes one out, wherever it waits.
    pub(super) fn cancel(&mut self, number: u64) -> Option<I> {
        let job = match self.due.remove(&number) {
            Some(due) => self.delayed.remove(&(due, number))?,
            None => self.withdraw_ready(number)?,
        };
        self.delist(&job);
        Some(job.item)
    }

    fn withdraw_ready(&mut self, number: u64) -> Option<QueuedJob<I>> {
        if let Some(job) = self.shared.cancel(number) {
            return Some(job);
        }
        for slot in 0..self.slots.len() {
            for lane in [LaneId::Keyed(slot), LaneId::Routed(slot), LaneId::Except(slot)] {
                if let Some(job) = self.lane(lane).cancel(number) {
                    self.forget_if_empty(lane);
                    return Some(job);
                }
            }
        }
        None
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) -> Vec<I> {
        let own = self.slots.iter_mut().flat_map(|own| [&mut own.keyed, &mut own.routed, &mut own.except]);
        let mut all: Vec<QueuedJob<I>> =
            own.chain([&mut self.shared]).flat_map(PriorityQueue::drain).collect();
        all.extend(std::mem::take(&mut self.delayed).into_values());
        self.due.clear();
        self.excepted.clear();
        self.expiring.clear();
        self.len = 0;
        all.into_iter().map(|job| job.item).collect()
    }

    /// Since when the first of all that wait for a worker has done so.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let own = self.slots.iter().flat_map(|own| [&own.keyed, &own.routed, &own.except]);
        own.chain([&self.shared]).filter_map(PriorityQueue::oldest).min()
    }

    fn enlist(&mut self, job: &QueuedJob<I>) {
        self.len += 1;
        self.expiring.extend(job.stand.expires.map(|at| (at, job.number)));
    }

    fn delist(&mut self, job: &QueuedJob<I>) {
        self.len -= 1;
        if let Some(at) = job.stand.expires {
            self.expiring.remove(&(at, job.number));
        }
    }
}
