//! A store that fails: in memory, as a seed says.
//!
//! It is for tests of programs that use stores. Its disk is a log of batches as bytes. A batch that
//! was not synced is lost or torn by a [restart](FaultStore::restart). In between the disk is full,
//! slow, locked or not connected, and a sync may fail, each as often as the [`Faults`] say. The
//! same seed and the same calls give the same faults. Times are those of tokio, so that they cost
//! nothing while its clock is paused.

mod disk;
mod plan;
mod store;

pub use plan::Faults;
pub use store::FaultStore;
