//! Actors, and the [`Context`] with which an actor controls itself: timers, piped futures, links,
//! monitors.

mod once;
mod poll;
mod readiness;
mod relations;
mod scheduling;
mod traits;

pub use once::{ActorOnce, OwnedArgs, owned_args};
pub use traits::{Actor, Context, parent_of};
