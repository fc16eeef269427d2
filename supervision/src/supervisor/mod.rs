//! Supervisors: their builders and their handles.
//!
//! | supervisor | children | identified by | stop order |
//! |---|---|---|---|
//! | [`Supervisor`] | a fixed list in start order | id | reverse start order |
//! | [`DynamicSupervisor`] | started at run time | pid | all at once |
//! | [`PartitionSupervisor`] | copies of one child | key | reverse start order |
//!
//! Each is the root of a tree or a child of another supervisor. Each has a handle, which its
//! builder gives out before the start. The handle reaches the current incarnation.

mod app;
mod builder;
mod change;
mod dynamic;
mod dynamic_handle;
mod handle;
mod partition;
mod partition_key;
mod partitions;
mod requests;
mod signal;
mod stop_signals;
mod supervised;
#[cfg(all(test, not(model)))]
mod tests;

pub use app::{App, ShutdownReport};
pub use builder::Supervisor;
pub use dynamic::DynamicSupervisor;
pub use dynamic_handle::{ChildFactory, DynamicHandle, WeakDynamicHandle};
pub use handle::{SupervisorHandle, WeakSupervisorHandle};
pub use partition::PartitionSupervisor;
pub use partition_key::PartitionKey;
pub use partitions::{Partitions, ResizeError, WeakPartitions};
pub(crate) use requests::run_to_completion;
pub use signal::RunOutcome;
pub use stop_signals::{StopSignal, StopSignals};
pub use supervised::Supervised;
