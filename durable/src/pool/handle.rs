//! The handle of a durable pool.

use std::fmt;
use std::sync::Arc;

use perennial_actors::Subscription;
use perennial_supervision::pool::{PoolHandle, Work};

use super::event::DurableEvent;
use super::job::DurableJob;
use super::shared::Shared;
use super::submission::{DurableSubmission, ManyDurableJobs};
use crate::batch::Op;
use crate::error::StoreError;
use crate::record::{JobId, JobRecord, RecordState};
use crate::store::{JobFilter, QueueInfo, Store};

/// A handle that submits jobs to a durable pool and manages its queue. Clones refer to the same
/// pool. Jobs can be submitted before the pool has started and after it has stopped: they wait in
/// the store.
pub struct DurableHandle<W: Work + 'static>(Arc<Shared<W>>);

impl<W: Work + 'static> DurableHandle<W> {
    pub(super) const fn new(shared: Arc<Shared<W>>) -> Self {
        Self(shared)
    }

    /// Prepares the submission of a job. Await it to store the job. Set the options of the job
    /// first.
    pub fn submit(&self, job: W::Job) -> DurableSubmission<W> {
        DurableSubmission::one(self.0.clone(), job)
    }

    /// Prepares the submission of many jobs, which are stored in one commit: all of them or none.
    /// Await it to store them. It resolves with their [`DurableBatch`](super::DurableBatch). Set
    /// the options of the jobs first; each option holds for each job.
    ///
    /// # Errors
    ///
    /// The future resolves with all jobs, none of which is stored, unless that is
    /// [unknown](super::DurableSubmitError::Unknown).
    pub fn submit_many(
        &self,
        jobs: impl IntoIterator<Item = W::Job>,
    ) -> DurableSubmission<W, ManyDurableJobs<W::Job>> {
        DurableSubmission::many(self.0.clone(), jobs)
    }

    pub(super) const fn shared(&self) -> &Arc<Shared<W>> {
        &self.0
    }

    /// Subscribes to the events of the jobs of this process from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<DurableEvent> {
        self.0.events.subscribe()
    }

    /// Returns the handle of the job with this number, whether or not there is one.
    #[must_use]
    pub fn job(&self, id: JobId) -> DurableJob<W> {
        DurableJob::new(self.0.clone(), id, false)
    }

    /// Cancels a job. A job that waits does not start. One that runs is over at once: its outcome
    /// is refused, and in this process its future is dropped at its next await. Returns `false` if
    /// there is no such job, or if it was over.
    ///
    /// # Errors
    ///
    /// The store failed. The job may be cancelled then, or not.
    pub async fn cancel(&self, id: JobId) -> Result<bool, StoreError> {
        self.0.cancel(id).await
    }

    /// Queues a job again that is dead, cancelled, expired or unknown, with all its attempts. Its
    /// history stays. Returns `false` if there is no such job.
    ///
    /// # Errors
    ///
    /// The store failed. The job may be queued then, or not.
    pub async fn retry(&self, id: JobId) -> Result<bool, StoreError> {
        self.0.change(Op::Retry(id)).await
    }

    /// Removes a job that does not run. Returns `false` if there is no such job.
    ///
    /// # Errors
    ///
    /// The store failed. The job may be removed then, or not.
    pub async fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        Ok(self.remove_all(&[id]).await? > 0)
    }

    /// Returns the dead jobs with all their failures, and at most `max`, after the job with a
    /// number. They are kept until they are [retried](Self::retry) or [removed](Self::remove).
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn dead_jobs(&self, after: Option<JobId>, max: usize) -> Result<Vec<JobRecord>, StoreError> {
        let (queue, state) = (Some(self.0.queue.to_string()), Some(RecordState::Dead));
        self.0.store.jobs(JobFilter { queue, state, after, max }).await
    }

    /// Pauses the queue, in every process and until [`resume`](Self::resume): no job starts. Jobs
    /// that are in work finish.
    ///
    /// # Errors
    ///
    /// The store failed. The queue may be paused then, or not.
    pub async fn pause(&self) -> Result<(), StoreError> {
        self.set_paused(true).await
    }

    /// Resumes a paused queue.
    ///
    /// # Errors
    ///
    /// The store failed. The queue may be resumed then, or not.
    pub async fn resume(&self) -> Result<(), StoreError> {
        self.set_paused(false).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), StoreError> {
        let queue = self.0.queue.to_string();
        self.0.commit_alone(Op::Pause { queue, paused }).await.map(drop)
    }

    /// Returns how many jobs are in each state.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn info(&self) -> Result<QueueInfo, StoreError> {
        self.0.store.queue(&self.0.queue).await
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Returns the handle of the pool in memory, for its workers: to resize it, for rollouts and
    /// for its statistics. Jobs that are submitted to it are not durable.
    #[must_use]
    pub fn workers(&self) -> &PoolHandle<W> {
        &self.0.pool
    }
}

impl<W: Work + 'static> Clone for DurableHandle<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Work + 'static> fmt::Debug for DurableHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { queue, store, .. } = &*self.0;
        f.debug_struct("DurableHandle").field("queue", queue).field("store", store).finish_non_exhaustive()
    }
}
