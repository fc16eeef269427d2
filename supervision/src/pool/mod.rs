//! Pools: one queue of jobs, and workers that are kept alive. The Supervisor-Worker pattern.
//!
//! # Model
//!
//! A [`Pool`] is a supervisor of equal workers. Jobs wait in one queue; a worker that is free *leases* the next. What it makes of that goes
//! to whoever submitted the job. An error is its result too, unless errors are to be [tried again](Pool::retry_errors).
//! If the worker crashes, is killed, or hangs and is given up, its supervisor starts the next worker, and the job
//! goes back to the front of the queue, up to its attempts. A job that failed for good is among the dead jobs, with all that went wrong.
//! A job that a worker failed goes to another worker, as long as one runs.
//!
//! # Guarantees
//!
//! - **No job is lost**: each ends exactly once: with a result, or with an error that says why there is none.
//! - **At least once**: a job whose worker ended may have been done, or half of it. One that must not be begun twice
//!   [says so](Submission::at_most_once).
//! - **No worker is idle while a job waits** that it may have, unless the pool is paused or keeps to a rate.
//! - **In order**: of equal priority, the first that came is begun first. Jobs of one [key](Submission::key) are done by one worker, one after the other.
//! - **First come, first in**: submitters that wait for room are let in in the order in which they came, before any newcomer.
//! - **Jobs wait for no worker that does not run**, except those of a key whose worker is due.
//! - **Jobs never end their pool**, however many crash their workers. Only workers that cannot start do.
//! - **Idle workers cost nothing**: they wait in their mailboxes.
//!
//! # Example
//!
//! ```
//! use perennial_actors::{ExitReason, System};
//! use perennial_supervision::pool::{Pool, Worker, WorkerContext};
//!
//! struct Parser;
//!
//! impl Worker for Parser {
//!     type Job = String;
//!     type Output = i64;
//!     type Error = std::num::ParseIntError;
//!     type Args = ();
//!     async fn init(_: &(), _: &WorkerContext) -> Result<Self, ExitReason> { Ok(Parser) }
//!     async fn work(&mut self, text: &String) -> Result<i64, Self::Error> { text.parse() }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new::<Parser>("parsers", 4, ());
//! let parsers = pool.handle();
//! let app = pool.start(&System::new()).await?;
//!
//! let results = parsers.submit_many(["1", "two", "3"].map(str::to_owned)).await?.all().await;
//! assert!(matches!(results[..], [Ok(1), Err(_), Ok(3)]));
//! assert_eq!(parsers.drain_dead_jobs().len(), 1);
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! Jobs that outlive the process: the queue is in memory. And jobs that talk to each other: those are [actors](perennial_actors::Actor).

mod admission;
mod batch;
mod builder;
mod deferred_drop;
mod drain;
mod drainer;
mod effects;
mod event;
mod fn_worker;
mod handle;
mod job;
mod job_handle;
mod job_queues;
mod job_state;
mod lease;
mod manage;
mod manager;
mod new_job;
mod priority_queue;
mod queue_guard;
mod rate;
mod repair;
mod resize;
mod scale;
mod scheduler;
mod settings;
mod shared;
mod slots;
mod stats;
mod stop;
mod submit;
mod submit_buffer;
mod submitting;
mod sync;
#[cfg(test)]
mod tests;
mod threads;
mod wait_queue;
mod waiter_guard;
mod worker;
mod worker_exit;

pub use batch::Batch;
pub use builder::Pool;
pub use event::JobEvent;
pub use handle::{PoolError, PoolHandle, WeakPoolHandle};
pub use job::{AttemptError, DeadJob, Failures, JobError, JobId, JobRef};
pub use job_handle::JobHandle;
pub use scale::PoolSize;
pub use shared::Routing;
pub use stats::PoolStats;
pub use stop::{PoolShutdown, PoolStopReport};
pub use submit::{Submission, SubmitError};
pub use submitting::SubmitFuture;
pub use worker::{Worker, WorkerContext};
