//! Jobs that wait, by priority, and then by number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

/// The workers that may have a job.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Target {
    /// Any worker.
    #[default]
    Any,
    /// The worker in this slot, as long as it runs; any after that.
    Slot(usize),
    /// The worker that this key leads to, as long as it is due.
    Key(u64),
    /// The worker in this slot, as long as it is due; none after that.
    Pinned(usize),
    /// Any worker but the one in this slot, as long as another runs.
    Except(usize),
}

/// How a job stands in the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placement {
    /// The higher comes first.
    pub(super) priority: u8,
    /// The workers that may have it.
    pub(super) target: Target,
    /// When it is too late to begin.
    pub(super) expires: Option<Duration>,
}

/// A job that waits, with how it stands and since when.
#[derive(Clone, Debug)]
pub(super) struct QueuedJob<I> {
    pub(super) item: I,
    /// The lower was submitted first, and comes first. It keeps it for as long as it lives.
    pub(super) number: u64,
    pub(super) placement: Placement,
    /// Since when it has waited, if that is taken.
    pub(super) since: Option<Duration>,
}

/// Where a job stands among others: what is less comes first.
pub(super) type Rank = (Reverse<u8>, u64);

/// The rank of a job without priority.
const fn plain_rank(number: u64) -> Rank {
    (Reverse(0), number)
}

/// So close to an end of a queue, a job is taken out by moving the jobs between it and the end.
const NEAR: usize = 32;

/// Jobs in the order in which they are to be begun.
///
/// # Costs
///
/// To put a job in and to take the first out is constant for jobs without priority that come in the
/// order of their numbers. Everything else is logarithmic, to take out any job too: a job is moved
/// from `plain` to `sorted` once at most.
#[derive(Debug)]
pub(super) struct PriorityQueue<I> {
    /// Jobs without priority that came in the order of their numbers, which most do.
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
    /// Puts a job where its number has it stand: one that comes back, ahead of those that came after it.
    pub(super) fn push(&mut self, job: QueuedJob<I>) {
        let is_last = self.plain.back().is_none_or(|last| last.number < job.number);
        if job.placement.priority == 0 && is_last {
            self.plain.push_back(job);
        } else {
            self.sorted.insert((Reverse(job.placement.priority), job.number), job);
        }
    }

    /// Puts jobs in, all of them without priority and later than those that are here.
    pub(super) fn append(&mut self, jobs: &mut VecDeque<QueuedJob<I>>) {
        if self.plain.is_empty() {
            std::mem::swap(&mut self.plain, jobs);
        } else {
            self.plain.append(jobs);
        }
    }

    pub(super) fn pop(&mut self) -> Option<QueuedJob<I>> {
        let Some(sorted) = self.sorted.first_entry() else { return self.plain.pop_front() };
        match self.plain.front() {
            Some(plain) if plain_rank(plain.number) < *sorted.key() => self.plain.pop_front(),
            _ => Some(sorted.remove()),
        }
    }

    /// The rank of the first.
    pub(super) fn first(&self) -> Option<Rank> {
        let plain = self.plain.front().map(|job| plain_rank(job.number));
        let Some((sorted, _)) = self.sorted.first_key_value() else { return plain };
        Some(plain.map_or(*sorted, |plain| plain.min(*sorted)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.sorted.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.plain.len() + self.sorted.len()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = QueuedJob<I>> + use<I> {
        let Self { plain, sorted } = std::mem::take(self);
        sorted.into_values().chain(plain)
    }

    /// Takes one job out.
    pub(super) fn cancel(&mut self, number: u64) -> Option<QueuedJob<I>> {
        if let Ok(place) = self.plain.binary_search_by_key(&number, |job| job.number) {
            return self.take_plain(place);
        }
        let rank =
            self.priorities().map(|priority| (priority, number)).find(|rank| self.sorted.contains_key(rank));
        self.sorted.remove(&rank?)
    }

    /// Takes out the plain job in this place. The jobs between it and the nearer end go where any
    /// is taken out fast.
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

    /// The priorities of the sorted jobs, the highest first.
    fn priorities(&self) -> impl Iterator<Item = Reverse<u8>> + '_ {
        let mut after = Bound::Unbounded;
        std::iter::from_fn(move || {
            let (&(priority, _), _) = self.sorted.range((after, Bound::Unbounded)).next()?;
            after = Bound::Excluded((priority, u64::MAX));
            Some(priority)
        })
    }

    /// Since when the first of each priority have waited, at the most.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let sorted = self.priorities().filter_map(|priority| self.sorted.range((priority, 0)..).next());
        let firsts = sorted.map(|(_, job)| job).chain(self.plain.front());
        firsts.filter_map(|job| job.since).min()
    }
}
