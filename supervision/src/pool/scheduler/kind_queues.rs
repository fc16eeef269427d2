//! The queued jobs that have a kind, which a rate limit may hold back.
//!
//! Each kind has its own queues, one for each [queue](QueueId) in which jobs wait. The first job of
//! each is among the heads of its queue, from which workers choose, unless the kind is held: its
//! rate is exhausted. So a held kind holds back no other job.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::key_rates::RateKey;
use super::priority_queue::{QueueId, QueuedJob, Rank, priorities};

/// The queued jobs of one kind.
#[derive(Debug)]
struct Kind<I> {
    queues: BTreeMap<QueueId, BTreeMap<Rank, QueuedJob<I>>>,
    len: usize,
    /// Until when the kind is held.
    held_until: Option<Duration>,
}

/// The queued jobs that have a kind.
#[derive(Debug)]
pub(crate) struct KindQueues<I> {
    kinds: BTreeMap<RateKey, Kind<I>>,
    /// The first job of each kind that is not held, by queue.
    heads: BTreeMap<QueueId, BTreeMap<Rank, RateKey>>,
    /// The held kinds, by the end of their hold.
    held: BTreeSet<(Duration, RateKey)>,
    /// The place of each job, by number.
    places: BTreeMap<u64, (QueueId, RateKey, Rank)>,
    /// The number of jobs in each queue.
    lens: BTreeMap<QueueId, usize>,
    /// The number of jobs of held kinds.
    held_jobs: usize,
}

impl<I> Default for KindQueues<I> {
    fn default() -> Self {
        Self {
            kinds: BTreeMap::new(),
            heads: BTreeMap::new(),
            held: BTreeSet::new(),
            places: BTreeMap::new(),
            lens: BTreeMap::new(),
            held_jobs: 0,
        }
    }
}

impl<I> KindQueues<I> {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the number of jobs in a queue, held ones included.
    pub(crate) fn len_of(&self, queue: QueueId) -> usize {
        self.lens.get(&queue).copied().unwrap_or(0)
    }

    /// Returns the number of jobs of held kinds.
    pub(crate) const fn held_jobs(&self) -> usize {
        self.held_jobs
    }

    /// Returns `true` if a kind is held.
    pub(crate) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Returns when the first held kind is to be released.
    pub(crate) fn next_release(&self) -> Option<Duration> {
        self.held.first().map(|(until, _)| *until)
    }

    /// Adds a job of a kind to a queue.
    pub(crate) fn push(&mut self, key: RateKey, job: QueuedJob<I>, queue: QueueId) {
        let rank = job.rank();
        self.places.insert(job.number, (queue, key, rank));
        *self.lens.entry(queue).or_default() += 1;
        let new = || Kind { queues: BTreeMap::new(), len: 0, held_until: None };
        let kind = self.kinds.entry(key).or_insert_with(new);
        kind.len += 1;
        let jobs = kind.queues.entry(queue).or_default();
        let first = jobs.keys().next().copied();
        jobs.insert(rank, job);
        if kind.held_until.is_some() {
            self.held_jobs += 1;
        } else if first.is_none_or(|first| rank < first) {
            let heads = self.heads.entry(queue).or_default();
            first.map(|first| heads.remove(&first));
            heads.insert(rank, key);
        }
    }

    /// Returns the first head of the queues from which this worker may take a job. A worker that
    /// `is_alone` may also take the jobs that it failed.
    pub(crate) fn first_for(&self, slot: usize, is_alone: bool) -> Option<(Rank, QueueId, RateKey)> {
        let own = [QueueId::Shared, QueueId::Keyed(slot), QueueId::Routed(slot)];
        let own = own.into_iter().filter_map(|queue| Some((queue, self.heads.get(&queue)?)));
        let excepted = self.heads.range(QueueId::Except(0)..).map(|(queue, heads)| (*queue, heads));
        let excepted = excepted.filter(|(queue, _)| is_alone || *queue != QueueId::Except(slot));
        let firsts = own.chain(excepted).filter_map(|(queue, heads)| {
            let (rank, key) = heads.first_key_value()?;
            Some((*rank, queue, *key))
        });
        firsts.min_by_key(|(rank, ..)| *rank)
    }

    /// Returns the job with this number.
    pub(crate) fn get(&self, number: u64) -> Option<&QueuedJob<I>> {
        let (queue, key, rank) = self.places.get(&number)?;
        self.kinds.get(key)?.queues.get(queue)?.get(rank)
    }

    /// Removes and returns a job.
    pub(crate) fn remove(&mut self, number: u64) -> Option<QueuedJob<I>> {
        let (queue, key, rank) = self.places.remove(&number)?;
        decrement(&mut self.lens, queue);
        let Self { kinds, heads, .. } = self;
        let Entry::Occupied(mut entry) = kinds.entry(key) else { return None };
        let kind = entry.get_mut();
        let jobs = kind.queues.get_mut(&queue)?;
        let job = jobs.remove(&rank)?;
        let next = jobs.keys().next().copied();
        if jobs.is_empty() {
            kind.queues.remove(&queue);
        }
        kind.len -= 1;
        if let Some(until) = kind.held_until {
            self.held_jobs -= 1;
            if kind.len == 0 {
                self.held.remove(&(until, key));
            }
        } else {
            let queue_heads = heads.entry(queue).or_default();
            // Otherwise it was not the first, which is still there.
            if queue_heads.remove(&rank).is_some() {
                queue_heads.extend(next.map(|next| (next, key)));
            }
            if queue_heads.is_empty() {
                heads.remove(&queue);
            }
        }
        if kind.len == 0 {
            entry.remove();
        }
        Some(job)
    }

    /// Holds a kind until its rate allows the next start.
    pub(crate) fn hold(&mut self, key: RateKey, until: Duration) {
        let Some(kind) = self.kinds.get_mut(&key).filter(|kind| kind.held_until.is_none()) else { return };
        kind.held_until = Some(until);
        self.held.insert((until, key));
        self.held_jobs += kind.len;
        for (queue, jobs) in &kind.queues {
            let Some(heads) = self.heads.get_mut(queue) else { continue };
            jobs.keys().next().map(|first| heads.remove(first));
            if heads.is_empty() {
                self.heads.remove(queue);
            }
        }
    }

    /// Releases the held kinds whose hold ends by this time. Their first jobs wait for a worker
    /// from now on. Returns `true` if there was one.
    pub(crate) fn release(&mut self, now: Duration) -> bool {
        let mut is_released = false;
        while let Some((_, key)) = self.held.first().copied().filter(|(until, _)| *until <= now) {
            self.held.pop_first();
            self.expose(key, Some(now));
            is_released = true;
        }
        is_released
    }

    /// Releases all held kinds.
    pub(crate) fn release_all(&mut self) {
        for (_, key) in std::mem::take(&mut self.held) {
            self.expose(key, None);
        }
    }

    /// Makes the first jobs of a kind heads of their queues. They wait since this time, if it is
    /// given.
    fn expose(&mut self, key: RateKey, since: Option<Duration>) {
        let Some(kind) = self.kinds.get_mut(&key) else { return };
        kind.held_until = None;
        self.held_jobs -= kind.len;
        for (queue, jobs) in &mut kind.queues {
            let Some((rank, first)) = jobs.iter_mut().next() else { continue };
            first.since = first.since.map(|before| since.unwrap_or(before));
            self.heads.entry(*queue).or_default().insert(*rank, key);
        }
    }

    /// Removes and returns the jobs of a queue.
    pub(crate) fn take(&mut self, queue: QueueId) -> Vec<QueuedJob<I>> {
        if self.len_of(queue) == 0 {
            return Vec::new();
        }
        let numbers: Vec<u64> =
            self.places.iter().filter(|(_, place)| place.0 == queue).map(|(number, _)| *number).collect();
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// Removes and returns all jobs.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = QueuedJob<I>> + use<I> {
        let kinds = std::mem::take(self).kinds.into_values();
        kinds.flat_map(|kind| kind.queues.into_values().flat_map(BTreeMap::into_values))
    }

    /// Returns all jobs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &QueuedJob<I>> {
        let queues = self.kinds.values().flat_map(|kind| kind.queues.values());
        queues.flat_map(BTreeMap::values)
    }

    /// Returns since when the oldest of the first jobs of each priority has waited for a worker.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        let firsts = self.heads.iter().flat_map(|(queue, heads)| {
            let ranks = priorities(heads).filter_map(|priority| heads.range((priority, 0)..).next());
            ranks.map(move |(rank, key)| (queue, rank, key))
        });
        let since = |(queue, rank, key): (&QueueId, &Rank, &RateKey)| {
            self.kinds.get(key)?.queues.get(queue)?.get(rank)?.since
        };
        firsts.filter_map(since).min()
    }
}

/// Decrements a count, and removes it if it is 0.
fn decrement(lens: &mut BTreeMap<QueueId, usize>, queue: QueueId) {
    if let Entry::Occupied(mut len) = lens.entry(queue) {
        *len.get_mut() -= 1;
        if *len.get() == 0 {
            len.remove();
        }
    }
}
