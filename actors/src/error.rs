//! Why an actor did not start, and why there is no timer.

use std::error::Error;
use std::fmt;

use crate::carried::{Carried, CarriesValue};
use crate::exit::ExitReason;

/// Tokio timers are not available: no tokio runtime, or one that was built without `enable_time`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no tokio timers: outside a tokio runtime, or the runtime was built without enable_time")]
pub struct NoTimers;

/// Why an incarnation could not attach.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The identity is not open.
    #[error("the mailbox of the actor is not open")]
    Closed,
    /// The previous incarnation is still attached.
    #[error("another incarnation of the actor is running")]
    AlreadyAttached,
}

/// Why an actor did not start.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The caller is not inside a tokio runtime.
    #[error("not inside a tokio runtime")]
    NoRuntime,
    /// The mailbox was configured with a capacity of zero.
    #[error("the mailbox of the actor has a capacity of zero")]
    ZeroCapacity,
    /// The identity cannot start another incarnation now.
    #[error(transparent)]
    NotOpen(#[from] AttachError),
    /// `init` failed, panicked or was stopped, or the actor ended before it was
    /// [ready](crate::Context::ready).
    #[error(fmt = not_started)]
    Failed(ExitReason),
}

fn not_started(reason: &ExitReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the actor did not start: ")?;
    fmt::Display::fmt(reason, f)
}

/// Why an actor was not [started once](crate::System::spawn_once), with its arguments.
///
/// Its conversion into an [`ExitReason`] keeps the kind and drops the arguments.
#[non_exhaustive]
pub struct SpawnOnceError<T> {
    /// Why the actor did not start.
    pub kind: SpawnError,
    /// The arguments, unless `init` has taken them or the runtime was shut down.
    pub args: Option<T>,
}

impl<T> fmt::Debug for SpawnOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnOnceError")
            .field("kind", &self.kind)
            .field("has_args", &self.args.is_some())
            .finish()
    }
}

impl<T> fmt::Display for SpawnOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl<T: 'static> Error for SpawnOnceError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<T: 'static> CarriesValue for SpawnOnceError<T> {
    type Bare = SpawnError;

    fn into_bare(self) -> SpawnError {
        self.kind
    }
}
