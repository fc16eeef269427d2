//! Ractor actors in a tree, and a tree below a ractor actor.
//!
//! For those who have [ractor](https://docs.rs/ractor/0.16) actors and want them supervised: started in order, restarted with typed
//! reasons, at addresses that survive them. The actor is not changed. Both ways go together: [`Child::ractor`](crate::Child::ractor) puts
//! an actor below one of our supervisors, [`Supervisor::start_under`](crate::Supervisor::start_under) puts one of our trees below an actor.
//! They can be taken one at a time, from the leaves or from the root.
//!
//! # A ractor actor as a child
//!
//! ```text
//!   Address ──▶ mailbox ◀── host, a task ── rings ──▶ doorbell ──▶ the actor, in ractor's own loop
//!                  ▲                                             │
//!                  └───────────── takes the next message ────────┘
//! ```
//!
//! The actor is run by ractor, linked to the ractor actor that its supervisor is, and without a name. Its messages wait in the mailbox of
//! the child, not in ractor's queue: the actor is rung for one at a time, takes it when its loop has come to that, and only then is the
//! message in hand.
//!
//! ```
//! use perennial_actors::{Reply, System};
//! use perennial_supervision::{Child, Supervisor};
//! use ractor::{Actor, ActorProcessingErr, ActorRef};
//!
//! enum Msg { Add(u32), Total(Reply<u32>), Fail }
//!
//! struct Counter;
//!
//! impl Actor for Counter {
//!     type Msg = Msg;
//!     type State = u32;
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, _: ActorRef<Msg>, (): ()) -> Result<u32, ActorProcessingErr> {
//!         Ok(0)
//!     }
//!
//!     async fn handle(&self, _: ActorRef<Msg>, msg: Msg, total: &mut u32) -> Result<(), ActorProcessingErr> {
//!         match msg {
//!             Msg::Add(n) => *total += n,
//!             Msg::Total(reply) => reply.send(*total),
//!             Msg::Fail => return Err("on purpose".into()),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counter = Child::ractor("counter", || (Counter, ()));
//! let address = counter.address();
//! let app = Supervisor::new("app").child(counter).start(&System::new()).await?;
//!
//! address.cast(Msg::Fail)?;
//! address.cast(Msg::Add(7))?;
//! assert_eq!(address.call(Msg::Total).await?, 7, "it waited for the next incarnation");
//! assert!(app.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! ## Guarantees
//!
//! - **It is a child like any other**: restart types, strategies, start and shutdown timeouts, names, mailboxes, backoff, liveness.
//! - **The accounts are exact.** Only the message in hand is lost with an incarnation; none is handled after the actor has stopped
//!   itself. Messages that reach it by its ractor reference, its own among them, are on no books and disturb none.
//! - **Its end is told as it was.** An `Err` is [`Failed`](perennial_actors::ExitReason::Failed) with the error itself behind it, a panic is
//!   `Panicked`, a kill is `Killed`, our stop gives the reason that we gave. When it stops itself that is `Normal`, or a `Shutdown` with its
//!   text. To fail in `pre_start` is to fail to start; to hang there is to exceed the start timeout.
//! - **It has ended when it is gone**: its task has, its state is dropped, and those are gone that ractor kills with it because they are
//!   below it. The next incarnation starts after that. For those below it waits 5 seconds at most.
//! - **A stop** lets the handler finish and runs `post_stop`, as ractor has it; a kill acts at the next await.
//!
//! ## What is different from being alone
//!
//! - What ractor itself holds of an actor that ends is lost, unseen: messages that it sent to itself, or was sent by its reference.
//! - Between that way and the mailbox there is no order. When both have something, both get on.
//! - A [handler deadline](crate::Child::handler_deadline) watches over the messages of the mailbox, and not over those others.
//! - The bell is a ractor child of the actor. It is among its `get_children`; if it is stopped with them, another one takes its place.
//! - If somebody kills an actor that does nothing by its reference, those below it are killed, but not waited for: ractor has forgotten them.
//!
//! # A tree below a ractor actor
//!
//! - The parent is sent `ActorStarted` when the tree is up, then `ActorTerminated`, with our reason as its text, when it ends or gives up, or
//!   `ActorFailed`, with a [`TreeEndedError`] as its error, if the reason is abnormal. By then nothing of the tree runs.
//! - When the parent **stops** what is linked to it (`stop_children`), the tree goes down in good order: last started first, each
//!   child in the way that its spec says.
//! - When it **kills** it, and that is also what ractor does when the parent itself ends, in whatever way, the tree is killed. Ractor then
//!   tells of the end at once; [`App::join`](crate::App::join) waits until everything is gone. A parent that wants good order when it ends
//!   sees to it in its `post_stop`: `myself.stop_children_and_wait(None, None).await`.
//!
//! # What it is not for
//!
//! Speed: such a child takes the memory of two ractor actors, and two hops for each message. An [`Actor`](perennial_actors::Actor) takes a
//! small part of that. Nor for ractor's remote actors, or for a build with its `async-trait` feature.

mod child;
mod doorbell;
mod host;
mod host_shared;
mod parent;
mod wrapper;

pub use crate::error::TreeEndedError;
