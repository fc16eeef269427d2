//! The errors of stores.

use crate::batch::{Batch, Conflict};

/// The reason why a store did not do what it was asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room on the disk.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Another user of the store holds its lock.
    #[error("the store is locked: {0}")]
    Busy(String),
    /// The connection is lost.
    #[error("the store is not connected: {0}")]
    Disconnected(String),
    /// An earlier write failed in a way that leaves the outcome open, and the store cannot be
    /// opened again yet. Each request tries it.
    #[error("an earlier write failed: {0}")]
    Broken(String),
    /// The stored data is damaged.
    #[error("the stored data is damaged: {0}")]
    Corrupt(String),
    /// The process of this handle counts as ended: another has taken its jobs over.
    #[error("the process was given up, and another has taken its jobs over")]
    EpochEnded,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// Something else failed.
    #[error("{0}")]
    Failed(String),
}

impl StoreError {
    /// Returns `true` if the same may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Busy(_) | Self::Disconnected(_) | Self::Broken(_))
    }
}

/// The reason why a store cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle in this one, has the store open.
    #[error("{path} is in use by another process, or opened twice")]
    InUse {
        /// The path of the store.
        path: String,
    },
    /// A newer version of this library has written the store.
    #[error("the schema is version {found}, and this program knows up to {known}")]
    NewerSchema {
        /// The version of the store.
        found: i64,
        /// The latest version that is known.
        known: i64,
    },
    /// The file is not a store, or belongs to another program.
    #[error("{path} is not a store: {reason}")]
    NotAStore {
        /// The path of the file.
        path: String,
        /// What it is.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A batch that was not committed, or may not have been, and the reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommitError {
    /// The reason.
    pub kind: CommitErrorKind,
    /// The batch.
    pub batch: Batch,
}

/// The reason why a batch was not committed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CommitErrorKind {
    /// A condition of an operation does not hold. Nothing was applied.
    Conflict {
        /// The index of the operation.
        op: usize,
        /// The condition.
        conflict: Conflict,
    },
    /// The store failed before the commit. Nothing was applied.
    NotApplied(StoreError),
    /// The store failed during the commit. Either all of the batch is applied or nothing: the
    /// store tells once it can be read again.
    Unknown(StoreError),
}

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            CommitErrorKind::Conflict { op, conflict } => write!(f, "operation {op}: {conflict}"),
            CommitErrorKind::NotApplied(error) => write!(f, "nothing was stored: {error}"),
            CommitErrorKind::Unknown(error) => write!(f, "it is unknown if it was stored: {error}"),
        }
    }
}

impl std::error::Error for CommitError {}
