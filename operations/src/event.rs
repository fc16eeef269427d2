//! The events of a system as plain data.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{MessageStats, Pid};
use perennial_supervision::SupervisorStatus;
use perennial_supervision::pool::PoolStatus;
use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::report::Report;

/// Something that happened in a system.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The number of the event. Later events have greater numbers. A number that is missing in
    /// between is that of an event that was lost before it was recorded.
    pub sequence: u64,
    /// When it happened, in milliseconds since the start of the year 1970.
    pub at_millis: u64,
    /// The event that led to this one, if it is known: see [`CrashReport`](crate::CrashReport).
    pub cause: Option<u64>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
///
/// An event that changes the [`Model`](crate::Model) has the whole new state of its subject. So it
/// does no harm if it is applied to a model that holds it already.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// An incarnation has started.
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
        reason: Reason,
    },
    /// The mailbox was detached from an incarnation that did not end when it was killed.
    Abandoned {
        /// The incarnation, which may run for ever.
        pid: Pid,
        /// The path in the tree, or the type.
        label: Arc<str>,
    },
    /// The actor is closed: no incarnation is running or pending.
    Closed {
        /// The last incarnation.
        pid: Pid,
        /// The path in the tree, or the type.
        label: Arc<str>,
        /// Why the actor was closed.
        reason: Reason,
        /// Its message counts, which are final unless it is opened again.
        messages: MessageStats,
    },
    /// The status of a supervisor changed: it began, restarted a child, gave up, or its spec was
    /// changed.
    Supervisor(SupervisorStatus),
    /// A supervisor reported something about a child, or that it gave up.
    Report {
        /// The incarnation of the supervisor.
        supervisor: Pid,
        /// The path of the subject.
        path: Arc<str>,
        /// The latest incarnation of the subject, if it had one.
        pid: Option<Pid>,
        /// What it reported.
        report: Report,
    },
    /// A pool started, or its target number of workers was set.
    Pool(PoolStatus),
    /// A name was bound to an actor.
    NameBound {
        /// The name.
        name: String,
        /// The identity of the actor.
        identity: u64,
    },
    /// The binding of a name was removed.
    NameUnbound {
        /// The name.
        name: String,
        /// The identity of the actor to which it led.
        identity: u64,
    },
    /// A name was handed over from one actor to another.
    NameHandedOver {
        /// The name.
        name: String,
        /// The identity of the actor to which it led.
        from: u64,
        /// The identity of the actor to which it leads.
        to: u64,
    },
    /// An actor joined a group.
    GroupJoined {
        /// The name of the group.
        group: String,
        /// The identity of the actor.
        identity: u64,
    },
    /// An actor left a group, or its incarnation ended.
    GroupLeft {
        /// The name of the group.
        group: String,
        /// The identity of the actor.
        identity: u64,
    },
    /// A message was accepted and will not be handled.
    DeadLetter(DeadLetterInfo),
    /// Actors wait for each other in a circle of calls: each for the next, and the last for the
    /// first. A [`DeadlockWatch`](crate::DeadlockWatch) reports it.
    Deadlock {
        /// The actors of the circle.
        cycle: Vec<WaitingActor>,
    },
}

/// A [`DeadLetter`](perennial_actors::DeadLetter) as plain data, without the message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeadLetterInfo {
    /// The incarnation that lost it, or the last incarnation before the loss.
    pub target: Pid,
    /// The path of the target in its tree, or its type.
    pub label: Arc<str>,
    /// The type of the message.
    pub message_type: String,
    /// How it was lost.
    pub kind: DeadLetterKind,
    /// The exit reason, unless the mailbox was full.
    pub reason: Option<Reason>,
    /// The number of the letter, if its actor
    /// [keeps](perennial_actors::Address::keep_dead_letters) such letters.
    #[serde(default)]
    pub number: Option<u64>,
}

/// How a message was lost: a [`DeadLetterReason`](perennial_actors::DeadLetterReason) without the
/// exit reason.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeadLetterKind {
    /// It was being handled when the incarnation ended.
    InFlight,
    /// It was queued when the actor was closed, or when the mailbox was discarded.
    Unhandled,
    /// Its mailbox was full.
    Overflow,
    /// A kind that this version does not know.
    Other,
}

/// An actor in a circle of calls.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WaitingActor {
    /// The incarnation that calls the next actor of the circle.
    pub pid: Option<Pid>,
    /// Its path in the tree, or its type.
    pub label: Arc<str>,
    /// For how long its call has waited.
    pub waited: Duration,
}

impl EventKind {
    /// Returns the exit reason, if the event has one.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Ended { reason, .. } | Self::Closed { reason, .. } => Some(reason),
            Self::Report { report, .. } => report.reason(),
            Self::DeadLetter(letter) => letter.reason.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn set_reason(&mut self, new: Reason) {
        let reason = match self {
            Self::Ended { reason, .. } | Self::Closed { reason, .. } => Some(reason),
            Self::Report { report, .. } => report.reason_mut(),
            Self::DeadLetter(letter) => letter.reason.as_mut(),
            _ => None,
        };
        if let Some(reason) = reason {
            *reason = new;
        }
    }

    /// Returns the number of the identity that the event is about, if it is about one.
    #[must_use]
    pub fn identity(&self) -> Option<u64> {
        match self {
            Self::Started { pid, .. }
            | Self::Ended { pid, .. }
            | Self::Abandoned { pid, .. }
            | Self::Closed { pid, .. } => Some(pid.identity()),
            Self::Supervisor(status) => Some(status.pid.identity()),
            Self::Report { pid, .. } => pid.map(Pid::identity),
            Self::Pool(status) => Some(status.supervisor.identity()),
            Self::NameBound { identity, .. }
            | Self::NameUnbound { identity, .. }
            | Self::GroupJoined { identity, .. }
            | Self::GroupLeft { identity, .. } => Some(*identity),
            Self::NameHandedOver { to, .. } => Some(*to),
            Self::DeadLetter(letter) => Some(letter.target.identity()),
            Self::Deadlock { .. } => None,
        }
    }

    /// Returns `true` if an incarnation ended by a [crash](perennial_actors::ExitReason::is_crash).
    ///
    /// [ExitReason::is_crash]: perennial_actors::ExitReason::is_crash
    #[must_use]
    pub const fn is_crash(&self) -> bool {
        matches!(self, Self::Ended { reason, .. } if reason.kind.is_crash())
    }
}
