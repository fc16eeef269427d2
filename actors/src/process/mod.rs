//! Identities and their incarnations: what stays, what comes and goes, and how an end is told.
//!
//! A [`Process`] is what everybody who knows an actor shares: its mailbox and its place in the system. An
//! [`Identity`](crate::host::Identity) is the owner's end of it, an [`Address`](crate::Address) the users' end, and an
//! [`Attachment`] that of the one incarnation that serves it now.

mod attachment;
mod condition;
mod ending;
mod identity;
mod lookout;
mod relating;
mod report;
mod shared;
mod start_order;
mod target;
#[cfg(all(test, not(model)))]
mod tests;
mod undelivered;

pub use attachment::{Attachment, Step};
pub use identity::{Identity, OpenError};
pub use lookout::Taker;
pub(crate) use report::Reporter;
pub use report::{End, Parent};
pub(crate) use shared::Process;
pub(crate) use start_order::{poke_awaited, set_awaited, set_supervisor, supervisor as supervisor_of};
pub use target::Target;
