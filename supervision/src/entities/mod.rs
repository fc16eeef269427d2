//! An actor for every key: started by its first message, passivated when it is not used.
//!
//! # Problem
//!
//! A shop has a cart for each customer: millions of them, of which a few are used at any time. One
//! actor for each is the simplest code, and the memory for all of them at once is not there.
//!
//! # Model
//!
//! [`Entities`] is a child of a tree. [`EntitiesHandle::address`] returns the [`Address`] of the
//! entity with a key. The address is like any other: it can be sent to, called, monitored and
//! registered under a name. An incarnation is started when a message is there, and stopped when the
//! entity was not used for a while, or when another one needs its place. Orleans calls this a
//! virtual actor, Akka cluster sharding calls the stop passivation.
//!
//! The text of a key, as `Display` makes it, is its identity: two keys with the same text are one
//! entity. It is also the last part of the label.
//!
//! # Guarantees
//!
//! - **No message is lost by a passivation**: what is queued is handled by the next incarnation, in
//!   order. A message that was being handled has been handled. A reply that the actor kept is
//!   dropped with its state.
//! - **One incarnation** of a key exists at a time, and at most
//!   [`max_live`](Entities::max_live) of all keys.
//! - **A poisoned key harms no other**: after a failure, the key has a [delay](Entities::backoff)
//!   of its own. No intensity is counted.
//! - **What is not used is freed**: of a key without an incarnation, a message or a holder of its
//!   address, nothing is left but for the failures that still count.
//!
//! # Ordering
//!
//! Entities get a place in the order in which they got a message. The one that was used least
//! recently makes room: at first one that is idle, otherwise one that has handled some messages.
//! A use is a call of [`address`](EntitiesHandle::address). Messages to an address that is kept are
//! noticed once per idle time, so such an entity is idle for one to two idle times when it is
//! passivated.
//!
//! # What it is not for
//!
//! State that has to survive: an incarnation ends with what it has in memory, and the next one
//! begins with [`init`](perennial_actors::Actor::init). A weak address of an entity that is freed
//! is the address of none.
//!
//! # Examples
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, Reply, System};
//! use perennial_supervision::Supervisor;
//! use perennial_supervision::entities::Entities;
//!
//! struct Greeter(String);
//!
//! impl Actor for Greeter {
//!     type Msg = Reply<String>;
//!     type Args = String;
//!     async fn init(name: &String, _: &mut Context<Self>) -> Result<Self, ExitReason> {
//!         Ok(Self(format!("hello {name}")))
//!     }
//!     async fn handle(&mut self, reply: Reply<String>, _: &mut Context<Self>)
//!     -> Result<(), ExitReason> {
//!         reply.send(self.0.clone());
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let greeters = Entities::<&str, Greeter>::new("greeters", |name| (*name).to_owned());
//! let handle = greeters.handle();
//! let app = Supervisor::new("app").child(greeters.max_live(2)).start(&System::new()).await?;
//! for name in ["ada", "bob", "eve", "ada"] {
//!     assert_eq!(handle.address(&name)?.call(|reply| reply).await?, format!("hello {name}"));
//! }
//! assert!(handle.stats().live <= 2);
//! assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! [`Address`]: perennial_actors::Address

mod builder;
mod driver;
mod engine;
mod entity;
mod error;
mod handle;
mod inbox;
mod shared;
mod stats;

pub use builder::Entities;
pub use error::EntityError;
pub use handle::EntitiesHandle;
pub use stats::EntitiesStats;
