//! The results that a pool retains for a time: how many, and how long.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::state::Time;

/// Items that are kept by number, until they are too old or too many.
#[derive(Debug)]
pub(crate) struct Retention<I> {
    max: usize,
    time: Duration,
    items: BTreeMap<u64, I>,
    /// The number of each item and the time at which it expires, the oldest first.
    ages: VecDeque<(Time, u64)>,
}

impl<I> Retention<I> {
    pub(crate) const fn new(max: usize, time: Duration) -> Self {
        Self { max, time, items: BTreeMap::new(), ages: VecDeque::new() }
    }

    /// Adds an item. Returns an item to drop: the oldest, if there are too many.
    pub(crate) fn insert(&mut self, number: u64, item: I, now: Time) -> Option<I> {
        let evicted = if self.ages.len() == self.max { self.ages.pop_front() } else { None };
        let evicted = evicted.and_then(|(_, number)| self.items.remove(&number));
        self.ages.push_back((now.saturating_add(self.time), number));
        self.items.insert(number, item);
        evicted
    }

    /// Returns the item with this number, unless it has expired.
    pub(crate) fn get(&self, number: u64) -> Option<&I> {
        self.items.get(&number)
    }

    /// Removes and returns the items that have expired, at most `max`.
    pub(crate) fn expire(&mut self, now: Time, max: usize) -> Vec<I> {
        let due = self.ages.iter().take_while(|(at, _)| *at <= now).take(max).count();
        let due = self.ages.drain(..due);
        due.filter_map(|(_, number)| self.items.remove(&number)).collect()
    }

    /// Returns when the next item expires.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.ages.front().map(|(at, _)| *at)
    }

    /// Removes all items.
    pub(crate) fn clear(&mut self) -> Vec<I> {
        self.ages.clear();
        std::mem::take(&mut self.items).into_values().collect()
    }
}
