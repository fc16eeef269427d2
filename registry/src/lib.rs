//! Names, keys, groups and topics: how perennial's actors are found without their addresses.
//!
//! Not every part of a program can be given the addresses that it needs. A lookup by name solves
//! that, but if the table forgets an actor during a restart, its callers fail. In this
//! crate a name leads to the same mailbox before, during and after a restart.
//!
//! # Model
//!
//! A [`Name<M>`] is a text and a message type. It is bound to an *identity*, never to an
//! incarnation. A restart of the actor, or of any supervisor above it, therefore does not change
//! it. The name is free again when the identity is closed: no incarnation runs and none is pending.
//!
//! Other lookups are for actors that are one of many: [keys](UniqueKeys) with values, members of a
//! [`Group`], and subscribers of a [`Topic`].
//!
//! | | leads to | belongs to | removed when |
//! |---|---|---|---|
//! | [`Name`] | one actor | an identity | the identity is closed, or the name is unbound |
//! | [`UniqueKeys`] and [`DuplicateKeys`] | actors | an incarnation | it ends, or unregisters |
//! | [`Group`] | its members | incarnations | they end, or leave |
//! | [`Topic`] | its subscribers | identities | they are closed, or unsubscribe |
//!
//! # Guarantees
//!
//! - **No gap**: while a supervisor owns a named child, a lookup of the name finds its address. A
//!   message sent there between two incarnations is queued for the next one.
//! - **Typed**: a lookup with another message type is an error, not a lost message.
//! - **One owner**: binding a name that leads to another actor fails. An identity that is closed
//!   late never removes its successor's binding.
//! - **Free before notified**: when a monitor reports an actor's final end, its names are free.
//!
//! # Example
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, System};
//! use perennial_registry::{Name, Registry, Whereis};
//! # struct Greeter;
//! # impl Actor for Greeter {
//! #     type Msg = String;
//! #     type Args = ();
//! #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Greeter) }
//! #     async fn handle(&mut self, _: String, _: &mut Context<Self>) -> Result<(), ExitReason> {
//! #         Ok(())
//! #     }
//! # }
//!
//! const GREETER: Name<String> = Name::new("greeter");
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let greeter = system.spawn::<Greeter>(()).await?;
//! Registry::of(&system).bind(GREETER, &greeter)?;
//! system.whereis(GREETER)?.cast("hello".to_owned())?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! Names across nodes: a registry belongs to one [`System`](perennial_actors::System) in one
//! process.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod examples;

mod binding;

mod error;
mod groups;
mod key_tables;
mod keys;
mod label;
mod log;
mod name;
mod name_key;
mod owners;
mod registry;
mod table;
#[cfg(test)]
mod tests;
mod topics;
mod wait_for;
mod waiters;
mod whereis;

pub use error::{
    BindError, GroupJoinError, HandOverError, LookupError, NamedCallError, NamedCastError, NotJoinedError,
    RegisterError, WaitError,
};
pub use groups::{BroadcastReport, GroupChange, GroupHandle, GroupInfo, GroupMonitor};
pub use keys::{
    Duplicate, DuplicateKeys, KeyChange, KeyEntry, KeyInfo, KeyTableInfo, Keys, Unique, UniqueKeys,
};
pub use label::{Group, Name, Topic};
pub use name::{NameChange, NameInfo};
pub use registry::Registry;
pub use topics::{PublishReport, SlowSubscriberPolicy, TopicHandle};
pub use whereis::{NamedCall, Whereis};
