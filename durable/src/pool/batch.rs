//! The results of durable jobs that were submitted together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::Subscription;
use perennial_actors::host::add_time;
use perennial_supervision::pool::Work;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::event::DurableEvent;
use super::job::{DurableJob, OutcomeError};
use super::shared::Shared;
use crate::error::StoreError;
use crate::record::JobId;
use crate::wire::Wire;

/// The time between two looks at the jobs that other processes may have ended.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// The results of durable jobs that were submitted together, in one commit. Dropping the batch does
/// not cancel the jobs: [`cancel`](Self::cancel) does.
///
/// The results stay in the store as long as those of other jobs, and [`jobs`](Self::jobs) are
/// handles of them.
#[must_use = "the results are returned only by its methods"]
pub struct DurableBatch<W: Work + 'static> {
    shared: Arc<Shared<W>>,
    jobs: Vec<DurableJob<W>>,
    /// The places of the jobs whose results were not returned. A job that was there already may
    /// have several places.
    left: BTreeMap<usize, JobId>,
    /// From before the first look at the jobs, so that no end is missed.
    events: Subscription<DurableEvent>,
    changes: watch::Receiver<u64>,
    /// The job that has ended.
    ended: Option<JobId>,
    /// When all jobs that are left are looked at.
    look_at: Option<Instant>,
}

impl<W: Work + 'static> DurableBatch<W> {
    pub(super) fn new(shared: Arc<Shared<W>>, jobs: Vec<DurableJob<W>>) -> Self {
        let left = jobs.iter().map(DurableJob::id).enumerate().collect();
        let (events, changes) = (shared.events.subscribe(), shared.store.changes());
        Self { shared, jobs, left, events, changes, ended: None, look_at: Some(Instant::now()) }
    }

    /// Returns the number of jobs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns `true` if the batch has no jobs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Returns the handles of the jobs, in submission order.
    #[must_use]
    pub fn jobs(&self) -> &[DurableJob<W>] {
        &self.jobs
    }

    /// Cancels all jobs that are not over, in one commit. Returns how many were cancelled.
    ///
    /// # Errors
    ///
    /// The store failed. The jobs may be cancelled then, or not.
    pub async fn cancel(&self) -> Result<usize, StoreError> {
        let ids: Vec<JobId> = self.jobs.iter().map(DurableJob::id).collect();
        self.shared.cancel_all(&ids).await
    }
}

impl<W: Work<Output: Wire> + 'static> DurableBatch<W> {
    /// Returns the next result in completion order, with the place of its job, or `None` when all
    /// results were returned. The end of a job in another process is noticed within a second.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no result is lost if the future is dropped.
    pub async fn next_completed(&mut self) -> Option<(usize, Result<W::Output, OutcomeError>)> {
        while !self.left.is_empty() {
            if let Some(outcome) = self.look().await {
                return Some(outcome);
            }
            tokio::select! {
                biased;
                Some(event) = self.events.next() => {
                    self.ended = Some(event).filter(DurableEvent::is_over).map(|event| event.id());
                }
                Ok(()) = self.changes.changed(), if self.look_at.is_none() => {
                    self.look_at = Some(add_time(Instant::now(), LOOK_PERIOD));
                }
                () = until(self.look_at) => {}
            }
        }
        None
    }

    /// Looks at the job that has ended, or at all that are left if it is time.
    async fn look(&mut self) -> Option<(usize, Result<W::Output, OutcomeError>)> {
        let is_time = self.look_at.is_some_and(|at| at <= Instant::now());
        let is_looked_at = |id: &JobId| is_time || self.ended == Some(*id);
        let left = self.left.iter().filter(|(_, id)| is_looked_at(id));
        let places: Vec<usize> = left.map(|(place, _)| *place).collect();
        for place in places {
            if let Some(outcome) = self.jobs.get(place)?.outcome_now().await {
                self.left.remove(&place);
                return Some((place, outcome));
            }
        }
        self.ended = None;
        if is_time {
            self.look_at = None;
        }
        None
    }

    /// Returns the next result in submission order that was not returned before, or `None` when all
    /// were.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no result is lost if the future is dropped.
    pub async fn next_ordered(&mut self) -> Option<Result<W::Output, OutcomeError>> {
        let (place, _) = self.left.first_key_value()?;
        let place = *place;
        let outcome = self.jobs.get(place)?.outcome().await;
        self.left.remove(&place);
        Some(outcome)
    }

    /// Waits for all results that were not returned before, and returns them in submission order.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the results are still in the store.
    pub async fn join_all(mut self) -> Vec<Result<W::Output, OutcomeError>> {
        let mut all = Vec::with_capacity(self.left.len());
        while let Some(result) = self.next_ordered().await {
            all.push(result);
        }
        all
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl<W: Work + 'static> fmt::Debug for DurableBatch<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, left) = (self.jobs.len(), self.left.len());
        f.debug_struct("DurableBatch").field("len", &len).field("left", &left).finish_non_exhaustive()
    }
}
