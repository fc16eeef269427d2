//! Errors of trees and of management requests.

use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::sync::Arc;

use perennial_actors::host::{Carried, CarriesValue};
use perennial_actors::{ExitReason, Pid};

use crate::engine::RequestError;
use crate::node::OpenError;
use crate::spec::{ChildSpec, SpecError};

/// The reason why a tree did not start. No part of it runs: children that had started were stopped
/// again, in reverse order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StartError {
    /// The caller is not inside a tokio runtime.
    NoRuntime,
    /// The tokio runtime was built without `enable_time`.
    NoTimers,
    /// The spec is invalid.
    Spec(SpecError),
    /// A mailbox of the tree could not be opened: its name is taken.
    Open(OpenError),
    /// A child did not start, or the tree was stopped meanwhile.
    Failed(ExitReason),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => f.write_str("not inside a tokio runtime"),
            Self::NoTimers => f.write_str("the tokio runtime was built without enable_time"),
            Self::Spec(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Failed(reason) => with_reason(f, format_args!("the tree did not start"), reason),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(reason) => reason.error().map(|error| error as &(dyn Error + 'static)),
            Self::NoRuntime | Self::NoTimers | Self::Spec(_) | Self::Open(_) => None,
        }
    }
}

/// The abnormal end of a tree below a ractor actor. It is the error of the event that the ractor
/// actor receives.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TreeEndedError {
    /// The exit reason of the root.
    pub reason: ExitReason,
}

impl fmt::Display for TreeEndedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_reason(f, format_args!("the tree ended"), &self.reason)
    }
}

impl Error for TreeEndedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.error().map(|error| error as &(dyn Error + 'static))
    }
}

/// Writes a text and the reason behind it; with `{:#}` the reason with all its sources.
fn with_reason(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>, reason: &ExitReason) -> fmt::Result {
    write!(f, "{text}: ")?;
    fmt::Display::fmt(reason, f)
}

fn not_started(reason: &ExitReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    with_reason(f, format_args!("the child did not start"), reason)
}

/// The maximum number of errors in a chain of nested supervisors that did not start.
const LONGEST_CHAIN: usize = 32;

/// The error of a supervisor that did not start because one of its children did not. It is the
/// error in the supervisor's [`ExitReason::Failed`].
///
/// If that child is a supervisor itself, its reason contains such an error too, and so on. A chain
/// of more than 32 is shortened: it keeps the child of the highest supervisor and those of the 31
/// lowest.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChildFailedError {
    /// The id of the child.
    pub child: Arc<str>,
    /// The reason why the child did not start.
    pub reason: ExitReason,
}

impl ChildFailedError {
    pub(crate) fn new(child: Arc<str>, reason: ExitReason) -> Self {
        let below = successors(Self::of(&reason), |failed| Self::of(&failed.reason));
        let next = if below.count() < LONGEST_CHAIN { None } else { Self::of(&reason) };
        let shortened = next.map(|failed| failed.reason.clone());
        Self { child, reason: shortened.unwrap_or(reason) }
    }

    /// Returns the error of this type in a reason, if there is one.
    fn of(reason: &ExitReason) -> Option<&Self> {
        reason.error()?.downcast_ref()
    }
}

impl fmt::Display for ChildFailedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_reason(f, format_args!("child {:?} did not start", self.child), &self.reason)
    }
}

impl Error for ChildFailedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.error().map(|error| error as &(dyn Error + 'static))
    }
}

/// The reason why a request about a child failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The supervisor has no such child.
    #[error("the supervisor has no such child")]
    NotFound,
    /// The child is running.
    #[error("the child is running")]
    Running,
    /// The child is being restarted.
    #[error("the child is being restarted")]
    Restarting,
    /// The child did not start. It stays stopped.
    #[error(fmt = not_started)]
    StartFailed(ExitReason),
    /// The child was started as often as its [start limit](crate::Child::start_limit) allows within
    /// its interval. [`reset_failed`](crate::SupervisorHandle::reset_failed) forgets its starts.
    #[error("the child was started as often as its start limit allows")]
    StartLimitHit,
    /// The supervisor has ended or is shutting down.
    #[error("the supervisor has ended or is shutting down")]
    ShuttingDown,
}

impl From<RequestError> for ChildError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Running(_) | RequestError::AlreadyStarted(_) => Self::Running,
            RequestError::Restarting | RequestError::AlreadyPresent => Self::Restarting,
            RequestError::StartFailed(reason) => Self::StartFailed(reason),
            RequestError::StartLimitHit => Self::StartLimitHit,
            RequestError::ShuttingDown => Self::ShuttingDown,
            // Requests for one child have no other refusals.
            RequestError::NotFound | RequestError::MaxChildren | RequestError::HandlerDeadlineOfTask(_) => {
                Self::NotFound
            }
        }
    }
}

/// The error of a child that was not started. It gives the spec back; the supervisor has not kept
/// it.
///
/// Converted into an [`ExitReason`], it drops the spec and keeps a [`ChildNotStarted`].
#[derive(Debug)]
pub struct StartChildError {
    /// The reason why the child was not started.
    pub kind: StartChildErrorKind,
    /// The spec. It can be started again.
    pub child: ChildSpec,
}

/// The reason why a supervisor did not start a new child.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartChildErrorKind {
    /// A child with this id exists and has this incarnation.
    #[error("a child with this id is already running as {0}")]
    AlreadyStarted(Pid),
    /// A child with this id exists, and is stopped or being restarted.
    #[error("a child with this id already exists")]
    AlreadyPresent,
    /// The supervisor has its maximum number of children. Children that are being restarted count.
    #[error("the supervisor has as many children as its maximum")]
    MaxChildren,
    /// The spec is invalid.
    #[error(transparent)]
    Spec(SpecError),
    /// The name of the child is taken.
    #[error(transparent)]
    Open(OpenError),
    /// The child did not start, or was stopped meanwhile.
    #[error(fmt = not_started)]
    Failed(ExitReason),
    /// The supervisor has ended or is shutting down.
    #[error("the supervisor has ended or is shutting down")]
    ShuttingDown,
}

impl StartChildErrorKind {
    /// Converts an error of a supervisor, with the latest incarnation of a child that exists.
    pub(crate) fn new(error: RequestError, pid: Option<Pid>) -> Self {
        match error {
            RequestError::StartFailed(reason) => {
                match reason.error().and_then(|error| error.downcast_ref::<OpenError>()) {
                    Some(error) => Self::Open(error.clone()),
                    None => Self::Failed(reason),
                }
            }
            RequestError::MaxChildren => Self::MaxChildren,
            RequestError::HandlerDeadlineOfTask(id) => Self::Spec(SpecError::HandlerDeadlineOfTask { id }),
            RequestError::ShuttingDown | RequestError::NotFound => Self::ShuttingDown,
            RequestError::Running(_)
            | RequestError::AlreadyStarted(_)
            | RequestError::AlreadyPresent
            | RequestError::StartLimitHit
            | RequestError::Restarting => pid.map_or(Self::AlreadyPresent, Self::AlreadyStarted),
        }
    }
}

impl fmt::Display for StartChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child {:?}: ", self.child.id())?;
        fmt::Display::fmt(&self.kind, f)
    }
}

impl Error for StartChildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl CarriesValue for StartChildError {
    type Bare = ChildNotStarted;

    fn into_bare(self) -> ChildNotStarted {
        ChildNotStarted { id: self.child.id.clone(), kind: self.kind }
    }
}

/// The error of a child that is [started once](crate::Child::once) and was not started. The
/// supervisor has not kept it.
///
/// Converted into an [`ExitReason`], it drops the arguments and keeps a [`ChildNotStarted`].
#[non_exhaustive]
pub struct StartOnceError<T> {
    /// The id of the child.
    pub id: Arc<str>,
    /// Why the child was not started.
    pub kind: StartChildErrorKind,
    /// The arguments, unless the `init` has taken them.
    pub args: Option<T>,
}

impl<T> fmt::Debug for StartOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartOnceError")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("has_args", &self.args.is_some())
            .finish()
    }
}

impl<T> fmt::Display for StartOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child {:?}: {}", self.id, self.kind)
    }
}

impl<T: 'static> Error for StartOnceError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<T: 'static> CarriesValue for StartOnceError<T> {
    type Bare = ChildNotStarted;

    fn into_bare(self) -> ChildNotStarted {
        ChildNotStarted { id: self.id, kind: self.kind }
    }
}

/// A [`StartChildError`] without the spec, as an [`ExitReason`] keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChildNotStarted {
    /// The id of the child.
    pub id: Arc<str>,
    /// The reason why the child was not started.
    pub kind: StartChildErrorKind,
}

impl fmt::Display for ChildNotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child {:?}: ", self.id)?;
        fmt::Display::fmt(&self.kind, f)
    }
}

impl Error for ChildNotStarted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            StartChildErrorKind::Failed(reason) => {
                reason.error().map(|error| error as &(dyn Error + 'static))
            }
            _ => None,
        }
    }
}

/// The reason why a supervisor did not accept a new spec. It keeps its current one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The spec is invalid.
    #[error(transparent)]
    Spec(SpecError),
    /// The supervisor has ended or is shutting down.
    #[error("the supervisor has ended or is shutting down")]
    ShuttingDown,
}

impl From<RequestError> for ChangeError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::HandlerDeadlineOfTask(id) => Self::Spec(SpecError::HandlerDeadlineOfTask { id }),
            _ => Self::ShuttingDown,
        }
    }
}
