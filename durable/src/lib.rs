//! What survives the death of the process: the jobs of pools, and the events and snapshots of
//! actors.
//!
//! # Problem
//!
//! A supervisor restarts what crashes, and what is queued in memory waits for the next incarnation.
//! The end of the process takes all of that along.
//!
//! # Model
//!
//! A [`Store`] keeps records of jobs, journals of events, and snapshots. What changes is a
//! [`Batch`] of operations, which is applied as a whole or not at all, and acknowledged when it is
//! on the disk. So a job can be stored in the same step as the events that caused it.
//!
//! Each process that opens a store gets the next [`Epoch`]. The jobs that ran in an epoch that has
//! ended are found at once, without a wait for a timeout. The number of an attempt is its *fencing
//! token*: an outcome is accepted only from the latest attempt of a job, while it runs.
//!
//! | store | for | opened by |
//! |---|---|---|
//! | [`MemoryStore`] | tests; it ends with the process | any number of handles |
//! | `sqlite::SqliteStore` (feature `sqlite`) | one process, one file | one process |
//! | `postgres::PostgresStore` (feature `postgres`) | one server | any number of processes |
//! | [`faults::FaultStore`] | tests of what happens when a store fails | any number of handles |
//!
//! [`pool`] is the pool whose queue is in a store. [`conformance`] has a check for each promise of
//! a store, for those that others write. [`inspect`] is for programs that show a store to people.
//!
//! # Values
//!
//! A stored type has a [stable name and a version](Wire), and reads its earlier versions. Bytes
//! that cannot be read are an error with the reason, and what they belong to is set aside.
//!
//! # What it is not for
//!
//! Jobs that may be lost with their process: the queue of a pool in memory costs no commit.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod actor;
mod batch;
mod codec;
pub mod conformance;
mod depth;
mod engine;
mod error;
pub mod faults;
mod history;
pub mod inspect;
mod memory;
#[cfg(feature = "metrics")]
mod metrics;
mod numbers;
mod payload;
pub mod pool;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
mod record;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod request;
mod run_options;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub mod sqlite;
mod store;
mod wire;

pub use batch::{Applied, AttemptEnd, Batch, Conflict, Leased, Op};
pub use codec::{Bincode, Codec, DecodeError, EncodeError, Json, MAX_BYTES};
pub use error::{CommitError, CommitErrorKind, OpenError, StoreError};
pub use history::{AttemptFailure, AttemptRecord, EarlierAttempts, MAX_HISTORY};
pub use memory::MemoryStore;
pub use payload::Payload;
pub use record::{Epoch, JobId, JobRecord, NewJob, RecordState, RecordedProgress, Timestamp, Unique};
pub use run_options::RunOptions;
pub use store::{EventFilter, JobFilter, QueueInfo, Store, StoreFuture, StoredEvent, StoredSnapshot};
pub use wire::{OldPayload, Wire, decode, encode};
