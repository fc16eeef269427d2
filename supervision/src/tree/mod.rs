//! Snapshots of a supervision tree: as data, as text, and as a diagram.
//!
//! A snapshot does not involve the supervisors of the tree, so an unresponsive tree can be
//! inspected too. With the feature `serde`, the types here implement `Serialize`.

mod child;
#[cfg(feature = "serde")]
mod data;
mod mermaid;
mod snapshot;

pub use child::{ChildCounts, ChildInfo, ChildStart, ChildState, StopProgress, UnstoppedChild};
pub use snapshot::Tree;
