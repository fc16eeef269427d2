//! The thread that writes: it commits all batches that wait as one transaction.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::{AtomicBool, Ordering};
use rusqlite::Connection;
use tokio::sync::watch;

use super::cache::Cache;
use super::group::{apply_all, put_new_jobs_first};
use super::open::{connect, make_durable};
use super::queue::{Work, WorkQueue};
use super::rows::store_error;
use crate::error::{CommitErrorKind, OpenError, StoreError};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::record::Epoch;
use crate::request::Request;

/// The most batches of one transaction.
pub(super) const MAX_GROUP: usize = 1024;

/// The bounds of the wait for others. The shorter one is the accuracy of timers.
const MIN_PATIENCE: Duration = Duration::from_micros(50);
const MAX_PATIENCE: Duration = Duration::from_millis(1);

/// How a transaction is committed; another in tests.
pub(super) type CommitFn = fn(&Connection) -> Result<(), rusqlite::Error>;

pub(super) fn commit(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("COMMIT")?.execute([]).map(drop)
}

pub(super) fn begin(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
}

/// The writer of a file.
pub(super) struct Writer {
    pub(super) queue: Arc<WorkQueue>,
    /// The work of the next transactions: what came during the latest one, before it was answered.
    pub(super) next: VecDeque<Work>,
    pub(super) path: PathBuf,
    pub(super) epoch: Epoch,
    /// `None` after a commit that failed, until the file has been opened again.
    pub(super) connection: Option<Connection>,
    /// Nothing is read while this is `true`.
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) changes: watch::Sender<u64>,
    pub(super) cache: Cache,
    pub(super) commit: CommitFn,
    /// The time of the latest commit.
    pub(super) committed_in: Duration,
}

/// The latest transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transaction {
    pub(super) answered: usize,
    /// The time of its commit, which is mostly that of the sync.
    pub(super) commit: Duration,
}

impl Transaction {
    /// Returns how many requests the next one is likely to have, if so many came during this one:
    /// they are none of those that it answered.
    pub(super) fn expected(self, waiting: usize) -> usize {
        (waiting + self.answered).min(MAX_GROUP)
    }

    /// Returns how long the next one waits for what this one answered: as long as this one was
    /// committed, because a commit is what such a wait may save. Returns `None` if commits take no
    /// time, or if the writer has been idle for longer than that: what comes back is back then.
    pub(super) fn max_wait(self, idle: Duration) -> Option<Duration> {
        let patience = self.commit.min(MAX_PATIENCE);
        (patience >= MIN_PATIENCE && patience > idle).then_some(patience)
    }
}

/// Completes the work of the next transaction. What the latest one answered is likely to come back
/// at once, and it is waited for: otherwise it would wait for a transaction of the others, and each
/// sync would serve a part of them. Returns `false` if there is no work, and never will be.
pub(super) fn fill_group(next: &mut VecDeque<Work>, queue: &WorkQueue, last: Transaction) -> bool {
    let expected = last.expected(next.len());
    let answered = Instant::now();
    if next.is_empty() && !queue.take(1, None, next) {
        return !next.is_empty();
    }
    match last.max_wait(answered.elapsed()) {
        Some(patience) => {
            queue.take(expected.saturating_sub(next.len()), answered.checked_add(patience), next)
        }
        None => queue.take(0, None, next),
    };
    true
}

/// The end of a transaction.
pub(super) enum Ended {
    Committed,
    RolledBack(StoreError),
    Unknown(StoreError),
}

impl Writer {
    /// Commits what is queued, until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut last = Transaction::default();
        while fill_group(&mut self.next, &self.queue, last) {
            let group: Vec<_> = self.next.drain(..self.next.len().min(MAX_GROUP)).collect();
            let answered = group.len();
            self.commit_in_order(group);
            last = Transaction { answered, commit: self.committed_in };
        }
    }

    pub(super) fn commit_all(&mut self, group: Vec<Request>) {
        if let Err(error) = self.reopen() {
            group.into_iter().for_each(|request| request.refuse(error.clone()));
            return;
        }
        let is_alone = group.len() == 1;
        if let Err((group, error)) = self.commit_group(group) {
            if is_alone {
                group.into_iter().for_each(|request| request.refuse(error.clone()));
                return;
            }
            // One of them may be too large for what is left of the disk, and the others not.
            for request in group {
                self.commit_all(vec![request]);
            }
        }
    }

    /// Opens the file again after a commit that failed.
    pub(super) fn reopen(&mut self) -> Result<(), StoreError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let opened = connect(&self.path).map_err(|error| match error {
            OpenError::Store(error) => error,
            other => StoreError::Broken(other.to_string()),
        });
        let checked = opened.and_then(|connection| make_durable(&connection).map(|()| connection));
        self.connection = Some(checked.map_err(|error| StoreError::Broken(error.to_string()))?);
        self.is_broken.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Commits a group and answers it. Returns it if nothing of it was applied.
    fn commit_group(&mut self, mut group: Vec<Request>) -> Result<(), (Vec<Request>, StoreError)> {
        #[cfg(feature = "metrics")]
        let (transaction, requests) = (metrics::Transaction::begin(), group.len());
        put_new_jobs_first(&mut group);
        let Some(connection) = &self.connection else { return Err((group, StoreError::Closed)) };
        if let Err(error) = begin(connection) {
            return Err((group, store_error(&error)));
        }
        let mut apply =
            |are_guarded| apply_all(connection, &mut self.cache, &group, (self.epoch, are_guarded));
        let applied = apply(false).and_then(|outcomes| match outcomes {
            Some(outcomes) => Ok(Some(outcomes)),
            None => {
                connection.execute_batch("ROLLBACK")?;
                begin(connection)?;
                apply(true)
            }
        });
        let outcomes = match applied {
            Ok(outcomes) => outcomes.unwrap_or_default(),
            Err(error) => {
                // SQLite may have rolled back already.
                let _ = connection.execute_batch("ROLLBACK");
                self.cache.roll_back();
                return Err((group, store_error(&error)));
            }
        };
        match self.end_transaction() {
            Ended::Committed => {
                #[cfg(feature = "metrics")]
                let committed = transaction.committed("sqlite", requests);
                if group.iter().any(|request| request.batch().adds()) {
                    self.changes.send_modify(|number| *number += 1);
                }
                // What is there now did not wait for these answers.
                self.queue.take(0, None, &mut self.next);
                for (mut request, outcome) in group.into_iter().zip(outcomes) {
                    if let Ok(applied) = &outcome {
                        self.cache.recent.keep(request.batch_mut(), applied);
                    }
                    request.answer(outcome);
                }
                #[cfg(feature = "metrics")]
                committed.publish();
            }
            Ended::RolledBack(error) => return Err((group, error)),
            Ended::Unknown(error) => {
                let unknown = || Err(CommitErrorKind::Unknown(error.clone()));
                group.into_iter().for_each(|request| request.answer(unknown()));
            }
        }
        Ok(())
    }

    pub(super) fn end_transaction(&mut self) -> Ended {
        let Some(connection) = &self.connection else { return Ended::RolledBack(StoreError::Closed) };
        let begin = Instant::now();
        let committed = (self.commit)(connection);
        self.committed_in = begin.elapsed();
        let Err(error) = committed else { return Ended::Committed };
        self.cache.roll_back();
        let error = store_error(&error);
        // These are found before the last page is written.
        let is_unwritten = matches!(error, StoreError::Full(_) | StoreError::Busy(_));
        let rolled_back = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        if is_unwritten && rolled_back {
            return Ended::RolledBack(error);
        }
        self.close_file();
        Ended::Unknown(error)
    }

    /// Closes the file, until the next request opens it again.
    pub(super) fn close_file(&mut self) {
        // The next connection counts the changes of others anew.
        self.cache.roll_back();
        self.is_broken.store(true, Ordering::SeqCst);
        self.connection = None;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.take(0, None, &mut self.next);
        // There is none if the thread has ended by itself. A closure is a value of the caller.
        self.next.drain(..).for_each(|work| ignore_panic(|| drop(work)));
    }
}
