//! Typed actors whose mailbox and address outlive every incarnation.
//!
//! # The problem
//!
//! A tokio task that panics takes its channel with it. Every handle to it is then broken, queued
//! messages are gone, and callers wait for replies that never come. So recovery means more than
//! starting the task again: all handles have to be replaced.
//!
//! # The model
//!
//! - An **identity** persists: a mailbox, an [`Address`], and the names that registries add.
//! - An **incarnation** is one run of an [`Actor`] on that mailbox, with its own [`Pid`].
//!
//! When an incarnation ends, queued messages wait for the next one. The message that was in flight
//! is not delivered again. Every address stays valid.
//!
//! This crate runs incarnations and accounts for each message. It does not decide on restarts: an
//! actor that is [spawned](System::spawn) has one incarnation; `perennial-supervision` starts
//! further ones.
//!
//! # Guarantees
//!
//! - **Order**: messages from one sender to one address are handled in the order in which they were
//!   sent.
//! - **At most once**: a message is handled, or it becomes a [`DeadLetter`]; never both, never
//!   twice.
//! - **Accounting**: accepted = handled + lost in flight + dead-lettered + queued, at any time
//!   ([`MessageStats`]).
//! - **Bounds**: a mailbox never holds more than its [`Capacity`]. A message that does not fit is
//!   returned to the sender, unless an [`OverflowPolicy`] evicts a message.
//! - **Signals first**: a stop takes effect after the current message and ahead of all queued
//!   messages. A kill, and an exit signal that is not trapped, take effect at the next await.
//! - **Cleanup**: timers, piped futures, continuations, links and monitors end with their
//!   incarnation. Only the mailbox persists.
//!
//! # Example
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, Reply, System};
//!
//! enum Msg {
//!     Add(u64),
//!     Get(Reply<u64>),
//! }
//!
//! struct Counter(u64);
//!
//! impl Actor for Counter {
//!     type Msg = Msg;
//!     type Args = u64;
//!
//!     async fn init(start: &u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
//!         Ok(Self(*start))
//!     }
//!
//!     async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
//!         match msg {
//!             Msg::Add(n) => self.0 += n,
//!             Msg::Get(reply) => reply.send(self.0),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counter = System::new().spawn::<Counter>(40).await?;
//! counter.cast(Msg::Add(2))?;
//! assert_eq!(counter.call(Msg::Get).await?, 42);
//! # Ok(())
//! # }
//! ```
//!
//! # Items by task
//!
//! - **Define an actor**: [`Actor`], or [`ActorOnce`] if it owns its arguments; inside it,
//!   [`Context`], [`Signal`], [`Reply`] and [`ExitReason`].
//! - **Start it**: [`System`], [`SystemBuilder`], [`Spawn`], [`Starting`], [`MailboxConfig`].
//! - **Send to it**: [`Address`]; [`Recipient`] for some of its messages; [`Call`], [`Permit`],
//!   [`WeakAddress`].
//! - **Control and inspect it**: [`ActorHandle`], [`Monitor`], [`ProcessInfo`], [`ProcessState`].
//! - **Observe a system**: [`Subscription`] to [`LifecycleEvent`]s and [`DeadLetter`]s,
//!   [`MessageStats`].
//! - **Host incarnations in another crate**: the module [`host`].
//!
//! # What it is not for
//!
//! Tokio cannot kill code that computes without awaiting; an actor that does so can only be
//! abandoned. Give long computations to [`Context::pipe_blocking`] or
//! `tokio::task::spawn_blocking`, or await between steps.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod examples;

mod actor;
mod address;
mod carried;
mod caught;
mod clock;
mod control;
mod counters;
mod error;
mod exit;
mod foreign;
mod guard;
mod incarnation;
mod jitter;
mod label;
mod log;
mod mailbox;
mod panics;
mod pid;
mod process;
mod requeue;
mod self_messages;
mod seq_map;
mod signal;
mod spans;
mod spawn;
mod sync;
mod system;
mod target;
mod text;
mod type_names;

pub use actor::{Actor, ActorOnce, Context, OwnedArgs};
pub use address::{
    ActorHandle, Address, Call, CallError, CallWait, CallWatch, CloseHook, ClosedError, InspectError,
    Monitor, NoProcessError, PendingRestart, Permit, Recipient, RecipientCall, Reply, ResendError,
    ReserveFuture, SendError, SendFuture, SendTimeoutFuture, SystemShutdown, Unsent, WeakActorHandle,
    WeakAddress,
};
pub use counters::MessageStats;
pub use error::{NoTimers, SpawnError, SpawnOnceError};
pub use exit::{ErrorReason, ExitReason, IntoExitReason, Panic};
pub use mailbox::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
pub use panics::PanicLocations;
pub use pid::Pid;
pub use self_messages::{PipeHandle, StreamHandle, TimerId};
pub use signal::{Down, MonitorId, Signal};
pub use spawn::{Spawn, Starting};
pub use system::{
    CallTimedOut, DeadLetter, DeadLetterReason, HandlerSample, LifecycleEvent, LifecycleState, ProcessInfo,
    ProcessState, Subscription, System, SystemBuilder, SystemEvent,
};
pub use target::Target;

/// The interface for crates that own identities and host incarnations, such as supervisors.
pub mod host {
    pub use crate::actor::{owned_args, parent_of};
    pub use crate::address::cast_unlinked;
    #[cfg(feature = "remote")]
    #[cfg_attr(docsrs, doc(cfg(feature = "remote")))]
    pub use crate::address::{
        AnyAnswer, DecodedAnswer, FollowedMessage, FollowedOutcome, OutsideLink, ReceivedReply, ReplyFuture,
        SentReply, decode_answer, decode_replies, drop_sent, encode_replies, reply_pair,
    };
    pub use crate::carried::{Carried, CarriesValue};
    pub use crate::caught::{catch_panic, catch_panics, reason_of, reason_of_join, resume_panic};
    pub use crate::clock::{add_time, require_timers};
    pub use crate::error::AttachError;
    pub use crate::foreign::{
        Each, Foreign, Guarded, InPlace, dispose, dispose_each, drop_each, ignore_panic, register_waker,
        wake_each, wake_safely,
    };
    pub use crate::jitter::{GAMMA, jitter_sample, mix};
    pub use crate::label::Label;
    pub use crate::log::unlogged;
    pub use crate::process::{
        Identity, IncarnationExit, MailboxConsumer, MailboxEvent, MessageReceiver, Parent,
    };
    pub use crate::requeue::Requeue;
    pub use crate::seq_map::SeqMap;
    pub use crate::system::{Broadcast, Suspensions};
    pub use crate::text::debug_text;
    pub use crate::type_names::ShortTypeName;

    /// The one door to locks and atomics, for every crate.
    pub mod sync {
        pub use crate::sync::{
            AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Condvar, IdGen, Mutex, MutexGuard,
            OnceLock, Ordering,
        };
    }
}
