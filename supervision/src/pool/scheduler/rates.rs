//! The rate limits of a scheduler: of all jobs, and of each kind.
//!
//! The limit of all jobs stops every worker, which waits for the next start that it allows. The
//! limit of a kind only hides the jobs of that kind from the workers, until the next may start.

use super::key_rates::RateKey;
use super::rate::Rate;
use super::rate_limit::RateLimit;
use super::state::{Scheduler, Time};

impl<I> Scheduler<I> {
    /// Sets the limit of all jobs, of which nothing is used. Returns the worker to wake.
    pub(crate) fn set_rate(&mut self, limit: Option<RateLimit>) -> Option<usize> {
        self.rate = limit.map(Rate::new);
        self.rate_limited = false;
        self.wake_idle_worker()
    }

    /// Sets the limit of each kind that has none of its own. Returns the worker to wake.
    pub(crate) fn set_rate_per_key(&mut self, limit: Option<RateLimit>) -> Option<usize> {
        self.key_rates.set_each(limit);
        self.release_all()
    }

    /// Sets the limit of one kind. Returns the worker to wake.
    pub(crate) fn set_rate_for(&mut self, key: RateKey, limit: Option<RateLimit>) -> Option<usize> {
        self.key_rates.set_own(key, limit);
        self.release_all()
    }

    /// Releases all held kinds. A kind that is still exhausted is held again by the next worker
    /// that looks for a job.
    fn release_all(&mut self) -> Option<usize> {
        self.queues.kinds.release_all();
        self.wake_idle_worker()
    }

    /// Returns `true` if a kind of jobs waits for its rate.
    pub(crate) fn has_held_kind(&self) -> bool {
        self.queues.kinds.has_held()
    }

    /// Holds the kind of the first job that this worker may run, if its rate is exhausted. Returns
    /// `true` if it was.
    pub(super) fn hold_first_if_exhausted(&mut self, slot: usize, now: Time) -> bool {
        if self.queues.kinds.is_empty() {
            return false;
        }
        let Some(key) = self.queues.kind_of_first(slot, self.slots.is_alone(slot)) else { return false };
        let Some(until) = self.key_rates.ready_at(key, now) else { return false };
        self.queues.kinds.hold(key, until);
        true
    }

    /// Counts the start of a job for the rates. A kind that is exhausted now is held.
    pub(super) fn record_start(&mut self, key: Option<RateKey>, now: Time) {
        if let Some(rate) = &mut self.rate {
            rate.record_start(now);
            self.rate_limited = false;
        }
        if let Some(key) = key {
            if let Some(until) = self.key_rates.record_start(key, now) {
                self.queues.kinds.hold(key, until);
            }
        }
    }

    pub(super) fn is_within_rate(&mut self, now: Time) -> bool {
        self.rate.as_mut().is_none_or(|rate| rate.is_ready(now))
    }
}
