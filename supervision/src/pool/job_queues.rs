//! What waits: for anybody, for some workers, or for its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::priority_queue::{PriorityQueue, Rank, QueuedJob};

/// Where a job waits for a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum QueueId {
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
struct SlotQueues<I> {
    keyed: PriorityQueue<I>,
    routed: PriorityQueue<I>,
    except: PriorityQueue<I>,
}

impl<I> Default for SlotQueues<I> {
    fn default() -> Self {
        Self { keyed: PriorityQueue::default(), routed: PriorityQueue::default(), except: PriorityQueue::default() }
    }
}

/// All jobs that wait, each in one place.
#[derive(Debug)]
pub(super) struct JobQueues<I> {
    shared: PriorityQueue<I>,
    slots: Vec<SlotQueues<I>>,
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
            slots: std::iter::repeat_with(SlotQueues::default).take(slots).collect(),
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
    pub(super) fn has_job_for(&self, slot: usize, is_alone: bool) -> bool {
        !self.shared.is_empty()
            || self.reserved_for(slot) > 0
            || self.excepted.iter().any(|except| is_alone || *except != slot)
    }

    /// Puts a job in.
    pub(super) fn push(&mut self, job: QueuedJob<I>, queue: QueueId) {
        self.track(&job);
        if let QueueId::Except(slot) = queue {
            self.excepted.insert(slot);
        }
        self.queue(queue).push(job);
    }

    /// The lane of this name; the shared one, if there is no such slot.
    fn queue(&mut self, queue: QueueId) -> &mut PriorityQueue<I> {
        let Self { shared, slots, .. } = self;
        match queue {
            QueueId::Shared => None,
            QueueId::Keyed(slot) => slots.get_mut(slot).map(|own| &mut own.keyed),
            QueueId::Routed(slot) => slots.get_mut(slot).map(|own| &mut own.routed),
            QueueId::Except(slot) => slots.get_mut(slot).map(|own| &mut own.except),
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
    pub(super) fn pop(&mut self, slot: usize, is_alone: bool) -> Option<(QueuedJob<I>, QueueId)> {
        let queue = self.first_for(slot, is_alone)?;
        let job = self.queue(queue).pop()?;
        self.untrack(&job);
        self.forget_if_empty(queue);
        Some((job, queue))
    }

    /// The lane whose first job is the first of all that this worker may have.
    fn first_for(&self, slot: usize, is_alone: bool) -> Option<QueueId> {
        let own = self.slots.get(slot)?;
        let mut first = (QueueId::Shared, self.shared.first());
        let mut consider = |queue, rank: Option<Rank>| {
            if rank.is_some() && (first.1.is_none() || rank < first.1) {
                first = (queue, rank);
            }
        };
        consider(QueueId::Keyed(slot), own.keyed.first());
        consider(QueueId::Routed(slot), own.routed.first());
        for except in self.excepted.iter().filter(|except| is_alone || **except != slot) {
            consider(QueueId::Except(*except), self.slots[*except].except.first());
        }
        first.1.map(|_| first.0)
    }

    fn forget_if_empty(&mut self, queue: QueueId) {
        if let QueueId::Except(slot) = queue {
            if self.slots[slot].except.is_empty() {
                self.excepted.remove(&slot);
            }
        }
    }

    /// Takes out what only this worker may have because its turn had come.
    pub(super) fn take_routed(&mut self, slot: usize) -> Vec<QueuedJob<I>> {
        self.take(QueueId::Routed(slot))
    }

    /// Takes out what only this worker may have because of a key, or because it is pinned there.
    pub(super) fn take_keyed(&mut self, slot: usize) -> Vec<QueuedJob<I>> {
        self.take(QueueId::Keyed(slot))
    }

    fn take(&mut self, queue: QueueId) -> Vec<QueuedJob<I>> {
        let jobs: Vec<_> = self.queue(queue).drain().collect();
        jobs.iter().for_each(|job| self.untrack(job));
        jobs
    }

    /// Keeps a job back until then.
    pub(super) fn delay(&mut self, job: QueuedJob<I>, until: Duration) {
        self.track(&job);
        self.due.insert(job.number, until);
        self.delayed.insert((until, job.number), job);
    }

    /// Takes out one that is due.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<QueuedJob<I>> {
        let job = self.delayed.first_entry().filter(|entry| entry.key().0 <= now)?.remove();
        self.due.remove(&job.number);
        self.untrack(&job);
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
            None => self.cancel_ready(number)?,
        };
        self.untrack(&job);
        Some(job.item)
    }

    fn cancel_ready(&mut self, number: u64) -> Option<QueuedJob<I>> {
        if let Some(job) = self.shared.cancel(number) {
            return Some(job);
        }
        for slot in 0..self.slots.len() {
            for queue in [QueueId::Keyed(slot), QueueId::Routed(slot), QueueId::Except(slot)] {
                if let Some(job) = self.queue(queue).cancel(number) {
                    self.forget_if_empty(queue);
                    return Some(job);
                }
            }
        }
        None
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) -> Vec<I> {
        let own = self.slots.iter_mut().flat_map(|own| [&mut own.keyed, &mut own.routed, &mut own.except]);
        let mut all: Vec<QueuedJob<I>> = own.chain([&mut self.shared]).flat_map(PriorityQueue::drain).collect();
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

    fn track(&mut self, job: &QueuedJob<I>) {
        self.len += 1;
        self.expiring.extend(job.placement.expires.map(|at| (at, job.number)));
    }

    fn untrack(&mut self, job: &QueuedJob<I>) {
        self.len -= 1;
        if let Some(at) = job.placement.expires {
            self.expiring.remove(&(at, job.number));
        }
    }
}
