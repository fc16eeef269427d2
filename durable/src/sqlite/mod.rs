//! The store in one file: SQLite, which is bundled.
//!
//! # Choices
//!
//! - The log is written ahead (`journal_mode=WAL`), and each commit is synced to the disk
//!   (`synchronous=FULL`).
//! - One thread writes. It puts all batches that wait into one transaction, so that many submitters
//!   share one sync (*group commit*). Another thread reads meanwhile.
//! - **One process.** A second one that opens the file is [refused](crate::OpenError::InUse), by a
//!   lock on the file `…-lock` beside it. `sqlite3` may read the file at any time; the tables are
//!   meant to be read. A second process may [attach](SqliteStore::attach) to it, to change what
//!   waits or is over. The first looks for that once a second, and before it trusts what it knows
//!   of journals, by `PRAGMA data_version`.
//! - What was submitted is written once. A lease and an end move a narrow row from table to table,
//!   and the view `jobs` has all columns.
//! - A failed sync is never tried again: the commits of its group are reported as
//!   [unknown](crate::CommitErrorKind::Unknown), and nothing is read or written until the file has
//!   been opened again and its log has been written into it and synced. Until then the log on the
//!   disk may differ from the one in memory.
//! - A file of a newer schema, a file of another program and a damaged file are errors of
//!   [`SqliteStore::open`].

mod apart;
mod cache;
mod group;
mod jobs;
mod journals;
mod new_jobs;
mod open;
mod queries;
mod queue;
mod reader;
mod recent;
mod rows;
mod schema;
mod store;
mod tables;
mod transaction;
mod writer;

pub use rusqlite;
pub use store::SqliteStore;
pub use transaction::{SqliteTransaction, TransactionError};

#[cfg(test)]
mod tests;
