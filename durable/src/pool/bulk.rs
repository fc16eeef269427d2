//! Many jobs of a durable pool at once: those that match, and all of them.

use std::time::Duration;

use perennial_supervision::pool::Work;
use tokio::time::sleep;

use super::event::DurableEvent;
use super::handle::DurableHandle;
use super::shared::Shared;
use crate::batch::{Applied, Op};
use crate::error::StoreError;
use crate::record::{JobId, JobRecord, RecordState};
use crate::store::JobFilter;

/// The most jobs that one read and one commit take.
const PAGE: usize = 1_000;

/// The shortest time between two counts of a queue that is drained.
const DRAIN_PERIOD: Duration = Duration::from_millis(50);

/// The longest time between two counts of a queue that is drained.
const LOOK_PERIOD: Duration = Duration::from_secs(5);

impl<W: Work + 'static> DurableHandle<W> {
    /// Returns jobs of the queue that match a filter, in the order of their numbers. The queue of
    /// the filter is ignored.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRecord>, StoreError> {
        let queue = Some(self.shared().queue.to_string());
        self.shared().store.jobs(JobFilter { queue, ..filter }).await
    }

    /// Cancels the jobs that are not over and for which `predicate` returns `true`: see
    /// [`cancel`](Self::cancel). Returns how many were cancelled.
    ///
    /// The predicate is called for the jobs that are there when this begins, before any of them is
    /// cancelled. They are cancelled in portions of 1,000, each in one commit.
    ///
    /// # Errors
    ///
    /// The store failed. Some of the jobs may be cancelled then.
    pub async fn cancel_where(
        &self,
        predicate: impl FnMut(&JobRecord) -> bool + Send,
    ) -> Result<usize, StoreError> {
        let is_left = |state: RecordState| !state.is_over();
        let ids = self.select(is_left, predicate).await?;
        let mut cancelled = 0;
        for page in ids.chunks(PAGE) {
            cancelled += self.shared().cancel_all(page).await?;
        }
        Ok(cancelled)
    }

    /// Queues the jobs again that are dead, cancelled, expired or unknown, and for which
    /// `predicate` returns `true`: see [`retry`](Self::retry). Returns how many were queued.
    /// `retry_all_jobs` of Oban does the same. It goes on as [`cancel_where`](Self::cancel_where).
    ///
    /// # Errors
    ///
    /// The store failed. Some of the jobs may be queued then.
    pub async fn retry_where(
        &self,
        predicate: impl FnMut(&JobRecord) -> bool + Send,
    ) -> Result<usize, StoreError> {
        let is_failed = |state: RecordState| state.is_over() && state != RecordState::Completed;
        let ids = self.select(is_failed, predicate).await?;
        Ok(self.change_all(&ids, Op::Retry).await?.len())
    }

    /// Removes the jobs that do not run and for which `predicate` returns `true`: see
    /// [`remove`](Self::remove). Returns how many were removed. It goes on as
    /// [`cancel_where`](Self::cancel_where).
    ///
    /// # Errors
    ///
    /// The store failed. Some of the jobs may be removed then.
    pub async fn remove_where(
        &self,
        predicate: impl FnMut(&JobRecord) -> bool + Send,
    ) -> Result<usize, StoreError> {
        let ids = self.select(|state| state != RecordState::Running, predicate).await?;
        self.remove_all(&ids).await
    }

    /// Waits until no job of the queue waits and none runs, in whichever process. Jobs that are
    /// submitted meanwhile are waited for too, delayed ones as well. That of a paused queue waits
    /// until it is resumed.
    ///
    /// # Errors
    ///
    /// The store failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future has no effect on the pool.
    pub async fn drain(&self) -> Result<(), StoreError> {
        let Shared { store, events, .. } = &**self.shared();
        let (mut changes, mut events) = (store.changes(), events.subscribe());
        loop {
            let info = self.info().await?;
            let is_left = |state: &RecordState| !state.is_over();
            if info.jobs.iter().all(|(state, count)| *count == 0 || !is_left(state)) {
                return Ok(());
            }
            tokio::select! {
                _ = events.next() => {}
                Ok(()) = changes.changed() => {}
                // A job that has expired or was removed in another process is no such change.
                () = sleep(LOOK_PERIOD) => {}
            }
            sleep(DRAIN_PERIOD).await;
        }
    }

    async fn select(
        &self,
        states: impl Fn(RecordState) -> bool,
        mut predicate: impl FnMut(&JobRecord) -> bool,
    ) -> Result<Vec<JobId>, StoreError> {
        let states: Vec<RecordState> = RecordState::ALL.into_iter().filter(|state| states(*state)).collect();
        let mut ids = Vec::new();
        for state in states {
            let mut after = None;
            loop {
                let filter = JobFilter { state: Some(state), after, max: PAGE, ..JobFilter::default() };
                let page = self.jobs(filter).await?;
                ids.extend(page.iter().filter(|record| predicate(record)).map(|record| record.id));
                after = page.last().map(|record| record.id);
                if page.len() < PAGE {
                    break;
                }
            }
        }
        // A job may have changed its state between two reads.
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Removes jobs that do not run. Returns how many there were.
    pub(super) async fn remove_all(&self, ids: &[JobId]) -> Result<usize, StoreError> {
        let removed = self.change_all(ids, Op::Remove).await?;
        for id in &removed {
            self.shared().publish(DurableEvent::Removed(*id));
        }
        ids.iter().for_each(|id| self.shared().notify(*id));
        Ok(removed.len())
    }

    /// Returns the jobs that there were to change.
    async fn change_all(&self, ids: &[JobId], op: fn(JobId) -> Op) -> Result<Vec<JobId>, StoreError> {
        let mut changed = Vec::new();
        for page in ids.chunks(PAGE) {
            let applied = self.shared().commit_many(page.iter().copied().map(op).collect()).await?;
            let effects = page.iter().zip(applied);
            let of_page = effects.filter(|(_, effect)| *effect == Applied::Changed(true));
            changed.extend(of_page.map(|(id, _)| *id));
        }
        Ok(changed)
    }
}
