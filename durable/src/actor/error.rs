//! Why a durable actor ended.

use crate::batch::Conflict;
use crate::codec::{DecodeError, EncodeError};
use crate::error::StoreError;

/// The error with which a durable actor ends. It is in its exit reason:
/// `ErrorReason::downcast_ref::<JournalError>()`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A stored event cannot be read: it is of a version or a type that this program does not know,
    /// or damaged. The journal is as it was, and the incarnation that writes it goes on.
    #[error("event {sequence} of journal {journal} cannot be read: {error}")]
    Event {
        /// The journal.
        journal: String,
        /// The sequence number of the event.
        sequence: u64,
        /// Why.
        error: DecodeError,
    },
    /// The stored state, or the snapshot, cannot be read. It is as it was.
    #[error("the stored state of {journal} cannot be read: {error}")]
    State {
        /// The journal.
        journal: String,
        /// Why.
        error: DecodeError,
    },
    /// The journal has a gap: the store is damaged.
    #[error("journal {journal} has no event {sequence}")]
    Gap {
        /// The journal.
        journal: String,
        /// The sequence number of the event that is missing.
        sequence: u64,
    },
    /// An event, a whole state, or a snapshot that a handler asked for, cannot be encoded. Nothing
    /// was stored.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The store refused the transaction: another incarnation, in this process or another, has
    /// claimed the journal, or it was erased. Nothing was stored.
    #[error(transparent)]
    Refused(#[from] Conflict),
    /// The store failed, and no event was stored.
    #[error("the store failed: {0}")]
    Store(StoreError),
    /// The store failed, and it is unknown if the transaction was stored. The next incarnation
    /// reads what holds.
    #[error("it is unknown if the transaction was stored: {0}")]
    Unknown(StoreError),
}
