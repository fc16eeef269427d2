//! Guards around user code: handlers, closures, `Drop`, `Display`, `From`, wakers.
//!
//! User code may panic, block or call back into the system. A panic in the middle of a state change
//! would lose an actor for good. So every call into user code from code that must continue goes
//! through this module.
//!
//! # Guarantees
//!
//! - A panic is caught here, and so is a panic of its payload's `Drop`.
//! - [`dispose`] and [`Foreign`] drop a value in a task of its own: the caller holds no lock and
//!   does not wait for it.
//!
//! What a panic means for an actor, its exit reason, is in [`caught`](crate::caught).

mod guards;
mod values;
mod waking;

pub(crate) use guards::{Caught, catch, resume};
pub use guards::{drop_each, ignore_panic, wake_each};
pub(crate) use values::run_elsewhere;
pub use values::{Each, Foreign, Guarded, InPlace, dispose, dispose_each};
pub(crate) use waking::guarded;
pub use waking::{register_waker, wake_safely};
