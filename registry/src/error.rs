//! The errors of names, keys and groups.

use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use perennial_actors::host::{Carried, CarriesValue, ShortTypeName};
use perennial_actors::{CallError, ExitReason, Pid, SendError};

/// The reason for which a name was not bound.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The name leads to another actor.
    #[error("the name {0:?} is already registered")]
    Taken(Cow<'static, str>),
    /// The actor has ended for good, so no hook would remove the binding.
    #[error("the actor to register as {0:?} has stopped and will not be restarted")]
    Ended(Cow<'static, str>),
}

/// The reason for which a lookup of a name failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The name is unbound.
    #[error("no actor is registered as {0:?}")]
    NotFound(Cow<'static, str>),
    /// The actor with this name has another message type.
    #[error("the actor registered as {name:?} has the message type {found}, not {wanted}")]
    WrongType {
        /// The name.
        name: Cow<'static, str>,
        /// The message type of the lookup.
        wanted: &'static str,
        /// The message type of the actor.
        found: &'static str,
    },
    /// No incarnation of the actor runs: it is being restarted, or its first one has not started.
    /// Only [`Whereis::whereis_alive`](crate::Whereis::whereis_alive) returns this.
    #[error("the actor registered as {name:?} has no running incarnation")]
    Restarting {
        /// The name.
        name: Cow<'static, str>,
        /// The reason for which the last incarnation ended, if the supervisor has published it.
        reason: Option<ExitReason>,
        /// The time from now until the supervisor starts the next incarnation. Zero means at once.
        retry_in: Option<Duration>,
    },
}

/// The reason for which waiting for a name failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The name was not bound before the timeout.
    #[error("no actor was registered as {0:?} before the timeout")]
    TimedOut(Cow<'static, str>),
    /// The name is unbound, and there are no timers to wait with: no tokio runtime, or one without
    /// `enable_time`.
    #[error("no actor is registered under the name, and there are no tokio timers to wait with")]
    NoTimers,
    /// The actor with this name has another message type.
    #[error("the actor registered as {name:?} has the message type {found}, not {wanted}")]
    WrongType {
        /// The name.
        name: Cow<'static, str>,
        /// The message type of the lookup.
        wanted: &'static str,
        /// The message type of the actor.
        found: &'static str,
    },
}

/// The reason for which a message was not sent to a name. It holds the message.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum NamedCastError<M> {
    /// The lookup of the name failed.
    Lookup(LookupError, M),
    /// The mailbox rejected the message.
    Send(SendError<M>),
}

impl<M> fmt::Debug for NamedCastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error, _) => f.debug_tuple("Lookup").field(error).finish_non_exhaustive(),
            Self::Send(error) => f.debug_tuple("Send").field(error).finish(),
        }
    }
}

impl<M> fmt::Display for NamedCastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error, _) => lookup_failed::<M>(f, error),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl<M: 'static> Error for NamedCastError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<M: 'static> CarriesValue for NamedCastError<M> {
    type Bare = NamedCastError<()>;

    fn into_bare(self) -> NamedCastError<()> {
        match self {
            Self::Lookup(error, _) => NamedCastError::Lookup(error, ()),
            Self::Send(error) => NamedCastError::Send(error.into_bare()),
        }
    }
}

/// The reason for which a call to a name has no reply.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum NamedCallError<M> {
    /// The lookup of the name failed.
    Lookup(LookupError),
    /// The call failed.
    Call(CallError<M>),
}

impl<M> fmt::Debug for NamedCallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error) => f.debug_tuple("Lookup").field(error).finish(),
            Self::Call(error) => f.debug_tuple("Call").field(error).finish(),
        }
    }
}

impl<M> fmt::Display for NamedCallError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error) => lookup_failed::<M>(f, error),
            Self::Call(error) => error.fmt(f),
        }
    }
}

impl<M: 'static> Error for NamedCallError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Lookup(_) => None,
            Self::Call(error) => error.source().and_then(|source| {
                // The call's error is not a source of its own, so the error that carries the
                // message is this one.
                if source.is::<Carried>() { Carried::by::<Self>() } else { Some(source) }
            }),
        }
    }
}

impl<M: 'static> CarriesValue for NamedCallError<M> {
    type Bare = NamedCallError<()>;

    fn into_bare(self) -> NamedCallError<()> {
        match self {
            Self::Lookup(error) => NamedCallError::Lookup(error),
            Self::Call(error) => NamedCallError::Call(error.into_bare()),
        }
    }
}

/// Prints a failed lookup. Adds the message type, unless the error contains it or the message was
/// removed from it.
fn lookup_failed<M>(f: &mut fmt::Formatter<'_>, error: &LookupError) -> fmt::Result {
    fmt::Display::fmt(error, f)?;
    match type_name::<M>() {
        "()" => Ok(()),
        _ if matches!(error, LookupError::WrongType { .. }) => Ok(()),
        name => write!(f, " (message type {})", ShortTypeName(name)),
    }
}

/// The reason for which a name was not handed over. The name leads to the same actor as before,
/// unless that has ended too.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandOverError {
    /// The name does not lead to the actor that was to hand it over.
    #[error("the name {0:?} is not registered to the actor that hands it over")]
    NotOwner(Cow<'static, str>),
    /// The new actor has ended for good.
    #[error("the actor to register as {0:?} has stopped and will not be restarted")]
    Ended(Cow<'static, str>),
    /// The new actor belongs to another system.
    #[error("the actor to register as {0:?} belongs to another system")]
    OtherSystem(Cow<'static, str>),
}

/// The reason for which a key was not registered. It holds the value.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RegisterError<V> {
    /// A running incarnation has the key. It may be the calling one.
    AlreadyRegistered {
        /// The incarnation.
        pid: Pid,
        /// The value.
        value: V,
    },
    /// The calling incarnation has ended: its mailbox was taken away from it.
    Ended(V),
}

impl<V> fmt::Display for RegisterError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered { pid, .. } => write!(f, "the key is already registered by {pid}"),
            Self::Ended(_) => f.write_str("the incarnation has ended"),
        }
    }
}

impl<V: fmt::Debug + 'static> Error for RegisterError<V> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<V: fmt::Debug + 'static> CarriesValue for RegisterError<V> {
    type Bare = RegisterError<()>;

    fn into_bare(self) -> RegisterError<()> {
        match self {
            Self::AlreadyRegistered { pid, .. } => RegisterError::AlreadyRegistered { pid, value: () },
            Self::Ended(_) => RegisterError::Ended(()),
        }
    }
}

/// The error of [`GroupHandle::join`](crate::GroupHandle::join): no incarnation of the actor runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no incarnation of the actor is running")]
pub struct GroupJoinError;

/// The error of [`GroupHandle::leave`](crate::GroupHandle::leave): the actor is not in the group.
/// OTP's `not_joined`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the actor is not in the group")]
pub struct NotJoinedError;
