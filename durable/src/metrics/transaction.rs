//! Measures the transactions of a store.

use std::time::{Duration, Instant};

use super::catalog::{BATCH, COMMIT};
use super::recorder::sample;

/// A transaction that has begun.
#[derive(Debug)]
pub(crate) struct Transaction(Instant);

impl Transaction {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Takes the time until now, and the number of requests that were committed.
    pub(crate) fn committed(self, store: &'static str, requests: usize) -> Committed {
        Committed { store, requests, taken: self.0.elapsed() }
    }
}

/// What is published of a transaction, after its requests are answered.
#[derive(Debug)]
#[must_use]
pub(crate) struct Committed {
    store: &'static str,
    requests: usize,
    taken: Duration,
}

impl Committed {
    pub(crate) fn publish(self) {
        sample(COMMIT, [self.store.into()], self.taken.as_secs_f64());
        sample(BATCH, [self.store.into()], self.requests as f64);
    }
}
