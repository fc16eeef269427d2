//! Measures the transactions of a store.

use std::time::Instant;

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
    pub(crate) fn committed(&self, store: &'static str, requests: usize) {
        let taken = self.0.elapsed();
        sample(COMMIT, [store.into()], taken.as_secs_f64());
        sample(BATCH, [store.into()], requests as f64);
    }
}
