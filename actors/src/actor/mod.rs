//! Actors, and the [`Context`] with which an actor controls itself: timers, piped futures, links,
//! monitors.

mod traits;
mod poll;
mod once;
mod readiness;
mod relations;
mod scheduling;

pub use traits::{Actor, Context, parent_of};
pub use once::{ActorOnce, OwnedArgs, owned_args};
