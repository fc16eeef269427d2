//! Jobs that wait, by priority, and then by number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How a job stands in the queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stand {
    /// The higher comes first.
    pub(super) priority: u8,
    /// The one worker that may have it; any, if none.
    pub(super) slot: Option<usize>,
    /// When it is too late to begin.
    pub(super) expires: Option<Duration>,
}

/// A job that waits, with how it stands and since when.
#[derive(Clone, Debug)]
pub(super) struct Waiting<I> {
    pub(super) item: I,
    /// The lower was submitted first, and comes first. It keeps it for as long as it lives.
    pub(super) number: u64,
    pub(super) stand: Stand,
    /// Since when it has waited, if that is taken.
    pub(super) since: Option<Duration>,
}

/// Where a job stands among others: what is greater comes first.
pub(super) type Rank = (u8, Reverse<u64>);

/// Jobs in the order in which they are to be begun.
#[derive(Debug)]
pub(super) struct Lane<I> {
    /// Those without priority, which most are.
    plain: VecDeque<Waiting<I>>,
    /// The others. No queue in it is empty.
    urgent: BTreeMap<Reverse<u8>, VecDeque<Waiting<I>>>,
}

impl<I> Default for Lane<I> {
    fn default() -> Self {
        Self { plain: VecDeque::new(), urgent: BTreeMap::new() }
    }
}

impl<I> Lane<I> {
    /// Puts a job where its number has it stand: one that comes back, ahead of those that came after it.
    pub(super) fn push(&mut self, job: Waiting<I>) {
        let queue = match job.stand.priority {
            0 => &mut self.plain,
            priority => self.urgent.entry(Reverse(priority)).or_default(),
        };
        match queue.back() {
            Some(last) if last.number > job.number => {
                let place = queue.partition_point(|other| other.number < job.number);
                queue.insert(place, job);
            }
            _ => queue.push_back(job),
        }
    }

    /// Puts jobs in, all of them without priority and later than those that are here.
    pub(super) fn append(&mut self, jobs: &mut VecDeque<Waiting<I>>) {
        if self.plain.is_empty() {
            std::mem::swap(&mut self.plain, jobs);
        } else {
            self.plain.append(jobs);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Waiting<I>> {
        let Some(mut first) = self.urgent.first_entry() else { return self.plain.pop_front() };
        let job = first.get_mut().pop_front();
        if first.get().is_empty() {
            first.remove();
        }
        job
    }

    /// The rank of the first.
    pub(super) fn first(&self) -> Option<Rank> {
        let queue = self.urgent.values().next().unwrap_or(&self.plain);
        queue.front().map(|job| (job.stand.priority, Reverse(job.number)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.urgent.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.plain.len() + self.urgent.values().map(VecDeque::len).sum::<usize>()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Waiting<I>> + use<I> {
        let Self { plain, urgent } = std::mem::take(self);
        urgent.into_values().flatten().chain(plain)
    }

    /// Takes one job out.
    pub(super) fn withdraw(&mut self, number: u64) -> Option<Waiting<I>> {
        let queues = self.urgent.values_mut().chain([&mut self.plain]);
        let job = queues.into_iter().find_map(|queue| {
            let place = queue.binary_search_by_key(&number, |job| job.number).ok()?;
            queue.remove(place)
        });
        self.urgent.retain(|_, queue| !queue.is_empty());
        job
    }

    /// Since when the first of each priority have waited, at the most.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let queues = self.urgent.values().chain([&self.plain]);
        queues.into_iter().filter_map(VecDeque::front).filter_map(|job| job.since).min()
    }
}
