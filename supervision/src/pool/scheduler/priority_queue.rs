//! A queue of jobs, ordered by priority, then by number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use super::key_rates::RateKey;

/// The workers that may run a job.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Target {
    /// Any worker.
    #[default]
    Any,
    /// The worker in this slot while it runs; any worker after that.
    Slot(usize),
    /// The worker that this key maps to, while it is due.
    Key(u64),
    /// The worker in this slot while it is due; no worker after that.
    Pinned(usize),
    /// Any worker except the one in this slot, as long as another runs.
    Except(usize),
}

/// The queue in which a job waits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum QueueId {
    /// For any worker.
    Shared,
    /// For the worker in this slot, because of a key or a pin.
    Keyed(usize),
    /// For the worker in this slot, because routing chose it.
    Routed(usize),
    /// For every worker except the one in this slot. The last variant: these queues are a range.
    Except(usize),
}

/// The placement of a job in the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placement {
    /// A higher priority is leased first.
    pub(crate) priority: u8,
    /// The workers that may run the job.
    pub(crate) target: Target,
    /// The time after which the job may not start.
    pub(crate) expires: Option<Duration>,
    /// The kind of the job, if it has one, for its rate limit.
    pub(crate) rate_key: Option<RateKey>,
}

/// A queued job.
#[derive(Clone, Debug)]
pub(crate) struct QueuedJob<I> {
    pub(crate) item: I,
    /// The submission number, by which jobs of equal priority are ordered. It never changes.
    pub(crate) number: u64,
    pub(crate) placement: Placement,
    /// Since when the job has waited, if that is measured.
    pub(crate) since: Option<Duration>,
}

impl<I> QueuedJob<I> {
    /// Returns the rank of the job.
    pub(crate) const fn rank(&self) -> Rank {
        (Reverse(self.placement.priority), self.number)
    }
}

/// The rank of a job in the queue: the least rank is first.
pub(crate) type Rank = (Reverse<u8>, u64);

/// The rank of a job without priority.
const fn plain_rank(number: u64) -> Rank {
    (Reverse(0), number)
}

/// The distance from an end of `plain` up to which a job is removed by moving the jobs in between.
const NEAR: usize = 32;

/// Jobs in the order in which they start.
///
/// # Costs
///
/// Adding a job and removing the first take constant time for jobs without priority that arrive in
/// number order. Every other operation, also the removal of any job, takes logarithmic time: a job
/// moves from `plain` to `sorted` at most once.
#[derive(Debug)]
pub(crate) struct PriorityQueue<I> {
    /// Jobs without priority that arrived in number order, as most do.
    plain: VecDeque<QueuedJob<I>>,
    /// The other jobs.
    sorted: BTreeMap<Rank, QueuedJob<I>>,
}

impl<I> Default for PriorityQueue<I> {
    fn default() -> Self {
        Self { plain: VecDeque::new(), sorted: BTreeMap::new() }
    }
}

impl<I> PriorityQueue<I> {
    /// Adds a job at the position of its priority and number: a retried job precedes later ones.
    pub(crate) fn push(&mut self, job: QueuedJob<I>) {
        let is_last = self.plain.back().is_none_or(|last| last.number < job.number);
        if job.placement.priority == 0 && is_last {
            self.plain.push_back(job);
        } else {
            self.sorted.insert(job.rank(), job);
        }
    }

    /// Appends jobs that have no priority and are later than all queued jobs.
    pub(crate) fn append(&mut self, jobs: &mut VecDeque<QueuedJob<I>>) {
        if self.plain.is_empty() {
            std::mem::swap(&mut self.plain, jobs);
        } else {
            self.plain.append(jobs);
        }
    }

    /// Returns the number of jobs without priority that arrived in number order.
    #[inline]
    pub(crate) fn plain_len(&self) -> usize {
        self.plain.len()
    }

    /// Removes and returns the first job without priority that arrived in number order.
    #[inline]
    pub(crate) fn pop_plain(&mut self) -> Option<QueuedJob<I>> {
        self.plain.pop_front()
    }

    pub(crate) fn pop(&mut self) -> Option<QueuedJob<I>> {
        let Some(sorted) = self.sorted.first_entry() else { return self.plain.pop_front() };
        match self.plain.front() {
            Some(plain) if plain_rank(plain.number) < *sorted.key() => self.plain.pop_front(),
            _ => Some(sorted.remove()),
        }
    }

    /// Returns the rank of the first job.
    pub(crate) fn first(&self) -> Option<Rank> {
        let plain = self.plain.front().map(|job| plain_rank(job.number));
        let Some((sorted, _)) = self.sorted.first_key_value() else { return plain };
        Some(plain.map_or(*sorted, |plain| plain.min(*sorted)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.sorted.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.plain.len() + self.sorted.len()
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = QueuedJob<I>> + use<I> {
        let Self { plain, sorted } = std::mem::take(self);
        sorted.into_values().chain(plain)
    }

    /// Returns all jobs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &QueuedJob<I>> {
        self.sorted.values().chain(&self.plain)
    }

    /// Returns the job with this number.
    pub(crate) fn get(&self, number: u64) -> Option<&QueuedJob<I>> {
        if let Ok(place) = self.plain.binary_search_by_key(&number, |job| job.number) {
            return self.plain.get(place);
        }
        priorities(&self.sorted).find_map(|priority| self.sorted.get(&(priority, number)))
    }

    /// Removes a job.
    pub(crate) fn cancel(&mut self, number: u64) -> Option<QueuedJob<I>> {
        if let Ok(place) = self.plain.binary_search_by_key(&number, |job| job.number) {
            return self.take_plain(place);
        }
        let rank = priorities(&self.sorted)
            .map(|priority| (priority, number))
            .find(|rank| self.sorted.contains_key(rank));
        self.sorted.remove(&rank?)
    }

    /// Removes the plain job at this index. The jobs between it and the nearer end move to
    /// `sorted`, from which any job is removed in logarithmic time.
    fn take_plain(&mut self, place: usize) -> Option<QueuedJob<I>> {
        let after = self.plain.len() - place - 1;
        if place.min(after) <= NEAR {
            return self.plain.remove(place);
        }
        if place < after {
            self.sorted.extend(self.plain.drain(..place).map(|job| (plain_rank(job.number), job)));
            self.plain.pop_front()
        } else {
            self.sorted.extend(self.plain.drain(place + 1..).map(|job| (plain_rank(job.number), job)));
            self.plain.pop_back()
        }
    }

    /// Returns since when the oldest of the first jobs of each priority has waited.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        let sorted =
            priorities(&self.sorted).filter_map(|priority| self.sorted.range((priority, 0)..).next());
        let firsts = sorted.map(|(_, job)| job).chain(self.plain.front());
        firsts.filter_map(|job| job.since).min()
    }
}

/// Returns the priorities of these entries, the highest first.
pub(crate) fn priorities<T>(entries: &BTreeMap<Rank, T>) -> impl Iterator<Item = Reverse<u8>> + '_ {
    let mut after = Bound::Unbounded;
    std::iter::from_fn(move || {
        let (&(priority, _), _) = entries.range((after, Bound::Unbounded)).next()?;
        after = Bound::Excluded((priority, u64::MAX));
        Some(priority)
    })
}
