//! The results of many jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use perennial_actors::host::Each;
use tokio::sync::mpsc;

use super::job::JobError;
use super::job_state::GuardedOutcome;

/// The results of jobs that were submitted together. To drop it changes nothing: the jobs are done.
#[must_use = "the results come when they are asked for"]
pub struct Batch<T, E> {
    results: mpsc::UnboundedReceiver<(usize, GuardedOutcome<T, E>)>,
    /// What came before its turn.
    buffered: BTreeMap<usize, GuardedOutcome<T, E>>,
    /// What was told before its turn.
    yielded: BTreeSet<usize>,
    next: usize,
    len: usize,
}

impl<T, E> Batch<T, E> {
    pub(super) const fn new(results: mpsc::UnboundedReceiver<(usize, GuardedOutcome<T, E>)>, len: usize) -> Self {
        Self { results, buffered: BTreeMap::new(), yielded: BTreeSet::new(), next: 0, len }
    }

    /// How many jobs there are.
    ///
    #[doc = pool_example!(r"let batch = squares.submit_many([1, 2, 3]).await?;
assert_eq!(batch.len(), 3);")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    ///
    #[doc = pool_example!("assert!(squares.submit_many([]).await?.is_empty());")]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next result in the order in which they come, with the place of its job; `None` when all were told.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    ///
    #[doc = pool_example!(r"let mut batch = squares.submit_many([1, 2, 3]).await?;
while let Some((place, result)) = batch.next_completed().await {
    assert_eq!(result?, [1, 4, 9][place]);
}")]
    pub async fn next_completed(&mut self) -> Option<(usize, Result<T, JobError<E>>)> {
        let (index, result) = match self.buffered.pop_first() {
            Some(next) => next,
            None => self.results.recv().await?,
        };
        self.yielded.insert(index);
        self.skip_yielded();
        Some((index, result.into_inner()?))
    }

    /// The next result in the order in which the jobs were submitted, of those that were not told before; `None` when all were.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    ///
    #[doc = pool_example!(r"let mut batch = squares.submit_many([1, 2, 3]).await?;
let mut results = Vec::new();
while let Some(result) = batch.next_ordered().await {
    results.push(result?);
}
assert_eq!(results, [1, 4, 9]);")]
    pub async fn next_ordered(&mut self) -> Option<Result<T, JobError<E>>> {
        loop {
            self.skip_yielded();
            if let Some(result) = self.buffered.remove(&self.next) {
                self.next += 1;
                return result.into_inner();
            }
            let (index, result) = self.results.recv().await?;
            self.buffered.insert(index, result);
        }
    }

    fn skip_yielded(&mut self) {
        while self.yielded.remove(&self.next) {
            self.next += 1;
        }
    }

    /// All results that were not told before, in the order in which the jobs were submitted.
    ///
    #[doc = pool_example!(r"let results = squares.submit_many([1, 2, 3]).await?.join_all().await;
assert!(matches!(results[..], [Ok(1), Ok(4), Ok(9)]));")]
    pub async fn join_all(mut self) -> Vec<Result<T, JobError<E>>> {
        // Those that are there are dropped one by one if this is.
        let mut all = Each::new(Vec::with_capacity(self.len));
        while let Some(result) = self.next_ordered().await {
            all.push(result);
        }
        all.into_vec()
    }
}

impl<T, E> fmt::Debug for Batch<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("len", &self.len).finish_non_exhaustive()
    }
}
