//! How the thread that writes commits transactions of callers: each apart from all others.

use std::mem;

use perennial_actors::host::ignore_panic;

use super::rows::store_error;
use super::transaction::CallerTransaction;
use super::writer::{Ended, Work, Writer, begin};
use crate::error::{CommitErrorKind, StoreError};
#[cfg(feature = "metrics")]
use crate::metrics;

impl Writer {
    /// Commits a group in its order: batches together, and transactions of callers each apart.
    pub(super) fn commit_in_order(&mut self, group: Vec<Work>) {
        let mut batches = Vec::with_capacity(group.len());
        for work in group {
            let mut caller = match work {
                Work::Batch(request) => {
                    batches.push(request);
                    continue;
                }
                Work::Caller(caller) => caller,
            };
            if !batches.is_empty() {
                self.commit_all(mem::take(&mut batches));
            }
            let outcome = self.commit_caller(&mut *caller);
            // The values are of the caller.
            ignore_panic(|| caller.answer(outcome));
        }
        if !batches.is_empty() {
            self.commit_all(batches);
        }
    }

    fn commit_caller(&mut self, caller: &mut dyn CallerTransaction) -> Result<(), CommitErrorKind> {
        self.reopen().map_err(CommitErrorKind::NotApplied)?;
        let closed = || CommitErrorKind::NotApplied(StoreError::Closed);
        let connection = self.connection.as_ref().ok_or_else(closed)?;
        #[cfg(feature = "metrics")]
        let transaction = metrics::Transaction::begin();
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
            return Ok(());
        }
        match self.end_transaction() {
            Ended::Committed => {
                // It may have stored jobs.
                self.changes.send_modify(|number| *number += 1);
                #[cfg(feature = "metrics")]
                transaction.committed("sqlite", 1);
                Ok(())
            }
            Ended::RolledBack(error) => Err(CommitErrorKind::NotApplied(error)),
            Ended::Unknown(error) => Err(CommitErrorKind::Unknown(error)),
        }
    }
}
