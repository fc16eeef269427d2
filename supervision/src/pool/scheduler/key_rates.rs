//! The rate limits of the kinds of jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::time::Duration;

use super::rate::Rate;
use super::rate_limit::RateLimit;

/// The kind of a job: the hash of its rate key.
pub(crate) type RateKey = NonZeroU64;

/// The rate limits of the kinds of jobs, and what is used of them.
///
/// # Memory
///
/// A kind of which no start counts any more is the same as a new one. Its state is removed at the
/// next start of any kind, or at the next tick.
#[derive(Debug, Default)]
pub(crate) struct KeyRates {
    /// The limit of each kind without a limit of its own.
    each: Option<RateLimit>,
    /// The kinds with a limit of their own, or with none.
    own: BTreeMap<RateKey, Option<RateLimit>>,
    used: BTreeMap<RateKey, Rate>,
    /// When no start of each kind in `used` counts any more.
    unused_at: BTreeSet<(Duration, RateKey)>,
}

impl KeyRates {
    /// Sets the limit of each kind without a limit of its own.
    pub(crate) fn set_each(&mut self, limit: Option<RateLimit>) {
        self.each = limit;
        self.used.retain(|key, _| self.own.contains_key(key));
        self.unused_at.retain(|(_, key)| self.own.contains_key(key));
    }

    /// Sets the limit of one kind.
    pub(crate) fn set_own(&mut self, key: RateKey, limit: Option<RateLimit>) {
        self.own.insert(key, limit);
        if let Some(rate) = self.used.remove(&key) {
            self.unused_at.remove(&(rate.unused_at(), key));
        }
    }

    /// Returns when the next job of this kind may start, or `None` if one may start now.
    pub(crate) fn ready_at(&mut self, key: RateKey, now: Duration) -> Option<Duration> {
        self.used.get_mut(&key)?.ready_at(now)
    }

    /// Records the start of a job of this kind. Returns when the next may start, or `None` if one
    /// may start now.
    pub(crate) fn record_start(&mut self, key: RateKey, now: Duration) -> Option<Duration> {
        self.remove_unused(now);
        let limit = (*self.own.get(&key).unwrap_or(&self.each))?;
        let rate = self.used.entry(key).or_insert_with(|| Rate::new(limit));
        self.unused_at.remove(&(rate.unused_at(), key));
        rate.record_start(now);
        self.unused_at.insert((rate.unused_at(), key));
        rate.ready_at(now)
    }

    /// Removes the state of the kinds of which no start counts any more.
    pub(crate) fn remove_unused(&mut self, now: Duration) {
        while let Some((_, key)) = self.unused_at.first().copied().filter(|(at, _)| *at <= now) {
            self.unused_at.pop_first();
            self.used.remove(&key);
        }
    }
}

#[cfg(all(test, not(model)))]
impl KeyRates {
    /// Returns the number of kinds with a state.
    pub(crate) fn kinds(&self) -> usize {
        assert_eq!(self.used.len(), self.unused_at.len());
        self.used.len()
    }
}
