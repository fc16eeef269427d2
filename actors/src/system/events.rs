//! Lifecycle events of actors and supervisors, for tests, consoles and monitoring.

use std::sync::Arc;

use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::pid::Pid;

/// The last [`LifecycleEvent`] of an actor, as [`ProcessInfo`](crate::ProcessInfo) shows it.
///
/// It changes just before the event is published. So a reader that has subscribed to the events
/// before it reads the state misses no change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LifecycleState {
    /// There was no event: no incarnation has started or ended.
    New,
    /// This incarnation has started.
    Started(Pid),
    /// This incarnation has ended or was abandoned. Another one may be starting.
    Ended(Pid),
    /// The actor was closed after this incarnation, and no incarnation has started since.
    Closed(Pid),
}

/// A lifecycle event of a system. Events of one actor come in the order in which they happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LifecycleEvent {
    /// An incarnation has started: its `init` returned, or a deferred start became
    /// [ready](crate::Context::ready).
    Started {
        /// The incarnation.
        pid: Pid,
        /// The path in the tree, or the type of an actor outside a tree.
        label: Arc<str>,
    },
    /// An incarnation ended, during its start or later.
    Ended {
        /// The incarnation.
        pid: Pid,
        /// The path in the tree, or the type.
        label: Arc<str>,
        /// The exit reason.
        reason: ExitReason,
    },
    /// The mailbox was detached from an incarnation that did not end when it was killed.
    Abandoned {
        /// The incarnation, which may run for ever.
        pid: Pid,
        /// The path in the tree, or the type.
        label: Arc<str>,
    },
    /// The actor is closed: no incarnation is running or pending, and messages are refused from now
    /// on.
    Closed {
        /// The last incarnation; number 0 if it never started.
        pid: Pid,
        /// The path in the tree, or the type.
        label: Arc<str>,
        /// Why the actor was closed.
        reason: ExitReason,
        /// Its message counts, which are final unless it is opened again.
        messages: MessageStats,
    },
}
