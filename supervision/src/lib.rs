//! The supervision trees of perennial: OTP supervisors over mailboxes that survive every restart.
//!
//! After a fault that no handler foresaw, the state of an actor cannot be trusted. A plain restart
//! repairs it, but loses the queue, invalidates every address, and hides a fault that comes back.
//! This crate restarts actors in a defined order, keeps their mailboxes and addresses, and
//! escalates a fault that a restart does not repair.
//!
//! # Model
//!
//! A [`Supervisor`] starts its children in order, monitors them, restarts them by its [`Strategy`],
//! and stops them in reverse order. When more restarts are needed than its [`Intensity`] allows, it
//! stops its children and ends, and its own supervisor decides. A child is a [`Child`]: an actor of
//! this project or [of ractor](ractor), a [task](Child::task), or another supervisor.
//!
//! # Guarantees
//!
//! - **One incarnation at a time**: an incarnation starts only after the previous one has ended, or
//!   after the mailbox was taken away from it.
//! - **Order**: each child starts after the previous child has started. Children stop in reverse
//!   order, each after the one that was started later has ended.
//! - **No loss across a restart** of a child, or of any supervisor above it. The next incarnation
//!   handles the queued messages. The message in flight during the crash becomes a dead letter.
//! - **Responsiveness**: a child that starts or stops slowly does not delay a stop of its
//!   supervisor.
//!
//! # Examples
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
//! let tree = Supervisor::new("app").strategy(Strategy::OneForAll).child(worker);
//! let app = tree.start(&system).await?;
//!
//! address.cast(Msg::Crash)?;
//! assert_eq!(address.call(Msg::Incarnation).await?, 2);
//! assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # Items by task
//!
//! - **Describe children**: [`Child`], [`ChildOnce`], [`ChildSpec`], [`TaskContext`]; how they
//!   restart and stop: [`Restart`], [`Shutdown`], [`Backoff`], [`Liveness`].
//! - **Build a tree**: [`Supervisor`] for a fixed list of children, [`DynamicSupervisor`] for
//!   children that come and go, [`PartitionSupervisor`] for work that keys divide. Each is a
//!   [`SupervisorBuilder`], which has the settings of all of them.
//! - **Run and stop it**: [`App`], [`ShutdownReport`], [`StopSignals`].
//! - **Change it while it runs**: [`SupervisorHandle`]; [`DynamicHandle`] and [`Partitions`] add
//!   methods to it.
//! - **Observe it**: [`Tree`], [`ChildInfo`], [`SupervisorReport`], [`SupervisionStats`].
//! - **Give jobs to workers**: the module [`pool`]; [`TaskScope`] for tasks that end together.
//! - **Mix it with ractor**: the module [`ractor`](mod@ractor).
//!
//! # What it is not for
//!
//! Errors that a handler can deal with itself. A restart is for unforeseen faults.
//!
//! # Runtime
//!
//! A tree runs on the tokio runtime in which it is started. Its timers must be enabled.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod examples;

mod boxed;
mod driver;
mod dropped;
mod engine;
pub mod entities;
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
mod status;
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
    StartLimit, Strategy,
};
pub use report::{LivenessFailure, ReportKind, SupervisorReport};
pub use scope::TaskScope;
pub use spec::{CheckResult, Child, ChildOnce, ChildSpec, IntoChildren, Probe, SpecError};
pub use status::SupervisorStatus;
pub use supervisor::{
    App, ChildFactory, ChildGroup, Dynamic, DynamicHandle, DynamicSupervisor, PartitionKey,
    PartitionSupervisor, Partitioned, Partitions, ResizeError, RunOutcome, ShutdownReport, Static,
    StopSignal, StopSignals, Supervised, Supervisor, SupervisorBuilder, SupervisorHandle, WeakDynamicHandle,
    WeakPartitions, WeakSupervisorHandle,
};
pub use task::TaskContext;
pub use tree::{ChildCounts, ChildInfo, ChildStart, ChildState, StopProgress, Tree, UnstoppedChild};
