//! What an actor is, and what it may do to itself: messages and signals in, and by way of its [`Context`] timers, piped
//! futures, links and monitors.

mod traits;
mod poll;
mod once;
mod readiness;
mod relations;
mod scheduling;

pub use traits::{Actor, Context, parent_of};
pub use once::{ActorOnce, OwnedArgs, owned_args};
