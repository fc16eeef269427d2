//! Actors whose state is in a store: it outlives their incarnations and the process.
//!
//! # Problem
//!
//! A restarted actor begins anew. One that writes its state to a database by itself has to decide
//! what it answers before the write is done, what holds if it is killed in between, and what an
//! earlier incarnation that wakes up late may still write.
//!
//! # Model
//!
//! An [`EventSourced`] actor has a [`Journal`]. Its handler reads the state and says what has
//! happened: it [persists](Transaction::persist) events. [`apply`](EventSourced::apply) alone
//! changes the state, in the handler's turn and again when the next incarnation recovers. A
//! [`DurableState`] is the simpler form: its handler changes the state, which is stored as a whole.
//!
//! What a handler asks of its [`Transaction`] is one commit: events, a snapshot, and jobs of
//! [durable pools](crate::pool). Replies are sent once it is on the disk. Such an actor is an
//! [`Actor`](perennial_actors::Actor) as any other: it is a child of a tree, has names, and can be
//! an entity of [`Entities`](perennial_supervision::entities::Entities).
//!
//! # Guarantees
//!
//! - **All or nothing.** If a handler fails, panics, is killed or is cancelled, nothing of it is
//!   stored, and none of its replies is sent. If that happens while its commit is on the way, all
//!   of it is stored or nothing, and no reply is sent.
//! - **Replies follow the disk.** What a [reply](Transaction::reply) says is stored. The other way
//!   round, a caller whose actor ended may find that the commit was done.
//! - **One writer.** Each incarnation claims the journal. From then on, the store refuses what an
//!   earlier one writes, in this process or another, with [`Conflict::StaleWriter`]. An earlier one
//!   in another process may answer what needs no commit until it writes: to be certain, persist.
//! - **Nothing is skipped.** An event that cannot be decoded, or is of a newer version, fails the
//!   start with a [`JournalError`], and the incarnation that writes goes on. The supervisor
//!   decides.
//! - **A store that fails for a while is waited for**, at the start and in a commit, up to
//!   [`Journal::store_timeout`]. A commit whose outcome is unknown ends the actor. The next
//!   incarnation reads what holds.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use perennial_actors::{ExitReason, Reply, System};
//! use perennial_durable::actor::{EventSourced, EventTransaction, Journal};
//! use perennial_durable::{MemoryStore, Wire};
//! use perennial_supervision::{Child, Supervisor};
//! use serde::{Deserialize, Serialize};
//!
//! enum Msg {
//!     Deposit(u64, Reply<u64>),
//!     Balance(Reply<u64>),
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Event {
//!     Deposited(u64),
//! }
//!
//! impl Wire for Event {
//!     const TAG: &'static str = "bank.event";
//! }
//!
//! struct Account {
//!     balance: u64,
//! }
//!
//! impl EventSourced for Account {
//!     type Msg = Msg;
//!     type Event = Event;
//!     type Args = ();
//!
//!     fn new(_: &()) -> Self {
//!         Self { balance: 0 }
//!     }
//!
//!     fn apply(&mut self, event: Event) {
//!         match event {
//!             Event::Deposited(amount) => self.balance += amount,
//!         }
//!     }
//!
//!     async fn handle(
//!         &self,
//!         msg: Msg,
//!         tx: &mut EventTransaction<'_, Self>,
//!     ) -> Result<(), ExitReason> {
//!         match msg {
//!             Msg::Deposit(amount, reply) => {
//!                 tx.persist(Event::Deposited(amount));
//!                 tx.reply_with(reply, |account| account.balance);
//!             }
//!             Msg::Balance(reply) => reply.send(self.balance),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new());
//! let ann = Journal::<Account>::new(store, "account/ann", ()).child("ann");
//! let address = ann.address();
//! let app = Supervisor::new("bank").child(ann).start(&System::new()).await?;
//!
//! address.call(|reply| Msg::Deposit(40, reply)).await?;
//! address.handle().kill();
//! assert_eq!(address.call(|reply| Msg::Deposit(2, reply)).await?, 42, "it remembers");
//! assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! - State that may be lost: a plain actor costs no commit.
//! - Many changes a second of one actor: it commits one message after the other, at the pace of the
//!   disk. Many actors share their commits.
//! - Changes of two actors in one step: each has a transaction of its own. Send a job or a message
//!   from one to the other, and make its handler idempotent.
//!
//! [`Conflict::StaleWriter`]: crate::Conflict::StaleWriter

mod error;
mod event_actor;
mod event_sourced;
mod feed;
mod journal;
mod journaled;
mod state;
mod state_actor;
mod stored_state;
mod transaction;
mod writer;

pub use error::JournalError;
pub use event_sourced::{EventSourced, EventSourcedActor, EventTransaction, Snapshots};
pub use feed::EventFeed;
pub use journal::Journal;
pub use state::{DurableState, DurableStateActor, StateTransaction};
pub use stored_state::StoredState;
pub use transaction::{DurableActor, Transaction};
