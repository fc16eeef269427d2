//! What a person decides on a job of unknown outcome.

use perennial_actors::host::{Foreign, catch_panic};
use perennial_supervision::pool::Work;

use super::event::DurableEvent;
use super::handle::DurableHandle;
use crate::batch::Op;
use crate::codec::EncodeError;
use crate::error::StoreError;
use crate::record::{JobId, RecordState};
use crate::store::JobFilter;
use crate::wire::Wire;

/// What a person has found out about a job whose outcome is [unknown](RecordState::Unknown), or
/// that failed: see [`DurableHandle::resolve`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution<T> {
    /// The job was done, with this output.
    Completed(T),
    /// The job was not done, or may be done again: it is queued, with all its attempts.
    Retry,
    /// The job is not wanted any more, and is removed.
    Remove,
}

/// The reason why a job was not resolved.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The output cannot be encoded.
    #[error(transparent)]
    Encode(EncodeError),
    /// The store failed. The job may be resolved then, or not.
    #[error(transparent)]
    Store(StoreError),
}

impl<W: Work<Output: Wire> + 'static> DurableHandle<W> {
    /// Resolves a job by hand that is unknown, dead, cancelled or expired. Returns `false` if there
    /// is no such job.
    ///
    /// # Errors
    ///
    /// The output cannot be encoded, or the store failed.
    pub async fn resolve(&self, id: JobId, resolution: Resolution<W::Output>) -> Result<bool, ResolveError> {
        let shared = self.shared();
        let op = match resolution {
            Resolution::Retry => return self.retry(id).await.map_err(ResolveError::Store),
            Resolution::Remove => return self.remove_failed(id).await.map_err(ResolveError::Store),
            Resolution::Completed(output) => {
                let (output, encode) = (Foreign::new(output), shared.settings.lock().encode_output);
                let encoded = catch_panic(None, || encode(&output));
                let refused = |panicked: String| Err(EncodeError::Refused(panicked));
                let encoded = encoded.unwrap_or_else(|panicked| refused(panicked.to_string()));
                Op::Resolve { job: id, output: Some(encoded.map_err(ResolveError::Encode)?) }
            }
        };
        let is_resolved = shared.change(op).await.map_err(ResolveError::Store)?;
        if is_resolved {
            shared.publish(DurableEvent::Completed(id));
        }
        shared.notify(id);
        Ok(is_resolved)
    }

    /// Removes a job that is over and has not completed.
    async fn remove_failed(&self, id: JobId) -> Result<bool, StoreError> {
        let record = self.job(id).record().await?;
        let is_failed = |state: RecordState| state.is_over() && state != RecordState::Completed;
        match record {
            Some(record) if is_failed(record.state) => self.remove(id).await,
            _ => Ok(false),
        }
    }
}

impl<W: Work + 'static> DurableHandle<W> {
    /// Returns the jobs whose outcome is unknown, and at most `max`, after the job with a number.
    /// They are kept until they are [resolved](Self::resolve).
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn unknown_jobs(
        &self,
        after: Option<JobId>,
        max: usize,
    ) -> Result<Vec<crate::record::JobRecord>, StoreError> {
        self.jobs(JobFilter { state: Some(RecordState::Unknown), after, max, ..JobFilter::default() }).await
    }
}
