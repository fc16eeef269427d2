//! The store that many processes and machines share: PostgreSQL 12 or later.
//!
//! # Choices
//!
//! - One session writes. It puts all batches that wait into one transaction (*group commit*).
//!   One round trip loads what they need, and one writes and commits, however many there are. A
//!   lease takes one more, and what follows it another. A batch that does other things after its
//!   lease takes one for each operation. Rows are locked as they are read, what a batch does is
//!   decided in memory by the same code as in every other store, and what has changed is written by
//!   one statement for each kind of row.
//! - **Many processes.** Each has an epoch with a heartbeat. Jobs that are about to be leased by
//!   another process are skipped (`SKIP LOCKED`). Jobs of one key and jobs that are unique are so
//!   across all processes, by advisory locks. Positions of events ascend in the order of commits:
//!   appending transactions take turns.
//! - **A process that was killed is noticed at once** by the next process that opens the store, and
//!   within about a second by those that run: its sessions have ended. If it is frozen or cut off,
//!   it is given up when its lease is over, by the clock of the server. Its transactions are
//!   refused from then on, with [`StoreError::EpochEnded`](crate::StoreError::EpochEnded).
//! - A start takes few round trips. Its three sessions begin at the same time, and each prepares
//!   what it needs first with its settings. So the jobs of a killed process run again soon.
//! - Notifications (`LISTEN`) tell of changes. What a lost one would have told is found by looking,
//!   twice a second by default.
//! - A session that was lost is connected again, with backoff. If that happened during a commit,
//!   its batches are reported as [unknown](crate::CommitErrorKind::Unknown), and nothing is read or
//!   written until the server has ended the session before: what it did is done or undone then.
//! - A schema of a newer version, a schema of another program, a wrong password and a certificate
//!   that is not trusted are errors of [`PostgresStore::connect`].
//!
//! # What it is not for
//!
//! Connections through a pooler that gives each transaction another session (PgBouncer in
//! transaction mode): sessions hold locks and listen. A process all of whose sessions are ended by
//! hand, while the server and other processes go on, counts as ended too.

mod builder;
mod enqueue;
mod errors;
mod load;
mod monitor;
mod open;
mod plan;
mod process;
mod queries;
mod reader;
mod rows;
mod schema;
mod session;
mod store;
mod tls;
mod transaction;
mod url;
mod write;
mod writer;

pub use builder::PostgresBuilder;
pub use store::PostgresStore;

#[cfg(test)]
mod tests;
