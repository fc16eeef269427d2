//! What an actor is, and what it may do to itself: messages and signals in, and by way of its [`Context`] timers, piped
//! futures, links and monitors.

mod once;
mod poll;
mod readiness;
mod relations;
mod scheduling;
mod traits;

pub use once::{ActorOnce, OwnedArgs, owned_args};
pub use traits::{Actor, Context, parent_of};
