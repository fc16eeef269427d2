//! The concurrent map of the registry: a sharded one in programs, one lock around a map under the
//! model checker.
//!
//! Neither returns a guard. Values are cloned out, and closures run under the lock of one entry.

#[cfg_attr(model, path = "loom.rs")]
#[cfg_attr(not(model), path = "sharded.rs")]
mod map;

pub(crate) use map::{Retain, Table};
