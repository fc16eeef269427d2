//! The concurrent map of the registry: sharded in a program, one lock under the model checker.
//!
//! Neither of them returns a guard. Values are cloned, and closures run under the lock of one
//! entry.

#[cfg_attr(model, path = "loom.rs")]
#[cfg_attr(not(model), path = "sharded.rs")]
mod map;

pub(crate) use map::{Retain, Table};
