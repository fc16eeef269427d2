//! Pools of workers: one job queue and a fixed or elastic number of supervised workers.
//!
//! # Problem
//!
//! A service must run many jobs with limited concurrency. Workers crash, hang or are killed; no
//! submitted job may disappear because of that, and one bad job must not end the service.
//!
//! # Model
//!
//! A [`Pool`] is a supervisor of equal workers. Jobs wait in one queue. A free worker *leases* the
//! next job, and the outcome of the job goes to its submitter. An error that a worker returns is
//! the result of the job, unless the pool [retries it](Pool::retry_if).
//!
//! If a worker crashes, is killed, or hangs and is abandoned, its supervisor starts the next
//! incarnation. The job goes back to the front of the queue, as long as it has attempts left. A
//! retry runs on another worker, as long as another worker runs. A job that failed permanently
//! becomes a *dead job*, which keeps every failure.
//!
//! # Guarantees
//!
//! - **No job is lost**: each job ends exactly once, with a result or with an error that says why
//!   it has none.
//! - **At least once**: a job whose worker ended may have run completely, partly or not at all. A
//!   job that must not start twice is submitted with [`at_most_once`](Submission::at_most_once).
//! - **No worker is idle while a job waits** that it may run, unless the pool is paused or limited
//!   by a [rate](RateLimit). A kind of jobs that is limited by its own rate holds back no other.
//! - **FIFO within a priority**: jobs of equal priority start in submission order. Jobs of one
//!   [key](Submission::key) run on one worker, one after the other.
//! - **Fair admission**: submitters that wait for room are admitted in arrival order, before any
//!   new submission.
//! - **No job waits for a worker that does not run**, except jobs of a key whose worker is due, and
//!   [broadcast](Submission::broadcast) copies.
//! - **An unready worker gets no jobs**: see [`WorkerContext::set_ready`].
//! - **Jobs never end their pool**, however many of them crash workers. Only workers that fail to
//!   start do.
//! - **Idle workers cost nothing**: they wait in their mailboxes.
//!
//! # Example
//!
//! ```
//! use perennial_actors::{ExitReason, System};
//! use perennial_supervision::pool::{JobContext, Pool, Worker, WorkerContext};
//!
//! struct Parser;
//!
//! impl Worker for Parser {
//!     type Job = String;
//!     type Output = i64;
//!     type Error = std::num::ParseIntError;
//!     type Args = ();
//!     async fn init(_: &(), _: &WorkerContext) -> Result<Self, ExitReason> { Ok(Parser) }
//!     async fn work(&mut self, text: &String, _: &JobContext<'_>) -> Result<i64, Self::Error> {
//!         text.parse()
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::<Parser>::new("parsers", 4, ());
//! let parsers = pool.handle();
//! let app = pool.start(&System::new()).await?;
//!
//! let results = parsers.submit_many(["1", "two", "3"].map(str::to_owned)).await?.join_all().await;
//! assert!(matches!(results[..], [Ok(1), Err(_), Ok(3)]));
//! assert_eq!(parsers.drain_dead_jobs().len(), 1);
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # Groups, chains and chords
//!
//! The workflows of Celery are a few lines of async code. A *group* is
//! [`submit_many`](PoolHandle::submit_many). A *chain* submits each job with the output of the one
//! before. A *chord* submits one job with all outputs of a group.
//!
//! ```
//! # use std::convert::Infallible;
//! # use std::future::ready;
//! # use perennial_actors::System;
//! # use perennial_supervision::pool::{JobError, Pool};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sum = |numbers: &Vec<u64>| ready(Ok::<u64, Infallible>(numbers.iter().sum()));
//! let pool = Pool::from_fn("sums", 1, sum).capacity(1);
//! let sums = pool.handle();
//! let app = pool.start(&System::new()).await?;
//!
//! // A group. Its options hold for each of its jobs.
//! let group = sums.submit_many([vec![1, 2], vec![3, 4], vec![5]]).priority(1).await?;
//! // The chord: if a job of the group fails, there is no last job.
//! let outputs: Vec<u64> = group.join_all().await.into_iter().collect::<Result<_, _>>()?;
//! let mut output = sums.submit(outputs).await?.await?;
//! assert_eq!(output, 15);
//!
//! // A chain.
//! for step in [10, 100] {
//!     output = sums.submit(vec![output, step]).await?.await?;
//! }
//! assert_eq!(output, 125);
//!
//! // A group that is revoked: the jobs that have no result yet are cancelled.
//! let group = sums.submit_many([vec![1], vec![2]]).await?;
//! group.cancel();
//! # drop(group);
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! A composition is a future like any other. If its submitter is not to wait for it, it runs in a
//! task beside the pool: of a [`TaskScope`](crate::TaskScope), of tokio, or a child of the tree.
//! When that task ends early, no further job is submitted; [`Batch::cancel`] cancels a group that
//! was submitted before.
//!
//! Compositions cannot deadlock, even with one worker and room for one job: no worker waits. *A
//! worker must not wait for a job of its own pool.* Each waiting job occupies a worker, and once
//! all workers wait, none is left to run the jobs that they wait for. The same holds for room in
//! the queue, which only workers make. In place of that, a job returns what is to follow, and its
//! submitter submits it; or the job of a second pool waits for jobs of the first.
//!
//! # What it is not for
//!
//! Jobs that must outlive the process: the queue is in memory. Jobs that exchange messages with
//! each other: use [actors](perennial_actors::Actor).

mod assembly;
mod batch;
mod builder;
mod by_id;
mod dead_jobs;
mod event;
mod functions;
mod handle;
mod job;
mod job_context;
mod job_id;
mod job_status;
mod liveness;
mod origin;
mod probe;
mod rates;
mod readiness;
mod resize;
mod retry;
mod retry_settings;
mod rollout;
mod rollout_report;
mod runtime;
mod scheduler;
mod settings;
mod stats;
mod status;
mod stop;
mod submission;
mod submit_error;
mod submit_many;
mod submit_one;
mod worker;

pub use batch::Batch;
pub use builder::Pool;
pub use by_id::UnfinishedJob;
pub use event::JobEvent;
pub use handle::{PoolError, PoolHandle, WeakPoolHandle};
pub use job::{AttemptError, DeadJob, Failures, JobError, JobHandle, JobId, JobRef};
pub use job_context::{JobContext, JobProgress};
pub use job_status::JobStatus;
pub use origin::{JobOrigin, ProgressSink};
pub use probe::WorkerProbe;
pub use retry::{Retry, RetryCause};
pub use rollout::{Rollout, RolloutFuture};
pub use rollout_report::{RolloutError, RolloutFailure, RolloutReport};
pub use runtime::Routing;
pub use scheduler::{PoolSize, RateLimit, RolloutDirection, RolloutLimit};
pub use stats::{PoolStats, RolloutStatus, WorkerCounts};
pub use status::{PoolInfo, PoolStatus};
pub use stop::{PoolShutdown, PoolStopReport};
pub use submission::{ManyJobs, OneJob, Submission};
pub use submit_error::SubmitError;
pub use submit_many::SubmitManyFuture;
pub use submit_one::SubmitFuture;
pub use worker::{Work, Worker, WorkerContext};
