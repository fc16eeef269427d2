//! The errors of sends, calls and inspections. A message that was not sent is in the error.

use std::error::Error;
use std::fmt;

use crate::carried::{Carried, CarriesValue};
use crate::exit::ExitReason;
use crate::target::Target;
use crate::type_names::ShortTypeName;

/// A message that was not sent, and its target.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unsent<M> {
    /// The message.
    pub message: M,
    /// The target actor and the type of the message.
    pub target: Target,
}

impl<M> Unsent<M> {
    pub(crate) const fn new(message: M, target: Target) -> Self {
        Self { message, target }
    }

    fn into_bare(self) -> Unsent<()> {
        Unsent::new((), self.target)
    }
}

impl<M> fmt::Debug for Unsent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Why a message was not sent or a permit was not granted, with the message.
///
/// The error of [`cast`](crate::Address::cast), [`send`](crate::Address::send),
/// [`try_reserve`](crate::Address::try_reserve) and [`reserve`](crate::Address::reserve). `cast`
/// and `try_reserve` return only the first two variants.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError<M> {
    /// The mailbox is full, and stayed full until the deadline of the send. It may have room again
    /// soon.
    Full(Unsent<M>),
    /// No incarnation is running and none is pending.
    Closed(Unsent<M>),
    /// The send would wait for its own caller: a handler would wait for room in the mailbox of its
    /// own actor, or an `init` for room in the mailbox of an actor that is not running and is
    /// started only after that `init` has returned.
    WouldDeadlock(Unsent<M>),
    /// The send has a deadline, but timers are not available: no tokio runtime, or one without
    /// `enable_time`.
    NoTimers(Unsent<M>),
}

impl<M> SendError<M> {
    /// Returns the message that was not sent.
    pub fn into_inner(self) -> M {
        self.into_unsent().message
    }

    /// Returns the target actor and the type of the message.
    pub const fn target(&self) -> &Target {
        match self {
            Self::Full(unsent)
            | Self::Closed(unsent)
            | Self::WouldDeadlock(unsent)
            | Self::NoTimers(unsent) => &unsent.target,
        }
    }

    fn into_unsent(self) -> Unsent<M> {
        match self {
            Self::Full(unsent)
            | Self::Closed(unsent)
            | Self::WouldDeadlock(unsent)
            | Self::NoTimers(unsent) => unsent,
        }
    }

    /// Returns the same error for another message.
    fn map<N>(self, other: impl FnOnce(Unsent<M>) -> Unsent<N>) -> SendError<N> {
        match self {
            Self::Full(unsent) => SendError::Full(other(unsent)),
            Self::Closed(unsent) => SendError::Closed(other(unsent)),
            Self::WouldDeadlock(unsent) => SendError::WouldDeadlock(other(unsent)),
            Self::NoTimers(unsent) => SendError::NoTimers(other(unsent)),
        }
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Full(_) => "Full",
            Self::Closed(_) => "Closed",
            Self::WouldDeadlock(_) => "WouldDeadlock",
            Self::NoTimers(_) => "NoTimers",
        };
        f.debug_tuple(kind).field(self.target()).finish()
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target();
        match self {
            Self::Full(_) => write!(f, "the mailbox of {target} is full")?,
            Self::Closed(_) => closed(f, target)?,
            Self::WouldDeadlock(_) => write!(f, "a send to {target} would deadlock")?,
            Self::NoTimers(_) => {
                write!(f, "a send with a deadline to {target} needs a tokio runtime with timers")?
            }
        }
        message_type(f, target)
    }
}

impl<M: 'static> Error for SendError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<M: 'static> CarriesValue for SendError<M> {
    type Bare = SendError<()>;

    fn into_bare(self) -> SendError<()> {
        self.map(Unsent::into_bare)
    }
}

impl SendError<()> {
    /// Returns the same error for a message for which no permit was granted.
    pub(super) fn with<N>(self, message: N) -> SendError<N> {
        self.map(|unsent| Unsent::new(message, unsent.target.with_message_type::<N>()))
    }
}

/// A [`Permit`](crate::Permit) did not send its message because the actor is closed. Contains the
/// message.
#[derive(Clone, Eq, PartialEq)]
pub struct ClosedError<M>(pub Unsent<M>);

impl<M> ClosedError<M> {
    /// Returns the message that was not sent.
    pub fn into_inner(self) -> M {
        self.0.message
    }
}

impl<M> fmt::Debug for ClosedError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClosedError").field(&self.0.target).finish()
    }
}

impl<M> fmt::Display for ClosedError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        closed(f, &self.0.target)?;
        message_type(f, &self.0.target)
    }
}

impl<M: 'static> Error for ClosedError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<M: 'static> CarriesValue for ClosedError<M> {
    type Bare = ClosedError<()>;

    fn into_bare(self) -> ClosedError<()> {
        ClosedError(self.0.into_bare())
    }
}

fn closed(f: &mut fmt::Formatter<'_>, target: &Target) -> fmt::Result {
    let state = if target.is_gone() { "has stopped and will not be restarted" } else { "is not running" };
    write!(f, "{target} {state}")
}

fn message_type(f: &mut fmt::Formatter<'_>, target: &Target) -> fmt::Result {
    write!(f, " (message type {})", ShortTypeName(target.message_type()))
}

/// Why a [`call`](crate::Address::call) has no answer, with the message if it was not sent.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum CallError<M> {
    /// The mailbox had no room before the timeout.
    NoRoom(Unsent<M>),
    /// No incarnation is running and none is pending.
    Closed(Unsent<M>),
    /// The call would wait for its own caller: an actor calls itself in a handler, or an `init`
    /// calls an actor that is not running and is started only after that `init` has returned.
    WouldDeadlock(Unsent<M>),
    /// The call has a timeout, but timers are not available: no tokio runtime, or one without
    /// `enable_time`.
    NoTimers(Unsent<M>),
    /// The call is [blocking](crate::Call::blocking) and was made in asynchronous code, whose
    /// runtime it would block.
    InAsyncContext(Unsent<M>),
    /// The message was sent. Then the actor ended, and it is restarted only after the `init` that
    /// waits for the answer has returned. The message stays queued for the next incarnation; its
    /// answer is dropped.
    Deadlock(Target),
    /// The message was sent and no answer came before the timeout. It may still be handled; its
    /// answer is dropped.
    TimedOut(Target),
    /// The message was sent and lost when its incarnation, or the whole actor, ended with this
    /// reason.
    Ended(ExitReason, Target),
    /// The message was sent and then evicted by the [`OverflowPolicy`](crate::OverflowPolicy) of
    /// the mailbox.
    Dropped(Target),
    /// The message was sent and its handler dropped the [`Reply`](crate::Reply) without an answer.
    ReplyDropped(Target),
}

impl<M> CallError<M> {
    /// Returns the message, if it was not sent.
    pub fn into_inner(self) -> Option<M> {
        match self {
            Self::NoRoom(unsent)
            | Self::Closed(unsent)
            | Self::WouldDeadlock(unsent)
            | Self::NoTimers(unsent)
            | Self::InAsyncContext(unsent) => Some(unsent.message),
            _ => None,
        }
    }

    /// Returns the target actor and the type of the message.
    pub const fn target(&self) -> &Target {
        match self {
            Self::NoRoom(unsent)
            | Self::Closed(unsent)
            | Self::WouldDeadlock(unsent)
            | Self::NoTimers(unsent)
            | Self::InAsyncContext(unsent) => &unsent.target,
            Self::Deadlock(target)
            | Self::TimedOut(target)
            | Self::Ended(_, target)
            | Self::Dropped(target)
            | Self::ReplyDropped(target) => target,
        }
    }

    /// Returns `true` if the message was not sent, so that the error carries it.
    const fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::NoRoom(_)
                | Self::Closed(_)
                | Self::WouldDeadlock(_)
                | Self::NoTimers(_)
                | Self::InAsyncContext(_)
        )
    }

    /// Returns the same error for another message.
    fn map<N>(self, other: impl FnOnce(Unsent<M>) -> Unsent<N>) -> CallError<N> {
        match self {
            Self::NoRoom(unsent) => CallError::NoRoom(other(unsent)),
            Self::Closed(unsent) => CallError::Closed(other(unsent)),
            Self::WouldDeadlock(unsent) => CallError::WouldDeadlock(other(unsent)),
            Self::NoTimers(unsent) => CallError::NoTimers(other(unsent)),
            Self::InAsyncContext(unsent) => CallError::InAsyncContext(other(unsent)),
            Self::Deadlock(target) => CallError::Deadlock(target),
            Self::TimedOut(target) => CallError::TimedOut(target),
            Self::Ended(reason, target) => CallError::Ended(reason, target),
            Self::Dropped(target) => CallError::Dropped(target),
            Self::ReplyDropped(target) => CallError::ReplyDropped(target),
        }
    }
}

impl<M> fmt::Debug for CallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::NoRoom(_) => "NoRoom",
            Self::Closed(_) => "Closed",
            Self::WouldDeadlock(_) => "WouldDeadlock",
            Self::NoTimers(_) => "NoTimers",
            Self::InAsyncContext(_) => "InAsyncContext",
            Self::Deadlock(_) => "Deadlock",
            Self::TimedOut(_) => "TimedOut",
            Self::Ended(reason, target) => {
                return f.debug_tuple("Ended").field(reason).field(target).finish();
            }
            Self::Dropped(_) => "Dropped",
            Self::ReplyDropped(_) => "ReplyDropped",
        };
        f.debug_tuple(kind).field(self.target()).finish()
    }
}

impl<M> fmt::Display for CallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target();
        match self {
            Self::NoRoom(_) => write!(f, "the mailbox of {target} had no room before the timeout")?,
            Self::Closed(_) => closed(f, target)?,
            Self::WouldDeadlock(_) | Self::Deadlock(_) => write!(f, "a call to {target} would deadlock")?,
            Self::NoTimers(_) => {
                write!(f, "a call to {target} with a timeout needs a tokio runtime with timers")?
            }
            Self::TimedOut(_) => write!(f, "{target} did not reply before the timeout")?,
            Self::InAsyncContext(_) => {
                write!(f, "a blocking call of {target} would block asynchronous code")?
            }
            Self::Ended(reason, _) => return ended(f, target, reason),
            Self::Dropped(_) => write!(f, "{target} dropped the message to make room for newer ones")?,
            Self::ReplyDropped(_) => write!(f, "{target} dropped the reply handle without a reply")?,
        }
        message_type(f, target)
    }
}

/// Writes the text of [`CallError::Ended`]. The reason comes last, because it may be long.
fn ended(f: &mut fmt::Formatter<'_>, target: &Target, reason: &ExitReason) -> fmt::Result {
    write!(f, "{target} ended")?;
    message_type(f, target)?;
    f.write_str(": ")?;
    fmt::Display::fmt(reason, f)
}

impl<M: 'static> Error for CallError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Ended(reason, _) => reason.error().map(|error| error as &(dyn Error + 'static)),
            _ if self.is_unsent() => Carried::by::<Self>(),
            _ => None,
        }
    }
}

impl<M: 'static> CarriesValue for CallError<M> {
    type Bare = CallError<()>;

    fn into_bare(self) -> CallError<()> {
        self.map(Unsent::into_bare)
    }
}

/// No incarnation is running: the actor is between two incarnations, or has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no incarnation of the actor is running")]
pub struct NoProcessError;

/// Why the state of an actor could not be inspected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// No incarnation is running, or it ended before the inspection.
    #[error("no incarnation of the actor is running")]
    NoProcess,
    /// The actor does not [offer](crate::Actor::debug_state) its state.
    #[error("the actor does not offer its state for inspection")]
    NotOffered,
    /// The state that the actor offers has another type.
    #[error("the state of the actor is not of type `{wanted}`")]
    WrongType {
        /// The requested type.
        wanted: &'static str,
    },
    /// The code that inspects the state panicked. The state is unchanged.
    #[error("the inspection of the state panicked")]
    Panicked,
}
