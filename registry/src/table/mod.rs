//! The concurrent map of the registry: sharded in a program, one lock under the model checker.
//!
//! No guard leaves either of them. Values are cloned out, and closures run under the lock of one entry.

#[cfg_attr(model, path = "loom.rs")]
#[cfg_attr(not(model), path = "sharded.rs")]
mod map;

pub(crate) use map::{Retain, Table};
