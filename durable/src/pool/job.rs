//! The handle of a durable job, by which its result is found in any process.

use std::fmt;
use std::sync::Arc;

use perennial_actors::host::catch_panic;
use perennial_supervision::pool::Work;

use super::shared::Shared;
use crate::codec::DecodeError;
use crate::error::StoreError;
use crate::history::{AttemptFailure, AttemptRecord};
use crate::record::{JobId, JobRecord, RecordState, RecordedProgress};
use crate::wire::{Wire, decode};

/// A durable job. Dropping the handle does not cancel the job. Any number of handles of one job
/// return its result, also in a later process.
pub struct DurableJob<W: Work + 'static> {
    shared: Arc<Shared<W>>,
    id: JobId,
    is_new: bool,
}

/// The reason why a durable job has no output.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OutcomeError {
    /// The job failed permanently, with the failures of its attempts.
    #[error("the job failed: {}", last(.0))]
    Dead(Vec<AttemptFailure>),
    /// The job was cancelled.
    #[error("the job was cancelled")]
    Cancelled,
    /// The job had not started when it expired.
    #[error("the job expired before its first attempt")]
    Expired,
    /// The process ended while the job ran, and the job must not start twice.
    #[error("the process ended while the job ran, and its outcome is unknown")]
    Unknown,
    /// There is no such job: it was removed, or its retention is over, or it never was.
    #[error("there is no such job, or its result is not kept any more")]
    Gone,
    /// The job completed, and its output cannot be decoded.
    #[error("the output cannot be decoded: {0}")]
    Undecodable(DecodeError),
    /// The store failed. The result can be asked for again.
    #[error(transparent)]
    Store(StoreError),
}

fn last(failures: &[AttemptFailure]) -> String {
    failures.last().map_or_else(|| "without an attempt".to_owned(), ToString::to_string)
}

impl<W: Work + 'static> DurableJob<W> {
    pub(super) const fn new(shared: Arc<Shared<W>>, id: JobId, is_new: bool) -> Self {
        Self { shared, id, is_new }
    }

    /// Returns the number of the job.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Returns `false` if the submission found that the job was there: see
    /// [`unique`](super::DurableSubmission::unique).
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns what the store keeps of the job, with the history of its attempts, or `None` if it
    /// keeps nothing.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn record(&self) -> Result<Option<JobRecord>, StoreError> {
        self.shared.store.job(self.id).await
    }

    /// Returns the attempts at the job that have ended, in order, and at most
    /// [`MAX_HISTORY`](crate::MAX_HISTORY): see [`JobRecord::history`]. It is empty if the store
    /// does not keep the job.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn history(&self) -> Result<Vec<AttemptRecord>, StoreError> {
        Ok(self.record().await?.map(|record| record.history).unwrap_or_default())
    }

    /// Returns the progress that the job has reported last, in whichever attempt and process. It is
    /// stored at most once a second, and when the attempt ends.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn progress(&self) -> Result<Option<RecordedProgress>, StoreError> {
        Ok(self.record().await?.and_then(|record| record.last_progress()))
    }

    /// Cancels the job: see [`DurableHandle::cancel`](super::DurableHandle::cancel).
    ///
    /// # Errors
    ///
    /// The store failed. The job may be cancelled then, or not.
    pub async fn cancel(&self) -> Result<bool, StoreError> {
        self.shared.cancel(self.id).await
    }
}

impl<W: Work<Output: Wire> + 'static> DurableJob<W> {
    /// Waits until the job is over, and returns its output. It does so again and again, as long as
    /// the job is [retained](super::DurablePool::retain_results).
    ///
    /// It notices the end of a job that ran in this process. That of a job in another process of
    /// one store is noticed when the store [changes](crate::Store::changes).
    ///
    /// # Errors
    ///
    /// The reason why the job has no output, or why that cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future has no effect on the job.
    pub async fn outcome(&self) -> Result<W::Output, OutcomeError> {
        let mut changes = self.shared.store.changes();
        loop {
            let watched = self.shared.watch(self.id);
            let mut notified = std::pin::pin!(watched.notified());
            // From here on, no notification is missed.
            notified.as_mut().enable();
            changes.mark_unchanged();
            let outcome = self.outcome_now().await;
            if let Some(outcome) = outcome {
                self.shared.unwatch(self.id, watched.clone());
                return outcome;
            }
            tokio::select! {
                () = notified => {}
                Ok(()) = changes.changed() => {}
            }
        }
    }
}

impl<W: Work<Output: Wire> + 'static> DurableJob<W> {
    /// Returns the outcome if the job is over.
    pub(super) async fn outcome_now(&self) -> Option<Result<W::Output, OutcomeError>> {
        match self.record().await {
            Ok(record) => outcome_of(record),
            Err(error) => Some(Err(OutcomeError::Store(error))),
        }
    }
}

/// Returns the outcome of a job, or `None` if it is not over.
fn outcome_of<T: Wire>(record: Option<JobRecord>) -> Option<Result<T, OutcomeError>> {
    let Some(record) = record else { return Some(Err(OutcomeError::Gone)) };
    match record.state {
        RecordState::Delayed | RecordState::Queued | RecordState::Running => None,
        RecordState::Completed => Some(output_of(&record)),
        RecordState::Dead => Some(Err(OutcomeError::Dead(record.failures().cloned().collect()))),
        RecordState::Cancelled => Some(Err(OutcomeError::Cancelled)),
        RecordState::Expired => Some(Err(OutcomeError::Expired)),
        RecordState::Unknown => Some(Err(OutcomeError::Unknown)),
    }
}

fn output_of<T: Wire>(record: &JobRecord) -> Result<T, OutcomeError> {
    let Some(output) = &record.output else { return Err(OutcomeError::Gone) };
    let decoded = catch_panic(None, || decode(output)).unwrap_or_else(|panicked| {
        let reason = panicked.to_string();
        Err(DecodeError::Malformed(reason))
    });
    decoded.map_err(OutcomeError::Undecodable)
}

impl<W: Work + 'static> Clone for DurableJob<W> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), id: self.id, is_new: self.is_new }
    }
}

impl<W: Work + 'static> fmt::Debug for DurableJob<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableJob").field("id", &self.id).finish_non_exhaustive()
    }
}
