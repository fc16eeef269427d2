//! The queued jobs: for any worker, for some workers, or delayed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::key_rates::RateKey;
use super::kind_queues::KindQueues;
use super::priority_queue::{PriorityQueue, QueueId, QueuedJob, Rank};

/// Where a job is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// It is delayed.
    Delayed,
    /// It waits for a worker.
    Queued,
    /// It is leased to a worker.
    Leased,
}

/// The queues of one slot, by kind.
type SlotQueues<I> = [PriorityQueue<I>; 3];

const KEYED: usize = 0;
const ROUTED: usize = 1;
const EXCEPT: usize = 2;

/// All queued jobs, each in one place.
#[derive(Debug)]
pub(crate) struct JobQueues<I> {
    shared: PriorityQueue<I>,
    slots: Vec<SlotQueues<I>>,
    /// The slots with a job in their `except` queue.
    excepted: BTreeSet<usize>,
    /// The jobs that have a kind, for any or some workers.
    pub(crate) kinds: KindQueues<I>,
    /// Delayed jobs, by due time and number.
    delayed: BTreeMap<(Duration, u64), QueuedJob<I>>,
    /// The due time of each delayed job, by number.
    due: BTreeMap<u64, Duration>,
    /// The expiry times and numbers of all queued jobs that expire.
    expiring: BTreeSet<(Duration, u64)>,
    len: usize,
}

impl<I> JobQueues<I> {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            shared: PriorityQueue::default(),
            slots: std::iter::repeat_with(SlotQueues::default).take(slots).collect(),
            excepted: BTreeSet::new(),
            kinds: KindQueues::default(),
            delayed: BTreeMap::new(),
            due: BTreeMap::new(),
            expiring: BTreeSet::new(),
            len: 0,
        }
    }

    /// Adds the queues of the next slot.
    pub(crate) fn add_slot(&mut self) {
        self.slots.push(SlotQueues::default());
    }

    /// Returns the number of queued jobs, delayed ones included.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of queued jobs that are not delayed.
    pub(crate) fn ready(&self) -> usize {
        self.len - self.delayed.len()
    }

    /// Returns the number of queued jobs that are neither delayed nor held by the rate of their
    /// kind.
    pub(crate) fn startable(&self) -> usize {
        self.ready() - self.kinds.held_jobs()
    }

    /// Returns the number of jobs that only this worker may run.
    pub(crate) fn reserved_for(&self, slot: usize) -> usize {
        let of_kinds = || self.kinds.len_of(QueueId::Keyed(slot)) + self.kinds.len_of(QueueId::Routed(slot));
        self.reserved_without_kind(slot) + if self.kinds.is_empty() { 0 } else { of_kinds() }
    }

    fn reserved_without_kind(&self, slot: usize) -> usize {
        self.slots.get(slot).map_or(0, |own| own[KEYED].len() + own[ROUTED].len())
    }

    /// Returns `true` if there may be a job that a worker may not run, because it failed it, or
    /// because its kind may be exhausted before that worker looks for it.
    pub(crate) fn has_restricted(&self) -> bool {
        !self.excepted.is_empty() || !self.kinds.is_empty()
    }

    /// Returns `true` if there is a job that this worker may run. A worker that `is_alone` may also
    /// run the jobs that it failed.
    pub(crate) fn has_job_for(&self, slot: usize, is_alone: impl Fn() -> bool) -> bool {
        self.ready() > 0
            && (!self.shared.is_empty()
                || self.reserved_without_kind(slot) > 0
                || self.excepted.iter().any(|except| *except != slot || is_alone())
                || (!self.kinds.is_empty() && self.kinds.first_for(slot, is_alone()).is_some()))
    }

    /// Adds a job to a queue.
    pub(crate) fn push(&mut self, job: QueuedJob<I>, queue: QueueId) {
        self.track(&job);
        if let Some(key) = job.placement.rate_key {
            return self.kinds.push(key, job, queue);
        }
        if let QueueId::Except(slot) = queue {
            self.excepted.insert(slot);
        }
        self.queue(queue).push(job);
    }

    /// Returns the queue with this id, or the shared queue if there is no such slot.
    fn queue(&mut self, queue: QueueId) -> &mut PriorityQueue<I> {
        let Self { shared, slots, .. } = self;
        match queue {
            QueueId::Shared => None,
            QueueId::Keyed(slot) => slots.get_mut(slot).map(|own| &mut own[KEYED]),
            QueueId::Routed(slot) => slots.get_mut(slot).map(|own| &mut own[ROUTED]),
            QueueId::Except(slot) => slots.get_mut(slot).map(|own| &mut own[EXCEPT]),
        }
        .unwrap_or(shared)
    }

    /// Appends jobs for any worker that have no priority, do not expire, and are later than all
    /// queued jobs.
    pub(crate) fn append(&mut self, jobs: &mut VecDeque<QueuedJob<I>>) {
        self.len += jobs.len();
        self.shared.append(jobs);
    }

    /// Returns `true` if jobs are queued, all are for any worker, and none has a priority, a delay,
    /// an expiry or a kind.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.len > 0 && self.shared.plain_len() == self.len && self.expiring.is_empty()
    }

    /// Removes and returns the first job of queues that [are plain](Self::is_plain).
    #[inline]
    pub(crate) fn pop_plain(&mut self) -> Option<QueuedJob<I>> {
        let job = self.shared.pop_plain()?;
        self.len -= 1;
        Some(job)
    }

    /// Returns `true` if a queued job is delayed, expires, or has a kind.
    pub(crate) fn is_timed(&self) -> bool {
        !self.delayed.is_empty() || !self.expiring.is_empty() || !self.kinds.is_empty()
    }

    /// Removes and returns the first of all jobs that this worker may run.
    pub(crate) fn pop(&mut self, slot: usize, is_alone: bool) -> Option<(QueuedJob<I>, QueueId)> {
        let first = self.first_for(slot, is_alone);
        if let Some((rank, queue, _)) = self.first_kind(slot, is_alone, first.map(|(_, rank)| rank)) {
            let job = self.kinds.remove(rank.1)?;
            self.untrack(&job);
            return Some((job, queue));
        }
        let (queue, _) = first?;
        let job = self.queue(queue).pop()?;
        self.untrack(&job);
        self.forget_if_empty(queue);
        Some((job, queue))
    }

    /// Returns the kind of the first of all jobs that this worker may run, if it has one.
    pub(crate) fn kind_of_first(&self, slot: usize, is_alone: bool) -> Option<RateKey> {
        let first = self.first_for(slot, is_alone);
        Some(self.first_kind(slot, is_alone, first.map(|(_, rank)| rank))?.2)
    }

    /// Returns the first job with a kind that this worker may run, if it precedes this rank.
    fn first_kind(
        &self,
        slot: usize,
        is_alone: bool,
        other: Option<Rank>,
    ) -> Option<(Rank, QueueId, RateKey)> {
        if self.kinds.is_empty() {
            return None;
        }
        self.kinds.first_for(slot, is_alone).filter(|(rank, ..)| other.is_none_or(|other| *rank < other))
    }

    /// Returns the queue whose first job is the first of all without a kind that this worker may
    /// run, and the rank of that job.
    fn first_for(&self, slot: usize, is_alone: bool) -> Option<(QueueId, Rank)> {
        let own = self.slots.get(slot)?;
        if self.excepted.is_empty() && self.reserved_without_kind(slot) == 0 {
            return Some((QueueId::Shared, self.shared.first()?));
        }
        let mut first = (QueueId::Shared, self.shared.first());
        let mut consider = |queue, rank: Option<Rank>| {
            if rank.is_some() && (first.1.is_none() || rank < first.1) {
                first = (queue, rank);
            }
        };
        consider(QueueId::Keyed(slot), own[KEYED].first());
        consider(QueueId::Routed(slot), own[ROUTED].first());
        for except in self.excepted.iter().filter(|except| is_alone || **except != slot) {
            consider(QueueId::Except(*except), self.slots[*except][EXCEPT].first());
        }
        Some((first.0, first.1?))
    }

    fn forget_if_empty(&mut self, queue: QueueId) {
        if let QueueId::Except(slot) = queue {
            if self.slots[slot][EXCEPT].is_empty() {
                self.excepted.remove(&slot);
            }
        }
    }

    /// Removes the jobs of a queue.
    pub(crate) fn take(&mut self, queue: QueueId) -> Vec<QueuedJob<I>> {
        let mut jobs: Vec<_> = self.queue(queue).drain().collect();
        jobs.extend(self.kinds.take(queue));
        jobs.iter().for_each(|job| self.untrack(job));
        jobs
    }

    /// Delays a job until this time.
    pub(crate) fn delay(&mut self, job: QueuedJob<I>, until: Duration) {
        self.track(&job);
        self.due.insert(job.number, until);
        self.delayed.insert((until, job.number), job);
    }

    /// Removes and returns a delayed job that is due.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<QueuedJob<I>> {
        let job = self.delayed.first_entry().filter(|entry| entry.key().0 <= now)?.remove();
        self.due.remove(&job.number);
        self.untrack(&job);
        Some(job)
    }

    /// Removes and returns an expired job.
    pub(crate) fn pop_expired(&mut self, now: Duration) -> Option<I> {
        let (_, number) = self.expiring.first().copied().filter(|(at, _)| *at <= now)?;
        self.cancel(number)
    }

    /// Returns when the next job is due or expires.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let due = self.delayed.keys().next().map(|(due, _)| *due);
        let expires = self.expiring.first().map(|(at, _)| *at);
        [due, expires].into_iter().flatten().min()
    }

    /// Returns all queued jobs, delayed ones included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &I> {
        let queues = self.slots.iter().flatten().chain([&self.shared]).flat_map(PriorityQueue::iter);
        queues.chain(self.kinds.iter()).chain(self.delayed.values()).map(|job| &job.item)
    }

    /// Returns `true` if a job waits until its delay is over.
    pub(crate) fn is_delayed(&self, number: u64) -> bool {
        self.due.contains_key(&number)
    }

    /// Returns the job with this number, and where it is.
    pub(crate) fn get(&self, number: u64) -> Option<(&I, Place)> {
        if let Some(due) = self.due.get(&number) {
            return Some((&self.delayed.get(&(*due, number))?.item, Place::Delayed));
        }
        let mut queues = std::iter::once(&self.shared).chain(self.slots.iter().flatten());
        let job = queues.find_map(|queue| queue.get(number)).or_else(|| self.kinds.get(number));
        Some((&job?.item, Place::Queued))
    }

    /// Removes a job from any place.
    pub(crate) fn cancel(&mut self, number: u64) -> Option<I> {
        let job = match self.due.remove(&number) {
            Some(due) => self.delayed.remove(&(due, number))?,
            None => self.cancel_ready(number)?,
        };
        self.untrack(&job);
        Some(job.item)
    }

    fn cancel_ready(&mut self, number: u64) -> Option<QueuedJob<I>> {
        if let Some(job) = self.shared.cancel(number).or_else(|| self.kinds.remove(number)) {
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

    /// Removes all jobs.
    pub(crate) fn clear(&mut self) -> Vec<I> {
        let queues = self.slots.iter_mut().flatten().chain([&mut self.shared]);
        let mut all: Vec<QueuedJob<I>> = queues.flat_map(PriorityQueue::drain).collect();
        all.extend(self.kinds.drain());
        all.extend(std::mem::take(&mut self.delayed).into_values());
        self.due.clear();
        self.excepted.clear();
        self.expiring.clear();
        self.len = 0;
        all.into_iter().map(|job| job.item).collect()
    }

    /// Returns since when the oldest job has waited for a worker.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        let queues = self.slots.iter().flatten().chain([&self.shared]);
        queues.filter_map(PriorityQueue::oldest).chain(self.kinds.oldest()).min()
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
