//! The results of a batch of jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Weak};

use perennial_actors::host::Each;
use tokio::sync::mpsc;

use super::job::JobError;
use super::job_id::JobId;
use super::runtime::{GuardedOutcome, Shared};
use super::worker::Work;

/// The results of jobs that were submitted together. Dropping the batch does not cancel the jobs:
/// [`cancel`](Self::cancel) does.
///
/// An output goes to the batch only: a [handle](super::PoolHandle::job) of one of its jobs resolves
/// with [`JobError::ResultTaken`] then. An error is returned to both. To ask for outputs by id,
/// submit the jobs with [`detach`](super::Submission::detach).
#[must_use = "the results are returned only by its methods"]
pub struct Batch<W: Work + 'static> {
    results: mpsc::UnboundedReceiver<(usize, GuardedOutcome<W>)>,
    /// Results that arrived before their turn.
    buffered: BTreeMap<usize, GuardedOutcome<W>>,
    /// Indexes of results that were returned before their turn.
    yielded: BTreeSet<usize>,
    next: usize,
    /// The ids of all jobs, in submission order.
    ids: Box<[JobId]>,
    pool: Weak<Shared<W>>,
}

impl<W: Work + 'static> Batch<W> {
    pub(super) fn new(
        results: mpsc::UnboundedReceiver<(usize, GuardedOutcome<W>)>,
        ids: Vec<JobId>,
        pool: &Arc<Shared<W>>,
    ) -> Self {
        let (ids, pool) = (ids.into(), Arc::downgrade(pool));
        Self { results, buffered: BTreeMap::new(), yielded: BTreeSet::new(), next: 0, ids, pool }
    }

    /// Returns the number of jobs.
    ///
    #[doc = pool_example!(r"let batch = squares.submit_many([1, 2, 3]).await?;
assert_eq!(batch.len(), 3);")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns `true` if the batch has no jobs.
    ///
    #[doc = pool_example!("assert!(squares.submit_many([]).await?.is_empty());")]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the ids of the jobs, in submission order.
    ///
    #[doc = pool_example!(r"squares.pause();
let batch = squares.submit_many([1, 2, 3]).await?;
assert!(squares.cancel(batch.ids()[1]));
squares.resume();
assert!(matches!(batch.join_all().await[..], [Ok(1), Err(_), Ok(9)]));")]
    #[must_use]
    pub const fn ids(&self) -> &[JobId] {
        &self.ids
    }

    /// Returns how many jobs have ended, with an output or an error. `completed_count` of a Celery
    /// group counts only those with an output.
    ///
    #[doc = pool_example!(r"let batch = squares.submit_many([1, 2, 3]).await?;
squares.drain().await;
assert_eq!(batch.completed(), 3);")]
    #[must_use]
    pub fn completed(&self) -> usize {
        // Every result before `next` was returned.
        self.next + self.yielded.len() + self.buffered.len() + self.results.len()
    }

    /// Cancels all jobs that have no result yet, as `revoke` of a group of Celery with `terminate`
    /// does. Their results are [`Cancelled`](JobError::Cancelled); the other jobs keep theirs.
    /// Returns how many jobs were cancelled.
    ///
    /// The jobs are cancelled at one moment: no queued job starts meanwhile. A running job is
    /// dropped as by [`JobHandle::cancel`](super::JobHandle::cancel).
    ///
    #[doc = pool_example!(r"squares.pause();
let batch = squares.submit_many([1, 2, 3]).await?;
assert_eq!((batch.cancel(), batch.cancel()), (3, 0));
let results = batch.join_all().await;
assert!(results.iter().all(|result| matches!(result, Err(JobError::Cancelled(_)))));")]
    pub fn cancel(&self) -> usize {
        // The jobs of a pool that is gone have a result, as all jobs before `next`.
        let unreturned = self.ids.get(self.next..).unwrap_or_default();
        self.pool.upgrade().map_or(0, |pool| pool.cancel_all(unreturned))
    }

    /// Returns the next result in completion order, with the index of its job, or `None` when all
    /// results were returned.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no result is lost if the future is dropped.
    ///
    #[doc = pool_example!(r"let mut batch = squares.submit_many([1, 2, 3]).await?;
while let Some((place, result)) = batch.next_completed().await {
    assert_eq!(result?, [1, 4, 9][place]);
}")]
    pub async fn next_completed(&mut self) -> Option<(usize, Result<W::Output, JobError<W::Error>>)> {
        let (index, result) = match self.buffered.pop_first() {
            Some(next) => next,
            None => self.results.recv().await?,
        };
        self.yielded.insert(index);
        self.skip_yielded();
        Some((index, result.into_inner()?))
    }

    /// Returns the next result in submission order that was not returned before, or `None` when all
    /// were.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no result is lost if the future is dropped.
    ///
    #[doc = pool_example!(r"let mut batch = squares.submit_many([1, 2, 3]).await?;
let mut results = Vec::new();
while let Some(result) = batch.next_ordered().await {
    results.push(result?);
}
assert_eq!(results, [1, 4, 9]);")]
    pub async fn next_ordered(&mut self) -> Option<Result<W::Output, JobError<W::Error>>> {
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

    /// Waits for all results that were not returned before, and returns them in submission order.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the results are lost; the jobs run all the same.
    ///
    #[doc = pool_example!(r"let results = squares.submit_many([1, 2, 3]).await?.join_all().await;
assert!(matches!(results[..], [Ok(1), Ok(4), Ok(9)]));")]
    pub async fn join_all(mut self) -> Vec<Result<W::Output, JobError<W::Error>>> {
        // If this future is dropped, the collected results are dropped one by one.
        let mut all = Each::new(Vec::with_capacity(self.len()));
        while let Some(result) = self.next_ordered().await {
            all.push(result);
        }
        all.into_vec()
    }
}

impl<W: Work + 'static> fmt::Debug for Batch<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("len", &self.len()).finish_non_exhaustive()
    }
}
