//! What survives the death of the process.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod codec;
pub mod conformance;
mod engine;
mod error;
pub mod faults;
mod memory;
mod payload;
mod record;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub mod sqlite;
mod store;
mod wire;

pub use batch::{Applied, AttemptEnd, Batch, Conflict, Leased, Op};
pub use codec::{Bincode, Codec, DecodeError, EncodeError, Json, MAX_BYTES};
pub use error::{CommitError, CommitErrorKind, OpenError, StoreError};
pub use memory::MemoryStore;
pub use payload::Payload;
pub use record::{
    AttemptFailure, AttemptRecord, Epoch, JobId, JobRecord, NewJob, RecordState, RecordedProgress, Timestamp,
    Unique,
};
pub use store::{
    EventFilter, JobFilter, QueueInfo, Store, StoreFuture, StoredEvent, StoredSnapshot,
};
pub use wire::{OldPayload, Wire, decode, encode};
