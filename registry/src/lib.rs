//! The names of perennial: typed, bound to an identity, without a gap across restarts.
//!
//! # Model
//!
//! A [`Name<M>`] is a text and the type of the messages that go there. It is bound to an *identity*, never to an
//! incarnation: so a restart, of the actor or of any supervisor above it, does not touch it. It is free again when nobody
//! serves the identity and nobody is due to.
//!
//! Who is one of many is found otherwise: by [keys](UniqueKeys) with values, as a member of a [`Group`], or by what is said on a
//! [`Topic`].
//!
//! | | leads to | belongs to | over when |
//! |---|---|---|---|
//! | [`Name`] | one actor | an identity | the actor has ended for good, or gives it up |
//! | [`UniqueKeys`], [`DuplicateKeys`] | one actor, or several | an incarnation | that ends, or gives it up |
//! | [`Group`] | its members | incarnations | they end, or leave |
//! | [`Topic`] | its subscribers | identities | they have ended for good, or unsubscribe |
//!
//! # Guarantees
//!
//! - **No gap**: as long as a supervisor owns a named child, looking the name up finds its address, and a message sent there
//!   is queued for the next incarnation if there is none.
//! - **No mix-up**: a lookup with another message type is an error, not a lost message.
//! - **One owner**: binding a name that leads elsewhere fails; an identity that gives its name up late never takes away
//!   that of its successor.
//! - **Free before told**: when a monitor tells of an actor's final end, its names are free.
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
//! #     async fn handle(&mut self, _: String, _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
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
//! Names of other nodes.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod examples;

mod changes;
mod error;
mod groups;
mod keys;
mod log;
mod name;
mod name_key;
mod owners;
mod registry;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod topics;
mod wait_for;
mod waiters;
mod whereis;

pub use changes::NameChange;
pub use error::{BindError, HandOverError, LookupError, NamedCallError, NamedCastError, WaitError};
pub use groups::{
    BroadcastReport, Group, GroupChange, GroupHandle, GroupJoinError, GroupMonitor, NotJoinedError,
};
pub use keys::{DuplicateKeys, KeyChange, KeyEntry, RegisterError, UniqueKeys};
pub use name::{Name, NameInfo};
pub use registry::Registry;
pub use topics::{PublishReport, SlowSubscriberPolicy, Topic, TopicHandle};
pub use whereis::{NamedCall, Whereis};
