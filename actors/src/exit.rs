//! Why an incarnation ended: typed reasons, from the handler that failed to every observer.
//!
//! The reasons are OTP's. `Normal`, `Shutdown` and `Ignore` are clean exits. Every other reason is
//! *abnormal*: it restarts a transient child. Observers see a kill as
//! [`Killed`](ExitReason::Killed).
//!
//! # Errors as reasons
//!
//! `?` turns every type that implements [`IntoExitReason`] into a reason: every error,
//! `anyhow::Error`, `Box<dyn Error + Send + Sync>`, `String` and `&str`. So `Err("text".into())`
//! and `Err(format!(..))?` compile. An [`ExitReason`] is not itself an [`Error`], because two
//! conversions would overlap then.
//!
//! ```
//! use perennial_actors::ExitReason;
//!
//! fn parse(text: &str) -> Result<u32, ExitReason> {
//!     if text.is_empty() {
//!         return Err("there is no number".into());
//!     }
//!     Ok(text.parse::<u32>()?)
//! }
//!
//! assert_eq!(parse("").unwrap_err(), ExitReason::failed("there is no number"));
//! let reason = parse("seven").unwrap_err();
//! assert!(reason.is_abnormal());
//! assert_eq!(reason.to_string(), "failed: invalid digit found in string");
//! ```
//!
//! # The source chain
//!
//! `{}` prints the error alone. `{:#}` prints it with all its sources: `a: b: c`. A source is not
//! printed again if the preceding text already ends with it. Log lines contain the whole chain.
//!
//! # Comparison
//!
//! Two reasons are equal if they are the same variant with the same content: the same note, the
//! same panic message and location, the same error text with the same chain of sources. The types
//! of the errors are not compared.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::carried::{Chain, without_values};
use crate::foreign::{Foreign, ignore_panic};

/// Why an incarnation ended, or why a target was not reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExitReason {
    /// The actor finished its work.
    #[default]
    Normal,
    /// The actor was stopped, or stopped itself, in an orderly way. The note is text for log
    /// readers.
    Shutdown(Option<Arc<str>>),
    /// `init` declined to start because there is nothing to do: OTP's `ignore`. Not a failure.
    ///
    /// Linked actors treat it as [`Normal`](Self::Normal), which is the reason that OTP sends them.
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, SpawnError, System};
    /// struct Mirror;
    ///
    /// impl Actor for Mirror {
    ///     type Msg = ();
    ///     /// The target, or `None` if there is nothing to mirror.
    ///     type Args = Option<String>;
    ///
    ///     async fn init(
    ///         target: &Option<String>,
    ///         _: &mut Context<Self>,
    ///     ) -> Result<Self, ExitReason> {
    ///         if target.is_some() { Ok(Self) } else { Err(ExitReason::Ignore) }
    ///     }
    /// # async fn handle(&mut self, _: (), _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let start = System::new().spawn::<Mirror>(None).await;
    /// assert!(matches!(start, Err(SpawnError::Failed(ExitReason::Ignore))));
    /// # }
    /// ```
    Ignore,
    /// The incarnation was killed, or its runtime was shut down.
    Killed,
    /// No incarnation was running: the target had already ended.
    NoProcess,
    /// The connection to the node of the target is lost.
    NoConnection,
    /// The start exceeded its timeout.
    StartTimedOut,
    /// The supervisor stopped it: a handler exceeded its deadline, or liveness probes went
    /// unanswered.
    Unresponsive,
    /// The code of the actor panicked.
    Panicked(Arc<Panic>),
    /// The code of the actor returned an error.
    Failed(ErrorReason),
}

impl ExitReason {
    /// Returns a [`Shutdown`](Self::Shutdown) without a note.
    #[must_use]
    pub const fn shutdown() -> Self {
        Self::Shutdown(None)
    }

    /// Returns a [`Shutdown`](Self::Shutdown) with a note for log readers.
    #[must_use]
    pub fn shutdown_with(note: impl Into<Arc<str>>) -> Self {
        Self::Shutdown(Some(note.into()))
    }

    /// Converts an error, or a plain message, into a [`Failed`](Self::Failed).
    ///
    /// The reason keeps the error, but not a value that an error of this crate gives back. A
    /// message that was not sent is dropped here, so a caller that waits for its reply is notified.
    /// `SendError<Msg>` becomes `SendError<()>`. An error that has such an error as a source
    /// becomes its text.
    #[must_use]
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(ErrorReason(Arc::new(Foreign::new(without_values(error.into())))))
    }

    /// Drops the reason. If nothing else holds its error, the error is dropped at once and not in a
    /// task of its own, for callers that may wait for a user's `Drop`.
    pub(crate) fn drop_here(self) {
        if let Self::Failed(ErrorReason(error)) = self {
            if let Some(error) = Arc::into_inner(error) {
                ignore_panic(|| drop(error.into_inner()));
            }
        }
    }

    /// Returns `true` unless this is [`Normal`](Self::Normal), [`Shutdown`](Self::Shutdown) or
    /// [`Ignore`](Self::Ignore).
    ///
    /// A transient child is restarted only after an abnormal exit, as in OTP.
    #[must_use]
    pub const fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown(_) | Self::Ignore)
    }

    /// Returns `true` for an abnormal exit that neither a kill nor a supervisor caused.
    ///
    /// The log has one warning line for such an exit. A reason that a supervisor sets, such as
    /// [`Unresponsive`](Self::Unresponsive), is logged by the supervisor instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::ExitReason;
    ///
    /// assert!(ExitReason::failed("no disk").is_crash());
    /// assert!(!ExitReason::Killed.is_crash());
    /// ```
    #[must_use]
    pub const fn is_crash(&self) -> bool {
        self.is_abnormal() && !matches!(self, Self::Killed | Self::StartTimedOut | Self::Unresponsive)
    }

    /// Returns the error of a [`Failed`](Self::Failed), with its own chain of sources.
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
            Self::Failed(failure) => {
                f.write_str("failed: ")?;
                fmt::Display::fmt(failure, f)
            }
        }
    }
}

/// An error or a text that `?` and `into()` convert into an [`ExitReason::Failed`].
///
/// Every type that converts into a `Box<dyn Error + Send + Sync>` implements it: each type that is
/// [`Error`]` + Send + Sync + 'static`, that box itself, `anyhow::Error`, `String`, `&str` and
/// `Cow<str>`.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// use perennial_actors::ExitReason;
///
/// fn read() -> Result<u32, Box<dyn Error + Send + Sync>> { Err("the file is empty".into()) }
/// fn check(n: u32) -> Result<u32, String> {
///     if n > 0 { Ok(n) } else { Err(format!("{n} is too small")) }
/// }
///
/// fn run() -> Result<u32, ExitReason> {
///     Ok(check(read()?)?)
/// }
///
/// assert_eq!(run(), Err(ExitReason::failed("the file is empty")));
/// ```
///
/// Observers in other threads share the error, so it must be `Send + Sync`. If it is not,
/// use its text:
///
/// ```
/// # use std::error::Error;
/// # use perennial_actors::ExitReason;
/// fn parse() -> Result<u32, Box<dyn Error>> { Err("no number".into()) }
///
/// fn run() -> Result<u32, ExitReason> {
///     Ok(parse().map_err(|error| error.to_string())?)
/// }
/// # assert!(run().is_err());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not convert into an `ExitReason`",
    label = "not an error that is `Send + Sync + 'static`: write `.map_err(|error| error.to_string())`",
    note = "`?` accepts each error that is `Send + Sync + 'static`, `anyhow::Error`, `String` and `&str`"
)]
pub trait IntoExitReason {
    /// Returns the exit reason.
    fn into_exit_reason(self) -> ExitReason;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error + Send + Sync>>> IntoExitReason for E {
    fn into_exit_reason(self) -> ExitReason {
        ExitReason::failed(self)
    }
}

impl<E: IntoExitReason> From<E> for ExitReason {
    fn from(error: E) -> Self {
        error.into_exit_reason()
    }
}

/// The error that ended an incarnation, shared by all observers of that exit.
///
/// The error is dropped in a task of its own, after the last observer drops its reason. Two are
/// equal if they are the same error, or if both print the same chain with `{:#}`.
#[derive(Clone)]
pub struct ErrorReason(Arc<Foreign<Box<dyn Error + Send + Sync>>>);

impl ErrorReason {
    fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &***self.0
    }

    /// Returns the error as an `E`, if it is one.
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
    /// Prints the error, with `{:#}` followed by its sources.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { Chain(self.error()).fmt(f) } else { fmt::Display::fmt(self.error(), f) }
    }
}

impl PartialEq for ErrorReason {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || Chain(self.error()).to_string() == Chain(other.error()).to_string()
    }
}

impl Eq for ErrorReason {}

/// The message of a panic, and its location if [`PanicLocations`](crate::PanicLocations) is
/// installed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Panic {
    /// The message of the panic. A payload that is not text has a fixed message that says so.
    pub message: String,
    /// `file:line:column` of the panic.
    pub location: Option<String>,
}

impl Panic {
    /// Returns the panic of an actor that ran elsewhere: on another node, or in another process.
    #[must_use]
    pub const fn elsewhere(message: String, location: Option<String>) -> Self {
        Self { message, location }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} (at {location})", self.message),
            None => f.write_str(&self.message),
        }
    }
}
