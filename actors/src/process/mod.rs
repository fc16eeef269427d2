//! Identities and their incarnations: which part is permanent, which part restarts, and how an end
//! is notified.
//!
//! A [`Process`] is the shared part of an actor: its mailbox and its registration in the system. An
//! [`Identity`](crate::host::Identity) is the owner's side of it, an [`Address`](crate::Address)
//! the users' side, and a [`MailboxConsumer`] the side of the attached incarnation.

mod activity;
mod callbacks;
mod consumer;
mod dead_letters;
mod ending;
mod identity;
mod kept_letters;
mod links;
mod peek;
mod report;
mod shared;
mod start_order;
#[cfg(all(test, not(model)))]
mod tests;

pub use consumer::{MailboxConsumer, MailboxEvent};
pub use identity::Identity;
pub use peek::MessageReceiver;
pub(crate) use report::ExitNotifier;
pub use report::{IncarnationExit, Parent};
pub(crate) use shared::Process;
pub(crate) use start_order::{poke_awaited, set_awaited, set_supervisor, supervisor as supervisor_of};
