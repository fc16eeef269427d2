//! Guards around code that users gave: handlers, closures, `Drop`, `Display`, `From`, wakers.
//!
//! Foreign code may panic, block or call back into the system. A panic that leaves a half-done transition behind would
//! lose an actor for good, so every call into foreign code from a place that has to go on goes through this module.
//!
//! # Guarantees
//!
//! - A panic ends here, and so does a panic of its payload's `Drop`.
//! - [`dispose`] and [`Foreign`] drop a value in a task of its own: the caller holds no lock and does not wait for it.
//!
//! What a panic means to an actor, its reason, is in [`caught`](crate::caught).

mod guards;
mod values;
mod waking;

pub(crate) use guards::{Caught, catch, resume};
pub use guards::{drop_each, ignore_panic, wake_each};
pub(crate) use values::run_elsewhere;
pub use values::{Each, Foreign, Guarded, InPlace, dispose, dispose_each};
pub use waking::wake_safely;
