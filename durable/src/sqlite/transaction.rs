//! Transactions of the caller, on the thread that writes.

use std::error::Error;
use std::fmt;
use std::ops::Deref;

use perennial_actors::host::{Carried, CarriesValue, catch_panic};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::cache::Cache;
use super::tables::SqliteTables;
use crate::batch::{Applied, Batch, Op};
use crate::engine::{ApplyError, apply};
use crate::error::{CommitErrorKind, StoreError};
use crate::record::{Epoch, JobId, NewJob, Timestamp};

/// A transaction of the caller: see [`SqliteStore::transaction`](super::SqliteStore::transaction).
/// It derefs to the connection.
#[derive(Debug)]
pub struct SqliteTransaction<'a> {
    connection: &'a Connection,
    epoch: Epoch,
    now: Timestamp,
}

impl SqliteTransaction<'_> {
    /// Stores a job as a part of the transaction: one of
    /// [`prepare`](crate::pool::DurableSubmission::prepare). Returns its number, or that of the job
    /// that is there if it is [unique](NewJob::unique).
    ///
    /// # Errors
    ///
    /// SQLite failed.
    pub fn enqueue(&self, job: NewJob) -> Result<JobId, rusqlite::Error> {
        let batch = Batch::of(self.now, Op::Enqueue(Box::new(job)));
        // The caller may go on after an error, and a job is stored by several statements.
        self.connection.prepare_cached("SAVEPOINT enqueue")?.execute([])?;
        let mut none = Cache::default();
        let mut tables = SqliteTables::new(self.connection, &mut none);
        let applied = apply(&mut tables, batch.now, &batch.ops, self.epoch);
        if applied.is_err() {
            // SQLite may have rolled back already.
            let _ = self.connection.execute_batch("ROLLBACK TO enqueue; RELEASE enqueue");
        } else {
            self.connection.prepare_cached("RELEASE enqueue")?.execute([])?;
        }
        match applied {
            Ok(applied) => match applied.first() {
                Some(Applied::Enqueued(id) | Applied::Existing(id)) => Ok(*id),
                _ => Err(rusqlite::Error::QueryReturnedNoRows),
            },
            Err(ApplyError::Store(error)) => Err(error),
            // An enqueue has no conflicts.
            Err(ApplyError::Conflict { conflict, .. }) => {
                Err(rusqlite::Error::ToSqlConversionFailure(conflict.to_string().into()))
            }
        }
    }
}

impl Deref for SqliteTransaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The reason why a transaction of the caller was not committed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TransactionError<E> {
    /// The closure returned an error. Nothing was applied.
    Aborted(E),
    /// The closure panicked. Nothing was applied.
    Panicked(String),
    /// The store failed before the commit. Nothing was applied.
    NotApplied(StoreError),
    /// The store failed during the commit, or the closure has ended the transaction by itself.
    /// Either all of it is applied or nothing.
    Unknown(StoreError),
}

impl<E: fmt::Display> fmt::Display for TransactionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(error) => write!(f, "the transaction was aborted: {error}"),
            Self::Panicked(panicked) => write!(f, "the transaction panicked: {panicked}"),
            Self::NotApplied(error) => write!(f, "nothing was stored: {error}"),
            Self::Unknown(error) => write!(f, "it is unknown if it was stored: {error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for TransactionError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> CarriesValue for TransactionError<E> {
    /// The error of the closure as text.
    type Bare = TransactionError<String>;

    fn into_bare(self) -> TransactionError<String> {
        match self {
            Self::Aborted(error) => TransactionError::Aborted(error.to_string()),
            Self::Panicked(panicked) => TransactionError::Panicked(panicked),
            Self::NotApplied(error) => TransactionError::NotApplied(error),
            Self::Unknown(error) => TransactionError::Unknown(error),
        }
    }
}

/// A transaction of the caller that waits for the thread that writes.
pub(super) trait CallerTransaction: Send {
    /// Runs its closure. Returns `true` if the transaction is to be committed.
    fn run(&mut self, connection: &Connection, epoch: Epoch) -> bool;

    /// Answers the caller.
    fn answer(self: Box<Self>, outcome: Result<(), CommitErrorKind>);
}

/// The answer to the caller of a transaction.
type Answer<T, E> = Result<T, TransactionError<E>>;

pub(super) struct Caller<F, T, E> {
    closure: Option<F>,
    returned: Option<Answer<T, E>>,
    answer: oneshot::Sender<Answer<T, E>>,
}

impl<F, T, E> Caller<F, T, E> {
    pub(super) const fn new(closure: F, answer: oneshot::Sender<Answer<T, E>>) -> Self {
        Self { closure: Some(closure), returned: None, answer }
    }
}

impl<F, T, E> CallerTransaction for Caller<F, T, E>
where
    F: FnOnce(&SqliteTransaction<'_>) -> Result<T, E> + Send,
    T: Send,
    E: Send,
{
    fn run(&mut self, connection: &Connection, epoch: Epoch) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        let transaction = SqliteTransaction { connection, epoch, now: Timestamp::now() };
        let returned = match catch_panic(None, || closure(&transaction)) {
            Ok(returned) => returned.map_err(TransactionError::Aborted),
            Err(panicked) => Err(TransactionError::Panicked(panicked.to_string())),
        };
        let is_ok = returned.is_ok();
        self.returned = Some(returned);
        is_ok
    }

    fn answer(self: Box<Self>, outcome: Result<(), CommitErrorKind>) {
        let Self { returned, answer, .. } = *self;
        let answered = match outcome {
            Ok(()) => returned.unwrap_or(Err(TransactionError::NotApplied(StoreError::Closed))),
            Err(CommitErrorKind::Unknown(error)) => Err(TransactionError::Unknown(error)),
            Err(CommitErrorKind::NotApplied(error)) => Err(TransactionError::NotApplied(error)),
            Err(CommitErrorKind::Conflict { conflict, .. }) => {
                Err(TransactionError::NotApplied(StoreError::Failed(conflict.to_string())))
            }
        };
        // A caller that does not wait any more wants no answer.
        drop(answer.send(answered));
    }
}
