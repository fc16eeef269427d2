//! Pools whose jobs survive the death of the process.
//!
//! # Problem
//!
//! The queue of a [pool](perennial_supervision::pool) is in memory. A job that was accepted is gone
//! when the process is.
//!
//! # Model
//!
//! A durable pool is a pool and a *feeder*. The queue is in a [store](crate::Store). The feeder
//! leases the next jobs, decodes them and submits them to the pool in memory, where workers run
//! them as they run any job. It commits how the attempts ended, many at a time. Whether a failed
//! attempt is followed by another is decided here and stored, so a delay of days outlives the
//! process.
//!
//! # Guarantees
//!
//! - **A submission that has resolved is on the disk.** A job ends once: with an output, dead,
//!   cancelled, expired or unknown.
//! - **At least once**: a job whose process ended is tried again *at once* when the next process
//!   opens the store. A job that is submitted
//!   [`at_most_once`](DurableSubmission::at_most_once) becomes
//!   [unknown](crate::RecordState::Unknown) in place of that.
//! - **Fenced**: a late outcome of an old attempt is refused, wherever it comes from.
//! - **Nothing is lost when the store fails.** Outcomes that could not be committed are kept and
//!   committed once the store accepts them. A submission is told whether its job was not stored, or
//!   [may have been](DurableSubmitError::Unknown).
//! - **What cannot be decoded is set aside**: the job is dead with the reason, and can be retried
//!   by a program that knows it.
//! - **A crash of the feeder loses nothing**: what is in work is kept outside of it.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use perennial_actors::System;
//! use perennial_durable::MemoryStore;
//! use perennial_durable::pool::Durable;
//! use perennial_supervision::pool::Pool;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // SqliteStore::open("jobs.db") in place of this one survives.
//! let store = Arc::new(MemoryStore::new());
//! let pool = Pool::from_fn("squares", 2, |n: &u64| {
//!     let n = *n;
//!     async move { Ok::<u64, std::io::Error>(n * n) }
//! });
//! let pool = pool.durable(store).attempts(5).retry_errors(true);
//! let squares = pool.handle();
//! let app = pool.start(&System::new()).await?;
//!
//! let job = squares.submit(7).await?;
//! assert_eq!(job.outcome().await?, 49);
//! // Also by its number, in another process, and for a day.
//! assert_eq!(squares.job(job.id()).outcome().await?, 49);
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! The pool in memory belongs to the durable one: jobs that are submitted to its own handle are not
//! durable. The numbers of its events are its own; the
//! [context](perennial_supervision::pool::JobContext) and the span of a job have the number of the
//! durable job, and that of its attempt.

mod attempt;
mod batch;
mod builder;
mod bulk;
mod clock;
#[cfg(feature = "metrics")]
mod counts;
mod due;
mod event;
mod feeder;
mod handle;
mod in_flight;
mod job;
#[cfg(feature = "metrics")]
mod measure;
mod progress;
mod resolve;
mod retry;
mod schedule;
mod scheduled;
mod shared;
mod submission;
mod submit;
mod submit_error;

pub use batch::DurableBatch;
pub use builder::{Durable, DurablePool};
pub use event::DurableEvent;
pub use handle::DurableHandle;
pub use job::{DurableJob, OutcomeError};
pub use resolve::{Resolution, ResolveError};
pub use schedule::{Missed, Schedule, ScheduleError};
pub use submission::{DurableSubmission, ManyDurableJobs, OneDurableJob};
pub use submit::{DurableSubmitFuture, DurableSubmitManyFuture};
pub use submit_error::DurableSubmitError;

#[cfg(test)]
mod tests;
