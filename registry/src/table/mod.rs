//! The concurrent map of the registry: sharded in a program, one lock under the model checker.
//!
//! No guard leaves either of them. Values are cloned out, and closures run under the lock of one entry.

#[cfg(model)]
mod loom;
#[cfg(not(model))]
mod sharded;

#[cfg(model)]
pub(crate) use loom::{Retain, Table};
#[cfg(not(model))]
pub(crate) use sharded::{Retain, Table};
