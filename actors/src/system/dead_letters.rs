//! Messages that were accepted and that nobody will handle.

use std::sync::Arc;

use crate::exit::ExitReason;
use crate::pid::Pid;

/// A message that was accepted and that nobody will handle.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The incarnation it was lost with, or the last one before it.
    pub target: Pid,
    /// Where the target stands in its tree, or its type.
    pub label: Arc<str>,
    /// The type of the message.
    pub message_type: &'static str,
    /// What happened.
    pub reason: DeadLetterReason,
}

/// Why a message is dead.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeadLetterReason {
    /// It was being handled when the incarnation ended so. It is not tried again: it may be what caused the end.
    InFlight(ExitReason),
    /// It waited when nobody was left to handle it, or in a mailbox that is discarded on restart.
    Unhandled(ExitReason),
    /// Its mailbox was full, and is set to drop what does not fit, or what it makes room with.
    Overflow,
}
