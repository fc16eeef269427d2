//! Jobs that wait, by priority.

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
    pub(super) stand: Stand,
    pub(super) since: Duration,
}

/// Jobs by priority, in the order in which they came.
#[derive(Debug)]
pub(super) struct Lane<I>(BTreeMap<Reverse<u8>, VecDeque<Waiting<I>>>);

impl<I> Default for Lane<I> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<I> Lane<I> {
    pub(super) fn push(&mut self, job: Waiting<I>, front: bool) {
        let queue = self.0.entry(Reverse(job.stand.priority)).or_default();
        if front { queue.push_front(job) } else { queue.push_back(job) }
    }

    pub(super) fn pop(&mut self) -> Option<Waiting<I>> {
        loop {
            // The last queue stays when it is empty, for the next job; it would hide those of lower priority.
            let is_last = self.0.len() == 1;
            let mut first = self.0.first_entry()?;
            if let Some(job) = first.get_mut().pop_front() {
                return Some(job);
            }
            if is_last {
                return None;
            }
            first.remove();
        }
    }

    pub(super) fn first(&self) -> Option<u8> {
        self.0.iter().find(|(_, queue)| !queue.is_empty()).map(|(Reverse(priority), _)| *priority)
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(VecDeque::len).sum()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Waiting<I>> + use<I> {
        std::mem::take(&mut self.0).into_values().flatten()
    }

    /// Takes one job out.
    pub(super) fn withdraw(&mut self, is_meant: impl Fn(&I) -> bool) -> Option<Waiting<I>> {
        self.0.values_mut().find_map(|queue| {
            let place = queue.iter().position(|job| is_meant(&job.item))?;
            queue.remove(place)
        })
    }

    /// Since when the first has waited.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.0.values().filter_map(VecDeque::front).map(|job| job.since).min()
    }
}
