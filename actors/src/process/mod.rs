//! Identities and their incarnations: what stays, what comes and goes, and how an end is told.
//!
//! A [`Process`] is what everybody who knows an actor shares: its mailbox and its place in the system. An
//! [`Identity`](crate::host::Identity) is the owner's end of it, an [`Address`](crate::Address) the users' end, and an
//! [`MailboxConsumer`] that of the one incarnation that serves it now.

mod activity;
mod consumer;
mod dead_letters;
mod ending;
mod identity;
mod links;
mod peek;
mod report;
mod shared;
mod start_order;
mod target;
#[cfg(all(test, not(model)))]
mod tests;

pub use consumer::{MailboxConsumer, MailboxEvent};
pub use identity::{AttachError, Identity};
pub use peek::MessageReceiver;
pub(crate) use report::ExitNotifier;
pub use report::{IncarnationExit, Parent};
pub(crate) use shared::Process;
pub(crate) use start_order::{poke_awaited, set_awaited, set_supervisor, supervisor as supervisor_of};
pub use target::Target;
