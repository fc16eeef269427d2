//! Dead letters: messages that were accepted and will not be handled.

use std::sync::Arc;

use crate::exit::ExitReason;
use crate::pid::Pid;

/// A message that was accepted and will not be handled.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The incarnation that lost it, or the last incarnation before the loss.
    pub target: Pid,
    /// The path of the target in its tree, or its type.
    pub label: Arc<str>,
    /// The type of the message.
    pub message_type: &'static str,
    /// Why it will not be handled.
    pub reason: DeadLetterReason,
    /// The number of the letter, if the actor [keeps](crate::Address::keep_dead_letters) such
    /// letters. A copy of the message may be kept under it.
    pub number: Option<u64>,
}

/// Why a message became a dead letter.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeadLetterReason {
    /// It was in flight when the incarnation ended with this reason. It is not retried, because it
    /// may have caused the exit.
    InFlight(ExitReason),
    /// It was queued when the actor was closed with this reason, or when the mailbox was discarded
    /// on restart.
    Unhandled(ExitReason),
    /// Its mailbox was full, and the [`OverflowPolicy`](crate::OverflowPolicy) dropped this
    /// message.
    Overflow,
}
