//! Supervisors, as users build, start and manage them.
//!
//! | supervisor | its children | how they are told apart | how they stop |
//! |---|---|---|---|
//! | [`Supervisor`] | known beforehand, in an order | by id | last started first |
//! | [`DynamicSupervisor`] | started as they are needed | by pid | all at once |
//! | [`PartitionSupervisor`] | copies of one | by key | last started first |
//!
//! Each is the root of a tree, or a child of another; each has a handle, to be had from its spec before anything runs, that
//! reaches whichever incarnation of it lives.

mod app;
mod builder;
mod change;
mod dynamic;
mod handle;
mod partition;
mod partition_key;
mod signal;
mod stop_signals;
mod supervised;
#[cfg(all(test, not(model)))]
mod tests;

pub use app::{App, ShutdownReport};
pub use builder::Supervisor;
pub use dynamic::{ChildFactory, DynamicHandle, DynamicSupervisor, WeakDynamicHandle};
pub(crate) use handle::run_to_completion;
pub use handle::{SupervisorHandle, WeakSupervisorHandle};
pub use partition::{PartitionSupervisor, Partitions, ResizeError, WeakPartitions};
pub use partition_key::PartitionKey;
pub use signal::RunOutcome;
pub use stop_signals::{StopSignal, StopSignals};
pub use supervised::Supervised;
