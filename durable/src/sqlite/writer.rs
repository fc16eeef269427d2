//! The thread that writes: it commits all batches that wait as one transaction.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use perennial_actors::host::sync::{AtomicBool, Ordering};
use rusqlite::Connection;
use tokio::sync::watch;

use super::open::{connect, make_durable};
use super::rows::store_error;
use super::tables::SqliteTables;
use super::transaction::CallerTransaction;
use crate::batch::{Applied, Batch};
use crate::engine::{ApplyError, apply};
use crate::error::{CommitErrorKind, OpenError, StoreError};
use crate::record::Epoch;
use crate::request::Request;

/// The most batches of one transaction.
pub(super) const MAX_GROUP: usize = 1024;

/// The part of the latest transaction that the next one waits for others: an eighth.
const PATIENCE: u32 = 8;

/// The bounds of that wait. The shorter one is the accuracy of timers.
const MIN_PATIENCE: Duration = Duration::from_micros(50);
const MAX_PATIENCE: Duration = Duration::from_millis(1);

/// What the thread that writes is to do.
pub(super) enum Work {
    /// A batch, which is committed with others.
    Batch(Request),
    /// A transaction of the caller, which is committed apart.
    Caller(Box<dyn CallerTransaction>),
}

/// How a transaction is committed; another in tests.
pub(super) type CommitFn = fn(&Connection) -> Result<(), rusqlite::Error>;

pub(super) fn commit(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch("COMMIT")
}

/// The writer of a file.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) epoch: Epoch,
    /// `None` after a commit that failed, until the file has been opened again.
    pub(super) connection: Option<Connection>,
    /// Nothing is read while this is `true`.
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) changes: watch::Sender<u64>,
    pub(super) commit: CommitFn,
}

/// The latest transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transaction {
    pub(super) answered: usize,
    pub(super) time: Duration,
}

/// Returns one piece of work and all that wait. Those that the latest transaction answered are
/// likely to come back at once, and they are waited for: otherwise they would wait for a
/// transaction of the others, and each sync would serve a part of them.
pub(super) fn with_others(
    first: Work,
    requests: &Receiver<Work>,
    last: Transaction,
    idle: Duration,
) -> Vec<Work> {
    let mut group = vec![first];
    group.extend(requests.try_iter().take(MAX_GROUP - 1));
    let Some((expected, patience)) = awaited(group.len(), last, idle) else { return group };
    let begin = Instant::now();
    while group.len() < expected {
        let left = patience.saturating_sub(begin.elapsed());
        let Ok(next) = requests.recv_timeout(left) else { break };
        group.push(next);
    }
    group
}

/// Returns how many requests are awaited if so many are there, and how long at most: a small part
/// of a transaction. Returns `None` if a transaction takes no time, or if the writer has been idle
/// for longer than that: those that come back have come back then.
pub(super) fn awaited(waiting: usize, last: Transaction, idle: Duration) -> Option<(usize, Duration)> {
    // One that waits may be one of those that were answered.
    let expected = (waiting.saturating_sub(1) + last.answered).min(MAX_GROUP);
    let patience = (last.time / PATIENCE).min(MAX_PATIENCE);
    (patience >= MIN_PATIENCE && patience > idle).then_some((expected, patience))
}

/// The end of a transaction.
pub(super) enum Ended {
    Committed,
    RolledBack(StoreError),
    Unknown(StoreError),
}

impl Writer {
    /// Commits what is received, until all senders are gone.
    pub(super) fn run(mut self, requests: &Receiver<Work>) {
        let mut last = Transaction::default();
        let mut idle = Instant::now();
        while let Ok(first) = requests.recv() {
            let group = with_others(first, requests, last, idle.elapsed());
            let (answered, begin) = (group.len(), Instant::now());
            self.commit_in_order(group);
            idle = Instant::now();
            last = Transaction { answered, time: idle - begin };
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
    fn commit_group(&mut self, group: Vec<Request>) -> Result<(), (Vec<Request>, StoreError)> {
        let Some(connection) = &self.connection else { return Err((group, StoreError::Closed)) };
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            return Err((group, store_error(&error)));
        }
        let mut outcomes = Vec::with_capacity(group.len());
        for request in &group {
            match apply_one(connection, request.batch(), self.epoch) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    // SQLite may have rolled back already.
                    let _ = connection.execute_batch("ROLLBACK");
                    return Err((group, store_error(&error)));
                }
            }
        }
        match self.end_transaction() {
            Ended::Committed => {
                if group.iter().any(|request| request.batch().adds()) {
                    self.changes.send_modify(|number| *number += 1);
                }
                group.into_iter().zip(outcomes).for_each(|(request, outcome)| request.answer(outcome));
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
        let Err(error) = (self.commit)(connection) else { return Ended::Committed };
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
        self.is_broken.store(true, Ordering::SeqCst);
        self.connection = None;
    }
}

/// Applies one batch within the transaction. A conflict undoes what the batch had changed.
fn apply_one(
    connection: &Connection,
    batch: &Batch,
    epoch: Epoch,
) -> Result<Result<Vec<Applied>, CommitErrorKind>, rusqlite::Error> {
    // An operation that conflicts has changed nothing itself.
    let is_guarded = batch.ops.len() > 1;
    if is_guarded {
        connection.prepare_cached("SAVEPOINT batch")?.execute([])?;
    }
    let outcome = match apply(&mut SqliteTables(connection), batch, epoch) {
        Ok(applied) => Ok(applied),
        Err(ApplyError::Conflict { op, conflict }) => {
            if is_guarded {
                connection.execute_batch("ROLLBACK TO batch")?;
            }
            Err(CommitErrorKind::Conflict { op, conflict })
        }
        Err(ApplyError::Store(error)) => return Err(error),
    };
    if is_guarded {
        connection.prepare_cached("RELEASE batch")?.execute([])?;
    }
    Ok(outcome)
}
