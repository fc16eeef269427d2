//! The concurrent map of the registry: sharded in a program, one lock under the model checker.
//!
//! Neither of them returns a guard. Values are cloned, and closures run under the lock of one
//! entry.

mod loom;
mod ops;
mod sharded;

#[cfg(model)]
pub(crate) use self::loom::Table;
#[cfg(not(model))]
pub(crate) use self::sharded::Table;
