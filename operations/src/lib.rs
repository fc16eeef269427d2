//! What operators see of a system: one model of what is going on, as plain data.
//!
//! # Problem
//!
//! A tree that heals itself is invisible. Consoles, metrics, health checks and traces each need to
//! know what runs, what crashed and why, and they must agree.
//!
//! # Model
//!
//! A [`Snapshot`] shows a system at one moment. It has two parts:
//!
//! - The [`Model`] is the *structure*: processes, supervisors, pools and names. It changes by
//!   events only. A snapshot holds all events up to its [`sequence`](Snapshot::sequence), so a
//!   client that [applies](Model::apply) the later ones arrives at what a fresh snapshot shows.
//! - The [`Figures`] are *samples*: queue lengths, ages, statistics, trees. They change without an
//!   event, and are right at the moment of the snapshot.
//!
//! [`Events`] is the stream of [`Event`]s, with ascending sequence numbers. Each event names its
//! [cause](Event::cause), so a [`CrashReport`] shows which crash led to which restart.
//!
//! [`Health`] says whether a tree is live, ready and started, with the reasons: what the probes of
//! Kubernetes and systemd's watchdog ask.
//!
//! # Guarantees
//!
//! - **Nothing is recorded while nothing asks**: recording begins with the first [`Operations`] of
//!   a system and ends with the last one.
//! - **Never in the way**: no actor is asked, and no sender waits. Only a [`HealthCheck`] asks
//!   supervisors. All streams are bounded. A client that falls behind is told how many events it
//!   [missed](Update::Missed).
//! - **Plain data**: no value of a user is kept. Errors are texts.
//!
//! # Example
//!
//! ```
//! use perennial_actors::System;
//! use perennial_operations::{Operations, Update};
//! use perennial_supervision::Supervisor;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let operations = Operations::of(&system);
//! let snapshot = operations.snapshot();
//! let mut events = operations.events_after(snapshot.sequence);
//! let mut model = snapshot.model;
//!
//! let app = Supervisor::new("app").start(&system).await?;
//! while let Some(update) = events.try_next() {
//!     if let Update::Event(event) = update {
//!         model.apply(&event);
//!     }
//! }
//! assert_eq!(model, operations.snapshot().model);
//! # assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # Metrics
//!
//! With the feature `metrics`, `Metrics` publishes what is observed through the facade `metrics`.
//!
//! # What it is not for
//!
//! Messages and states of actors: [`ActorHandle::get_state`](perennial_actors::ActorHandle) reads a
//! state.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod age;
mod causes;
mod crash;
mod cycles;
mod deadlock;
mod event;
mod events;
mod figures;
mod health;
mod journal;
#[cfg(feature = "metrics")]
mod metrics;
mod model;
mod nodes;
mod operations;
mod reason;
mod report;
mod sample;
mod snapshot;
mod sources;
#[cfg(unix)]
mod systemd;
mod truth;
mod waits;

pub use crash::CrashReport;
pub use deadlock::DeadlockWatch;
pub use event::{DeadLetterInfo, DeadLetterKind, Event, EventKind, WaitingActor};
pub use events::{Events, Update};
pub use figures::{Figures, PendingStart, ProcessFigures, TreeNode};
pub use health::{Health, HealthCheck, HealthStatus, NotLive, NotReady, ReadinessGate};
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use metrics::{MetricInfo, MetricKind, Metrics};
pub use model::{Model, Process, ProcessPhase};
pub use nodes::{
    NodeInfo, NodeLink, NodeNames, NodeSource, NodeTrees, NodeTreesError, NodeTreesFuture, PlacedName,
};
pub use operations::Operations;
pub use reason::{Reason, ReasonKind};
pub use report::Report;
pub use snapshot::Snapshot;
#[cfg(unix)]
pub use systemd::SdNotify;
pub use waits::{WaitEdge, WaitGraph, WaitNode};
