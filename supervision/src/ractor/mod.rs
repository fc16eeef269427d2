//! Ractor actors in a tree, and a tree below a ractor actor.
//!
//! Existing [ractor](https://docs.rs/ractor/0.16) actors get supervision: an ordered start,
//! restarts with typed reasons, and addresses that survive restarts. The actor does not change.
//! [`Child::ractor`](crate::Child::ractor) puts an actor below a supervisor of this crate.
//! [`Supervisor::start_under`](crate::Supervisor::start_under) puts a tree of this crate below an
//! actor. Both can be used in one program, so a program can migrate step by step, from the leaves
//! or from the root.
//!
//! # A ractor actor as a child
//!
//! ```text
//!   Address --> mailbox <-- host, a task -- rings --> doorbell --> the actor, in ractor's own loop
//!                  ^                                             |
//!                  +------------- takes the next message --------+
//! ```
//!
//! Ractor runs the actor, without a name and linked to the ractor actor of its supervisor. Messages
//! wait in the mailbox of the child, not in ractor's queue. The doorbell notifies the actor of one
//! message at a time. The actor takes the message when its loop handles the notification, and only
//! then is the message in flight.
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
//!     async fn handle(
//!         &self, _: ActorRef<Msg>, msg: Msg, total: &mut u32,
//!     ) -> Result<(), ActorProcessingErr> {
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
//! - **It is a child like any other**: restart types, strategies, start and shutdown timeouts,
//!   names, mailboxes, backoff, liveness.
//! - **Message statistics are exact.** Only the message in flight is lost with an incarnation. No
//!   message is handled after the actor has stopped itself. Messages that reach the actor by its
//!   ractor reference, also its own, are not counted.
//! - **Exit reasons are typed.** An `Err` is [`Failed`](perennial_actors::ExitReason::Failed) with
//!   the error itself as its source, a panic is `Panicked`, a kill is `Killed`, and a stop of this
//!   crate gives its own reason. If the actor stops itself, the reason is `Normal`, or a `Shutdown`
//!   with its text. A failure in `pre_start` is a failed start; a `pre_start` that hangs exceeds
//!   the start timeout.
//! - **An incarnation has ended** once its task has ended, its state is dropped, and the
//!   descendants that ractor kills with it have ended. The next incarnation starts after that. The
//!   wait for descendants takes 5 seconds at most.
//! - **A stop** lets the handler finish and runs `post_stop`, as in ractor. A kill acts at the next
//!   await.
//!
//! ## Differences from an actor without a supervisor
//!
//! - Messages in ractor's own queue are lost without a trace when the actor ends: messages that it
//!   sent to itself, or that were sent to its reference.
//! - There is no order between that queue and the mailbox. If both have messages, both make
//!   progress.
//! - A [handler deadline](crate::Child::handler_deadline) covers the messages of the mailbox, and
//!   not those of ractor's queue.
//! - The doorbell is a ractor child of the actor, and is among its `get_children`. If it is stopped
//!   with them, it is replaced.
//! - If an idle actor is killed by its reference, its descendants are killed, but the next
//!   incarnation does not wait for them: ractor has forgotten them.
//!
//! # A tree below a ractor actor
//!
//! - The parent receives `ActorStarted` once the tree has started. When the tree ends, the parent
//!   receives `ActorTerminated` with the exit reason as its text, or `ActorFailed` with a
//!   [`TreeEndedError`] if the reason is abnormal. By then no part of the tree runs.
//! - If the parent **stops** its linked actors (`stop_children`), the tree stops in order: last
//!   started first, each child by the policy of its spec.
//! - If the parent **kills** its linked actors, the tree is killed. Ractor does this also when the
//!   parent itself ends, for any reason. Ractor then reports the end at once;
//!   [`App::join`](crate::App::join) waits until every actor of the tree has ended. For an ordered
//!   stop when the parent ends, call `myself.stop_children_and_wait(None, None).await` in its
//!   `post_stop`.
//!
//! # What it is not for
//!
//! - Speed. Such a child takes the memory of two ractor actors, and two hops for each message. An
//!   [`Actor`](perennial_actors::Actor) takes a small part of that.
//! - Ractor's remote actors, and builds with its `async-trait` feature.

mod child;
mod doorbell;
mod host;
mod host_shared;
mod parent;
mod wrapper;

pub use crate::error::TreeEndedError;
