//! A batch on its way to the task or thread that commits it.

use std::mem;

use tokio::sync::oneshot;

use crate::batch::{Applied, Batch};
use crate::error::{CommitError, CommitErrorKind, StoreError};
use crate::store::StoreFuture;

pub(crate) type Answer = Result<Vec<Applied>, CommitError>;

/// A batch that is to be committed. If it is dropped before it is answered, its outcome is unknown.
pub(crate) struct Request {
    batch: Batch,
    answer: Option<oneshot::Sender<Answer>>,
}

impl Request {
    /// Makes a request, and the future of its answer.
    pub(crate) fn new(batch: Batch) -> (Self, StoreFuture<Answer>) {
        let (answer, answered) = oneshot::channel();
        let answered = async move {
            // A request answers when it is dropped, so this error does not occur.
            answered.await.unwrap_or_else(|_| {
                let kind = CommitErrorKind::Unknown(StoreError::Closed);
                Err(CommitError { kind, batch: Batch::default() })
            })
        };
        (Self { batch, answer: Some(answer) }, Box::pin(answered))
    }

    pub(crate) const fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Returns the batch. Only what the answer does not give back may be taken from it.
    #[cfg(feature = "sqlite")]
    pub(crate) const fn batch_mut(&mut self) -> &mut Batch {
        &mut self.batch
    }

    pub(crate) fn answer(mut self, outcome: Result<Vec<Applied>, CommitErrorKind>) {
        self.send(outcome);
    }

    pub(crate) fn refuse(self, error: StoreError) {
        self.answer(Err(CommitErrorKind::NotApplied(error)));
    }

    fn send(&mut self, outcome: Result<Vec<Applied>, CommitErrorKind>) {
        let Some(answer) = self.answer.take() else { return };
        let batch = mem::take(&mut self.batch);
        // A caller that does not wait any more wants no answer.
        let _ = answer.send(outcome.map_err(|kind| CommitError { kind, batch }));
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.send(Err(CommitErrorKind::Unknown(StoreError::Closed)));
    }
}
