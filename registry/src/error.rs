//! What can go wrong with names, keys and groups.

use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use perennial_actors::host::{Carried, CarriesValue, ShortTypeName};
use perennial_actors::{CallError, ExitReason, SendError};

/// Why a name was not bound.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// It leads to another actor.
    #[error("the name {0:?} is already registered")]
    Taken(Cow<'static, str>),
    /// The actor has ended for good, so that nothing would give the name back.
    #[error("the actor to register as {0:?} has stopped and will not be restarted")]
    Ended(Cow<'static, str>),
}

/// Why a name leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No actor has it.
    #[error("no actor is registered as {0:?}")]
    NotFound(Cow<'static, str>),
    /// The actor that has it takes messages of another type.
    #[error("the actor registered as {name:?} has the message type {found}, not {wanted}")]
    WrongType {
        /// The name.
        name: Cow<'static, str>,
        /// The messages of the lookup.
        wanted: &'static str,
        /// The messages of the actor.
        found: &'static str,
    },
    /// No incarnation of the actor that has it lives: it is between two, or the first has not begun. Only for those who ask for one that
    /// lives.
    #[error("the actor registered as {name:?} has no running incarnation")]
    Restarting {
        /// The name.
        name: Cow<'static, str>,
        /// Why the incarnation before has ended, if its supervisor has said so.
        reason: Option<ExitReason>,
        /// When its supervisor begins the next one, counted from now: at once if zero.
        retry_in: Option<Duration>,
    },
}

/// Why it was not worth to wait for a name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// No actor got it in time.
    #[error("no actor was registered as {0:?} before the timeout")]
    TimedOut(Cow<'static, str>),
    /// No actor has it, and there are no timers here to wait by: no tokio runtime, or one without `enable_time`.
    #[error("no actor is registered under the name, and there are no tokio timers to wait with")]
    NoTimers,
    /// The actor that has it takes messages of another type.
    #[error("the actor registered as {name:?} has the message type {found}, not {wanted}")]
    WrongType {
        /// The name.
        name: Cow<'static, str>,
        /// The messages of the lookup.
        wanted: &'static str,
        /// The messages of the actor.
        found: &'static str,
    },
}

/// Why a message was not sent through a name. It comes back.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum NamedCastError<M> {
    /// The name leads nowhere, or elsewhere.
    Lookup(LookupError, M),
    /// The mailbox did not take it.
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

/// Why a call through a name has no answer.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum NamedCallError<M> {
    /// The name leads nowhere, or elsewhere.
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
                // The error of the call is no source of its own: what carries its message is this one.
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

/// Prints a failed lookup, and the type of the message unless the error has it or has lost it.
fn lookup_failed<M>(f: &mut fmt::Formatter<'_>, error: &LookupError) -> fmt::Result {
    fmt::Display::fmt(error, f)?;
    match type_name::<M>() {
        "()" => Ok(()),
        _ if matches!(error, LookupError::WrongType { .. }) => Ok(()),
        name => write!(f, " (message type {})", ShortTypeName(name)),
    }
}

/// Why a name was not handed over. It leads where it led, unless that has ended too.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandOverError {
    /// It does not lead to the actor that was to give it.
    #[error("the name {0:?} is not registered to the actor that hands it over")]
    NotOwner(Cow<'static, str>),
    /// The actor that was to have it has ended for good.
    #[error("the actor to register as {0:?} has stopped and will not be restarted")]
    Ended(Cow<'static, str>),
    /// The actor that was to have it belongs to another system.
    #[error("the actor to register as {0:?} belongs to another system")]
    OtherSystem(Cow<'static, str>),
}
