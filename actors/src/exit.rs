//! Why an incarnation ended: typed reasons, from the handler that failed to whoever asks.
//!
//! The algebra is OTP's. `Normal`, `Shutdown` and `Ignore` are clean ends; everything else is *abnormal*, which is what
//! decides whether a transient child is restarted. A kill is seen by others as [`Killed`](ExitReason::Killed).
//!
//! An [`ExitReason`] is not itself an [`Error`], for the reason that `anyhow::Error` is not: only so can `?`
//! turn every error into one.
//!
//! ```
//! use perennial_actors::ExitReason;
//!
//! fn parse(text: &str) -> Result<u32, ExitReason> {
//!     Ok(text.parse::<u32>()?)
//! }
//!
//! let reason = parse("seven").unwrap_err();
//! assert!(reason.is_abnormal());
//! assert_eq!(reason.to_string(), "failed: invalid digit found in string");
//! ```

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::carried::without_values;
use crate::foreign::Foreign;

/// Why an incarnation ended, or why nothing answered.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ExitReason {
    /// It was done.
    #[default]
    Normal,
    /// It was told to stop, or stopped itself in good order; the note says more, for people.
    Shutdown(Option<Arc<str>>),
    /// Its init declined to start, because there is nothing for it to do: OTP's `ignore`. Not a failure.
    ///
    /// To whoever it is linked to this is as [`Normal`](Self::Normal), which is what they are told in OTP.
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, SpawnError, System};
    /// struct Mirror;
    ///
    /// impl Actor for Mirror {
    ///     type Msg = ();
    ///     /// Where to, if anywhere.
    ///     type Args = Option<String>;
    ///
    ///     async fn init(target: &Option<String>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         if target.is_some() { Ok(Self) } else { Err(ExitReason::Ignore) }
    ///     }
    /// #   async fn handle(&mut self, _: (), _: &mut Context<Self>) -> Result<(), ExitReason> { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let start = System::new().spawn::<Mirror>(None).await;
    /// assert!(matches!(start, Err(SpawnError::Failed(ExitReason::Ignore))));
    /// # }
    /// ```
    Ignore,
    /// It was killed, or its runtime went away.
    Killed,
    /// There was nobody: the target had ended before.
    NoProcess,
    /// The connection to the node of the target is lost.
    NoConnection,
    /// Its start took longer than it was allowed.
    StartTimedOut,
    /// Its supervisor found that it did not get on, and ended it: a handler was over its deadline, or probes were not
    /// answered.
    Unresponsive,
    /// Its code panicked.
    Panicked(Arc<Panic>),
    /// Its code returned an error.
    Failed(ErrorReason),
}

impl ExitReason {
    /// A [`Shutdown`](Self::Shutdown) without a note.
    #[must_use]
    pub const fn shutdown() -> Self {
        Self::Shutdown(None)
    }

    /// A [`Shutdown`](Self::Shutdown) with a note for people.
    #[must_use]
    pub fn shutdown_with(note: impl Into<Arc<str>>) -> Self {
        Self::Shutdown(Some(note.into()))
    }

    /// A [`Failed`](Self::Failed) of any error, or of a message alone.
    ///
    /// The reason keeps the error, but no value that an error of this crate gives back: a message that was not sent is dropped
    /// here, so that its caller is told. `SendError<Msg>` becomes `SendError<()>`. An error that has such an error as a
    /// source becomes its text.
    #[must_use]
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(ErrorReason(Arc::new(Foreign::new(without_values(error.into())))))
    }

    /// Whether this is anything but a clean end: not [`Normal`](Self::Normal), not [`Shutdown`](Self::Shutdown), not
    /// [`Ignore`](Self::Ignore).
    ///
    /// As OTP has it; a transient child is restarted after an abnormal end only.
    #[must_use]
    pub const fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown(_) | Self::Ignore)
    }

    /// The error behind a [`Failed`](Self::Failed), with its own chain of sources.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Self::Failed(failure) => Some(failure.error()),
            _ => None,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown(None) => f.write_str("shutdown"),
            Self::Shutdown(Some(note)) => write!(f, "shutdown: {note}"),
            Self::Ignore => f.write_str("ignore"),
            Self::Killed => f.write_str("killed"),
            Self::NoProcess => f.write_str("no process"),
            Self::NoConnection => f.write_str("no connection"),
            Self::StartTimedOut => f.write_str("the start timed out"),
            Self::Unresponsive => f.write_str("unresponsive"),
            Self::Panicked(panic) => write!(f, "panicked: {panic}"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ExitReason {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}

/// The error that ended an incarnation, shared by everybody who is told of it.
///
/// Its `Drop` runs when the last of them lets it go, in a task of its own.
#[derive(Clone)]
pub struct ErrorReason(Arc<Foreign<Box<dyn Error + Send + Sync>>>);

impl ErrorReason {
    fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &***self.0
    }

    /// The error as its own type, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error().downcast_ref()
    }
}

impl fmt::Debug for ErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.error(), f)
    }
}

impl fmt::Display for ErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.error(), f)
    }
}

/// What a panic said, and where, if a [`PanicLocations`](crate::PanicLocations) was listening.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Panic {
    /// The message of the panic; a payload that is no text is named as such.
    pub message: String,
    /// `file:line:column` of the panic.
    pub location: Option<String>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} (at {location})", self.message),
            None => f.write_str(&self.message),
        }
    }
}
