//! A tree at one moment: as data, as text for people, and as a diagram.
//!
//! To look at a tree takes no time of its supervisors: it can be had of one that hangs. With the feature `serde`, what is here can be
//! written as JSON and the like.

mod child;
#[cfg(feature = "serde")]
mod data;
mod mermaid;
mod picture;

pub use child::{ChildCounts, ChildInfo, ChildStart, ChildState, UnstoppedChild};
pub use picture::Tree;
