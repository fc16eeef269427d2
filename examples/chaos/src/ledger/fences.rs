//! A store that tells when it refuses what an earlier incarnation of an account writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use perennial::durable::{
    Applied, Batch, CommitError, CommitErrorKind, Conflict, Epoch, EventFilter, JobFilter, JobId, JobRecord,
    QueueInfo, Store, StoreError, StoreFuture, StoredEvent, StoredSnapshot,
};
use tokio::sync::watch;

use super::super::durable::sabotage::by_inner;
use super::protocol::Answer;
use super::worker::say;

/// A store that leaves everything to another, and looks at the errors of its commits.
#[derive(Debug)]
pub struct FenceObserver {
    pub inner: Arc<dyn Store>,
}

const fn is_fenced(error: &CommitError) -> bool {
    matches!(error.kind, CommitErrorKind::Conflict { conflict: Conflict::StaleWriter { .. }, .. })
}

/// Goes on with a commit when the writer is gone.
pub fn detached<F>(commit: F) -> StoreFuture<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let committed = tokio::spawn(commit);
    Box::pin(async move {
        match committed.await {
            Ok(applied) => applied,
            // The runtime ends.
            Err(_) => std::future::pending().await,
        }
    })
}

impl Store for FenceObserver {
    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let committed = self.inner.commit(batch);
        detached(async move {
            let applied = committed.await;
            if applied.as_ref().is_err_and(is_fenced) {
                say(&Answer::Fenced);
            }
            applied
        })
    }

    by_inner!(epoch, job, jobs, orphans, rest);
}
