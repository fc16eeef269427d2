//! How the thread that writes commits transactions of callers: each apart from all others.

use std::mem;

use perennial_actors::host::ignore_panic;

use super::queue::Work;
use super::rows::store_error;
use super::transaction::CallerTransaction;
use super::writer::{Ended, Writer, begin};
use crate::error::{CommitErrorKind, StoreError};
#[cfg(feature = "metrics")]
use crate::metrics;

impl Writer {
    /// Commits a group in its order: batches together, and transactions of callers each apart.
    pub(super) fn commit_in_order(&mut self, group: Vec<Work>) {
        let mut batches = Vec::with_capacity(group.len());
        for work in group {
            let caller = match work {
                Work::Batch(request) => {
                    batches.push(request);
                    continue;
                }
                Work::Caller(caller) => caller,
            };
            if !batches.is_empty() {
                self.commit_all(mem::take(&mut batches));
            }
            self.commit_caller(caller);
        }
        if !batches.is_empty() {
            self.commit_all(batches);
        }
    }

    /// Commits the transaction of a caller and answers it.
    fn commit_caller(&mut self, mut caller: Box<dyn CallerTransaction>) {
        let opened = self.reopen().map_err(CommitErrorKind::NotApplied);
        #[cfg(feature = "metrics")]
        let transaction = metrics::Transaction::begin();
        let ended = opened.and_then(|()| self.run_caller(&mut *caller));
        #[cfg(feature = "metrics")]
        let committed = matches!(ended, Ok(true)).then(|| transaction.committed("sqlite", 1));
        // The values are of the caller.
        ignore_panic(|| caller.answer(ended.map(drop)));
        #[cfg(feature = "metrics")]
        if let Some(committed) = committed {
            committed.publish();
        }
    }

    /// Returns `true` if the transaction was committed, and `false` if the caller rolled it back.
    fn run_caller(&mut self, caller: &mut dyn CallerTransaction) -> Result<bool, CommitErrorKind> {
        let closed = || CommitErrorKind::NotApplied(StoreError::Closed);
        let connection = self.connection.as_ref().ok_or_else(closed)?;
        let begun = begin(connection);
        begun.map_err(|error| CommitErrorKind::NotApplied(store_error(&error)))?;
        let is_wanted = caller.run(connection, self.epoch);
        if connection.is_autocommit() {
            let text = "the closure, or an error of SQLite, has ended the transaction";
            return Err(CommitErrorKind::Unknown(StoreError::Failed(text.to_owned())));
        }
        if !is_wanted {
            if connection.execute_batch("ROLLBACK").is_err() {
                // Opened again by the next request.
                self.close_file();
            }
            return Ok(false);
        }
        match self.end_transaction() {
            Ended::Committed => {
                // It may have stored jobs.
                self.changes.send_modify(|number| *number += 1);
                Ok(true)
            }
            Ended::RolledBack(error) => Err(CommitErrorKind::NotApplied(error)),
            Ended::Unknown(error) => Err(CommitErrorKind::Unknown(error)),
        }
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::time::Duration;

    use metrics_util::debugging::{DebuggingRecorder, Snapshotter};
    use perennial_actors::host::sync::{AtomicBool, AtomicUsize, Ordering};
    use rusqlite::Connection;
    use tempfile::TempDir;
    use tokio::sync::watch;

    use super::*;
    use crate::record::Epoch;
    use crate::sqlite::cache::Cache;
    use crate::sqlite::open::open;
    use crate::sqlite::writer::commit;

    /// A transaction whose answer counts the metrics that were published by then.
    struct Answered {
        metrics: Snapshotter,
        published: Arc<AtomicUsize>,
    }

    impl CallerTransaction for Answered {
        fn run(&mut self, _: &Connection, _: Epoch) -> bool {
            true
        }

        fn answer(self: Box<Self>, outcome: Result<(), CommitErrorKind>) {
            assert_eq!(outcome, Ok(()));
            self.published.store(self.metrics.snapshot().into_vec().len(), Ordering::SeqCst);
        }
    }

    #[test]
    fn a_caller_is_answered_before_its_transaction_is_published() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("jobs.db");
        let (connection, epoch) = open(&path).unwrap();
        let mut writer = Writer {
            queue: Arc::default(),
            next: VecDeque::new(),
            path,
            epoch,
            connection: Some(connection),
            is_broken: Arc::new(AtomicBool::new(false)),
            changes: watch::Sender::new(0),
            cache: Cache::default(),
            commit,
            committed_in: Duration::ZERO,
        };
        let (recorder, published) = (DebuggingRecorder::new(), Arc::new(AtomicUsize::new(usize::MAX)));
        let caller = Answered { metrics: recorder.snapshotter(), published: published.clone() };
        let work = vec![Work::Caller(Box::new(caller))];
        ::metrics::with_local_recorder(&recorder, || writer.commit_in_order(work));
        assert_eq!(published.load(Ordering::SeqCst), 0);
        assert_eq!(recorder.snapshotter().snapshot().into_vec().len(), 2);
    }
}
