//! Supervisors: their builders and their handles.
//!
//! | supervisor | children | identified by | stop order |
//! |---|---|---|---|
//! | [`Supervisor`] | [`Static`]: a fixed list in start order | id | reverse start order |
//! | [`DynamicSupervisor`] | [`Dynamic`]: started at run time | pid | all at once |
//! | [`PartitionSupervisor`] | [`Partitioned`]: copies of one child | key | reverse start order |
//!
//! Each is the root of a tree or a child of another supervisor. Each has a handle, which its
//! builder gives out before the start. The handle reaches the current incarnation.
//!
//! All of them are one [`SupervisorBuilder`] and one [`SupervisorHandle`] with the kind of their
//! children as a type parameter. A setting or a request that every supervisor has is in
//! `builder` and `handle`. What children with ids add is in `ordered`.
//!
//! # Relations between siblings
//!
//! systemd's relations between units have no setting of their own: a supervisor has them already,
//! and a second graph beside the start order could contradict it.
//!
//! - `BindsTo=`: a nested transient supervisor with `AutoShutdown::AnySignificant`. The child that
//!   the others are bound to is transient and significant in it.
//! - `PartOf=`: `Strategy::RestForOne`. The part is a later sibling.
//! - `OnFailure=`: a task that subscribes to `SupervisorReport`, and starts a child at a
//!   `StartLimitHit`.
//!
//! `tests/sibling_relations.rs` has each of them.

mod app;
mod builder;
mod dynamic;
mod group;
mod handle;
mod ordered;
mod partition;
mod requests;
mod restarting;
mod signal;
mod stop_signals;
mod supervised;
#[cfg(all(test, not(model)))]
mod tests;

pub use app::{App, ShutdownReport};
pub use builder::SupervisorBuilder;
pub use dynamic::{ChildFactory, DynamicHandle, DynamicSupervisor, WeakDynamicHandle};
pub use group::{ChildGroup, Dynamic, Static};
pub use handle::{SupervisorHandle, WeakSupervisorHandle};
pub use ordered::Supervisor;
pub use partition::{
    PartitionKey, PartitionSupervisor, Partitioned, Partitions, ResizeError, WeakPartitions,
};
pub(crate) use requests::run_to_completion;
pub use signal::RunOutcome;
pub use stop_signals::{StopSignal, StopSignals};
pub use supervised::Supervised;
