//! Keys of any type, with values, registered by incarnations: Elixir's `Registry`.
//!
//! A [`Name`](crate::Name) is for one well-known actor. Keys are for many actors of one kind: the
//! session of a user, the actor of an account, all actors interested in a topic. An actor registers
//! itself. The registration lasts until the incarnation ends, and the next incarnation registers
//! again in its `init`.
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, Reply, System};
//! use perennial_registry::UniqueKeys;
//!
//! struct Session(u64);
//!
//! type Sessions = UniqueKeys<u64, Reply<u64>, &'static str>;
//!
//! impl Actor for Session {
//!     type Msg = Reply<u64>;
//!     type Args = (u64, Sessions);
//!     async fn init(
//!         (user, sessions): &(u64, Sessions),
//!         ctx: &mut Context<Self>,
//!     ) -> Result<Self, ExitReason> {
//!         sessions.register(ctx, *user, "web")?;
//!         Ok(Session(*user))
//!     }
//!     async fn handle(
//!         &mut self,
//!         reply: Reply<u64>,
//!         _: &mut Context<Self>,
//!     ) -> Result<(), ExitReason> {
//!         Ok(reply.send(self.0))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (system, sessions) = (System::new(), Sessions::new());
//! let session = system.spawn::<Session>((7, sessions.clone())).await?;
//! let found = sessions.lookup(&7).ok_or("it has registered")?;
//! assert_eq!((found.value, found.address.call(|reply| reply).await?), ("web", 7));
//!
//! session.kill()?;
//! session.monitor().await;
//! assert!(sessions.lookup(&7).is_none());
//! # Ok(())
//! # }
//! ```

mod entry;
mod handle;
mod key_table;
mod shown;
mod slots;

pub use entry::{KeyChange, KeyEntry};
pub use handle::{Duplicate, DuplicateKeys, Keys, Unique, UniqueKeys};
#[cfg(all(test, model))]
pub(crate) use key_table::KeyTable;
pub(crate) use shown::ShownTables;
pub use shown::{KeyInfo, KeyTableInfo};
