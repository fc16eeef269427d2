//! The supervision trees of perennial: OTP's supervisor, over identities that survive every restart.
//!
//! # Model
//!
//! A [`Supervisor`] starts its children in order, watches them, restarts them by its [`Strategy`], and stops them in reverse
//! order. When more restarts are needed than its [`Intensity`] allows, it takes its children down and ends, for its own
//! supervisor to decide. Children are [`Child`]ren, which are actors, of ours or [of ractor](ractor), [tasks](Child::task), or supervisors
//! again.
//!
//! # Guarantees
//!
//! - **One at a time**: an incarnation begins only when the one before it is gone, or its mailbox was taken away from it.
//! - **In order**: children start one after the other, each when the one before is up, and stop in reverse, each
//!   when the one before is gone.
//! - **No loss across a restart**: of a child, or of any supervisor above it. What was queued is handled by the next
//!   incarnation; what was being handled when it crashed goes to the dead letters.
//! - **It stays responsive**: a child that takes long to start or to stop does not keep its supervisor from being told to
//!   stop.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use perennial_actors::{Actor, Context, ExitReason, Reply, System};
//! use perennial_supervision::{Child, Strategy, Supervisor};
//!
//! enum Msg { Crash, Incarnation(Reply<u32>) }
//!
//! struct Worker;
//!
//! impl Actor for Worker {
//!     type Msg = Msg;
//!     type Args = ();
//!     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Worker) }
//!     async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
//!         match msg {
//!             Msg::Crash => Err(ExitReason::failed("on purpose")),
//!             Msg::Incarnation(reply) => Ok(reply.send(ctx.pid().incarnation())),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let worker = Child::new::<Worker>("worker", ());
//! let address = worker.address();
//! let app = Supervisor::new("app").strategy(Strategy::OneForAll).child(worker).start(&system).await?;
//!
//! address.cast(Msg::Crash)?;
//! assert_eq!(address.call(Msg::Incarnation).await?, 2);
//! assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! Errors that a handler can deal with itself. A restart is for what nobody foresaw.
//!
//! # Runtime
//!
//! A tree runs on the tokio runtime in which it is started, with its timers enabled.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod examples;

mod chunk_map;
mod driver;
mod dropped;
mod engine;
mod error;
mod link;
mod log;
mod nesting;
mod node;
mod policy;
pub mod pool;
pub mod ractor;
mod report;
mod scope;
mod spec;
mod supervisor;
mod task;
mod tree;

pub use driver::SupervisionStats;
pub use error::{
    ChangeError, ChildError, ChildFailedError, ChildNotStarted, StartChildError, StartChildErrorKind,
    StartError, StartOnceError,
};
pub use node::OpenError;
pub use policy::{
    AutoShutdown, Backoff, ChildKind, ChildPolicy, Intensity, Liveness, ProbePolicy, Restart, Shutdown,
    Strategy,
};
pub use report::{LivenessFailure, ReportKind, SupervisorReport};
pub use scope::TaskScope;
pub use spec::{Child, ChildOnce, ChildSpec, IntoChildren, Probe, SpecError};
pub use supervisor::{
    App, ChildFactory, DynamicHandle, DynamicSupervisor, PartitionKey, PartitionSupervisor, Partitions,
    ResizeError, RunOutcome, ShutdownReport, StopSignal, StopSignals, Supervised, Supervisor,
    SupervisorHandle, WeakDynamicHandle, WeakPartitions, WeakSupervisorHandle,
};
pub use task::TaskContext;
pub use tree::{ChildCounts, ChildInfo, ChildStart, ChildState, Tree, UnstoppedChild};
