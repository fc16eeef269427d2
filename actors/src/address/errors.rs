//! What can go wrong on the way to an actor. One small type per operation; what was not sent comes back in it.

use std::error::Error;
use std::fmt;

use crate::exit::ExitReason;

/// Why [`cast`](crate::Address::cast) did not send a message, with the message.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum SendError<M> {
    /// The mailbox is full. It may have room again soon.
    Full(M),
    /// Nobody serves the actor and nobody is due to.
    Closed(M),
}

impl<M> SendError<M> {
    /// The message that was not sent.
    pub fn into_inner(self) -> M {
        match self {
            Self::Full(message) | Self::Closed(message) => message,
        }
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the mailbox is full",
            Self::Closed(_) => CLOSED,
        })
    }
}

impl<M> Error for SendError<M> {}

/// Why [`send`](crate::Address::send) did not send a message: nobody serves the actor and nobody is due to. With the message.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Closed<M>(pub M);

impl<M> fmt::Debug for Closed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed(..)")
    }
}

impl<M> fmt::Display for Closed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl<M> Error for Closed<M> {}

const CLOSED: &str = "the actor has ended for good";

/// Why a [`call`](crate::Address::call) has no answer; with the message if it was not sent.
#[derive(Clone)]
#[non_exhaustive]
pub enum CallError<M> {
    /// The mailbox had no room within the time that the call was given.
    NoRoom(M),
    /// Nobody serves the actor and nobody is due to.
    Closed(M),
    /// The message was sent, and no answer came in time. It may still be handled; nobody will see the answer.
    TimedOut,
    /// The message was sent, and went down with the incarnation that ended so, or with the mailbox.
    Ended(ExitReason),
    /// The message was sent, and dropped to make room for newer ones: the mailbox is [set so](crate::Overflow).
    Dropped,
    /// The message was sent, and its handler dropped the [`Reply`](crate::Reply) without an answer.
    ReplyDropped,
}

impl<M> CallError<M> {
    /// The message, if it was not sent.
    pub fn into_inner(self) -> Option<M> {
        match self {
            Self::NoRoom(message) | Self::Closed(message) => Some(message),
            Self::TimedOut | Self::Ended(_) | Self::Dropped | Self::ReplyDropped => None,
        }
    }
}

impl<M> fmt::Debug for CallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom(_) => f.write_str("NoRoom(..)"),
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Ended(reason) => f.debug_tuple("Ended").field(reason).finish(),
            Self::Dropped => f.write_str("Dropped"),
            Self::ReplyDropped => f.write_str("ReplyDropped"),
        }
    }
}

impl<M> fmt::Display for CallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom(_) => f.write_str("the mailbox had no room in time"),
            Self::Closed(_) => f.write_str(CLOSED),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Ended(reason) => write!(f, "the actor ended: {reason}"),
            Self::Dropped => f.write_str("the message was dropped to make room for newer ones"),
            Self::ReplyDropped => f.write_str("the actor dropped the reply"),
        }
    }
}

impl<M> Error for CallError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Ended(reason) => reason.error().map(|error| error as &(dyn Error + 'static)),
            _ => None,
        }
    }
}

/// There is no incarnation that a stop or a kill could reach: the actor is between two of them, or has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no incarnation of the actor lives")]
pub struct NoProcess;

/// Why the state of an actor could not be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// No incarnation lives, or it ended before it was looked at.
    #[error("no incarnation of the actor lives")]
    NoProcess,
    /// The actor does not [offer](crate::Actor::debug_state) its state.
    #[error("the actor does not offer its state")]
    NotOffered,
    /// The state that it offers is of another type.
    #[error("the state is not a `{wanted}`")]
    WrongType {
        /// The type that was asked for.
        wanted: &'static str,
    },
    /// What was to look at it panicked. The state is as it was.
    #[error("what was to look at the state panicked")]
    Panicked,
}
