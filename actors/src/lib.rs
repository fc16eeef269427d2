//! The processes of perennial: typed actors whose mailbox and address outlive each of their incarnations.
//!
//! An *identity* is what stays: a mailbox, an [`Address`], later a name. An *incarnation* is one run of an [`Actor`] that
//! serves it. When an incarnation ends, what waits in the mailbox waits for the next one, the message that was in hand does
//! not come back, and every address that was ever given away stays good.
//!
//! This crate runs incarnations and accounts for messages. It does not decide whether a next incarnation follows: an
//! actor that is [spawned](System::spawn) by itself has one; supervision gives it more.
//!
//! # Guarantees
//!
//! - **Order**: messages from one sender to one address are handled in the order in which they were sent.
//! - **At most once**: a message is handled, or it is a [`DeadLetter`]; never both, never twice.
//! - **Accounts**: accepted = handled + lost in flight + dead-lettered + queued, at any time ([`MessageStats`]).
//! - **Bounds**: a mailbox never holds more than its [`Capacity`]; what does not fit comes back to its sender, unless the
//!   mailbox is set to [drop](OverflowPolicy) something.
//! - **Signals first**: a stop acts after the message in hand and ahead of all that wait; a kill, and an exit
//!   signal that is not trapped, act at the next await.
//! - **Nothing outlives an incarnation** but its mailbox: timers, piped futures, continuations, links and monitors end with it.
//!
//! # Where things are
//!
//! An actor is an implementation of [`Actor`]; what it may do to itself is on its [`Context`]. Others reach it by its [`Address`], by
//! a [`Recipient`] if they know a part of its messages, by its [`ActorHandle`] if they know none.
//!
//! # What it is not for
//!
//! Code that computes without awaiting cannot be killed by anybody on tokio, only abandoned. Give long work to
//! `tokio::task::spawn_blocking`, or await between its parts.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod actor;
mod address;
mod any_process;
mod carried;
mod caught;
mod chain;
mod clock;
mod control;
mod counters;
mod exit;
mod foreign;
mod guard;
mod incarnation;
mod label;
mod log;
mod mailbox;
mod panics;
mod pid;
mod process;
mod relations;
mod self_messages;
mod seq_map;
mod signal;
mod spawn;
mod sync;
mod system;
mod type_names;

pub use actor::{Actor, ActorOnce, Context, OwnedArgs};
pub use address::{
    ActorHandle, Address, Call, CallError, CloseHook, ClosedError, InspectError, Monitor, NoProcessError,
    PendingRestart, Permit, ProcessInfo, Recipient, RecipientCall, Reply, ReserveFuture, SendError,
    SendFuture, SendTimeoutFuture, SystemShutdown, Unsent, WeakActorHandle, WeakAddress,
};
pub use any_process::ProcessState;
pub use clock::NoTimers;
pub use counters::MessageStats;
pub use exit::{ErrorReason, ExitReason, IntoExitReason, Panic};
pub use mailbox::{Capacity, MailboxConfig, MailboxOnRestart, OverflowPolicy};
pub use panics::PanicLocations;
pub use pid::Pid;
pub use process::Target;
pub use self_messages::{PipeHandle, StreamHandle, TimerId};
pub use signal::{Down, MonitorId, Signal};
pub use spawn::{Spawn, SpawnError, SpawnOnceError};
pub use system::{
    DeadLetter, DeadLetterReason, LifecycleEvent, Subscription, System, SystemBuilder, SystemEvent,
};

/// For those who own identities and host incarnations: supervisors.
pub mod host {
    pub use crate::actor::{owned_args, parent_of};
    pub use crate::any_process::Suspensions;
    pub use crate::carried::{Carried, CarriesValue};
    pub use crate::caught::{catch_panic, catch_panics, reason_of, reason_of_join, resume_panic};
    pub use crate::clock::require_timers;
    pub use crate::foreign::{
        Each, Foreign, Guarded, InPlace, dispose, dispose_each, drop_each, ignore_panic, wake_each,
        wake_safely,
    };
    pub use crate::label::Label;
    pub use crate::process::{
        AttachError, Identity, IncarnationExit, MailboxConsumer, MailboxEvent, MessageReceiver, Parent,
    };
    pub use crate::seq_map::SeqMap;
    pub use crate::system::{Broadcast, Sent};
    pub use crate::type_names::ShortTypeName;
}
