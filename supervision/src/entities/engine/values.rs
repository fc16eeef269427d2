//! The events and readings that go into the state machine, and the actions that come out of it.

use std::time::Duration;

use super::slots::SlotKey;
use crate::policy::Backoff;

/// The bounds of entities.
#[derive(Clone, Debug)]
pub(in super::super) struct Limits {
    /// The number of incarnations that may exist at once.
    pub(in super::super) max_live: usize,
    /// The number of keys that may be known at once.
    pub(in super::super) max_keys: usize,
    /// How long an entity is idle before it is passivated.
    pub(in super::super) idle_after: Option<Duration>,
    /// The delays after failures.
    pub(in super::super) backoff: Backoff,
    /// The failures in a row after which an entity is given up.
    pub(in super::super) give_up_after: Option<u32>,
    /// How long a start may take.
    pub(in super::super) start_timeout: Option<Duration>,
    /// How long a stop may take before it is a kill, and a kill before the entity is abandoned.
    pub(in super::super) stop_timeout: Duration,
}

/// An event of an entity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Event {
    /// A message is queued, and no incarnation is there.
    Queued,
    /// Its start succeeded.
    Started,
    /// Its incarnation has ended.
    Ended {
        /// Its start had not succeeded, or it ended by an error or a panic.
        failed: bool,
    },
}

/// An action that has to be performed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Action {
    /// Start an incarnation.
    Start(SlotKey),
    /// Stop it in order.
    Stop(SlotKey),
    /// Kill it.
    Kill(SlotKey),
    /// Take its mailbox away from it.
    Abandon(SlotKey),
    /// Wait for its next message, or free it if nothing refers to it.
    Rest(SlotKey),
    /// Refuse its messages, and forget it.
    GiveUp(SlotKey),
}

/// A reading of what an incarnation is doing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in super::super) struct Reading {
    /// Grows with each step that the incarnation takes.
    pub(in super::super) step: u32,
    /// It has nothing to do.
    pub(in super::super) is_idle: bool,
}
