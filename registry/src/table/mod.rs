//! The concurrent map of the registry: a sharded one in programs, one lock around a map under the
//! model checker.
//!
//! Neither returns a guard. Values are cloned out, and closures run under the lock of one entry.

#[cfg(model)]
mod loom;
#[cfg(not(model))]
mod sharded;

#[cfg(model)]
pub(crate) use loom::{Retain, Table};
#[cfg(not(model))]
pub(crate) use sharded::{Retain, Table};
