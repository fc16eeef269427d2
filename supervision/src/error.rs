//! What can go wrong with a tree.

use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::sync::Arc;

use perennial_actors::host::{Carried, CarriesValue};
use perennial_actors::{ExitReason, Pid};

use crate::node::OpenError;
use crate::spec::{ChildSpec, SpecError};

/// Why a tree did not start. Nothing of it runs: what had started was stopped again, in reverse order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime here to run it.
    NoRuntime,
    /// The runtime here has no timers: it was built without `enable_time`.
    NoTimers,
    /// The spec is wrong.
    Spec(SpecError),
    /// Something below could not be opened: its name is taken.
    Open(OpenError),
    /// It did not come up: a child failed, or it was stopped meanwhile.
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

/// Why a tree ended that has a ractor parent, if its end was abnormal: the error of the event that the parent is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TreeEndedError {
    /// The reason with which the root ended.
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

/// Prints a text and the reason behind it; with `{:#}` the reason with all its sources.
fn with_reason(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>, reason: &ExitReason) -> fmt::Result {
    write!(f, "{text}: ")?;
    fmt::Display::fmt(reason, f)
}

fn not_started(reason: &ExitReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    with_reason(f, format_args!("the child did not start"), reason)
}

/// The number of errors in a chain of supervisors that did not start.
const LONGEST_CHAIN: usize = 32;

/// Why a supervisor did not start: one of its children did not. The error in its [`ExitReason::Failed`].
///
/// If that child is a supervisor itself, its reason is such an error too, and so on. A chain of
/// more than 32 is shortened: it has the child of the highest supervisor and those of the 31
/// lowest.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChildFailedError {
    /// The child's id.
    pub child: Arc<str>,
    /// Why it did not start.
    pub reason: ExitReason,
}

impl ChildFailedError {
    pub(crate) fn new(child: Arc<str>, reason: ExitReason) -> Self {
        let below = successors(Self::of(&reason), |failed| Self::of(&failed.reason));
        let next = if below.count() < LONGEST_CHAIN { None } else { Self::of(&reason) };
        let shortened = next.map(|failed| failed.reason.clone());
        Self { child, reason: shortened.unwrap_or(reason) }
    }

    /// Returns the error in a reason, if it is such an error.
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

/// Why something was not done with a child.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The supervisor has no such child.
    #[error("the supervisor has no such child")]
    NotFound,
    /// The child runs.
    #[error("the child is running")]
    Running,
    /// The child is being restarted.
    #[error("the child is being restarted")]
    Restarting,
    /// The child did not start. It stays down.
    #[error(fmt = not_started)]
    StartFailed(ExitReason),
    /// The supervisor is on its way out, or gone.
    #[error("the supervisor has ended or is shutting down")]
    ShuttingDown,
}

/// A child that was not started. The spec comes back; the supervisor has not kept it.
///
/// An [`ExitReason`] that is made of it drops the spec, and keeps a [`ChildNotStarted`].
#[derive(Debug)]
pub struct StartChildError {
    /// Why.
    pub kind: StartChildErrorKind,
    /// The spec, to be started another time or elsewhere.
    pub child: ChildSpec,
}

/// Why a supervisor did not start a child that it was given.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartChildErrorKind {
    /// It has a child of this id, and that has an incarnation.
    #[error("a child with this id is already running as {0}")]
    AlreadyStarted(Pid),
    /// It has a child of this id, which is stopped, or is being restarted.
    #[error("a child with this id already exists")]
    AlreadyPresent,
    /// It has as many children as it may have; those that are being restarted count.
    #[error("the supervisor has as many children as its maximum")]
    MaxChildren,
    /// The spec is wrong.
    #[error(transparent)]
    Spec(SpecError),
    /// Its name is taken.
    #[error(transparent)]
    Open(OpenError),
    /// It failed, or was stopped meanwhile.
    #[error(fmt = not_started)]
    Failed(ExitReason),
    /// The supervisor is on its way out, or gone.
    #[error("the supervisor has ended or is shutting down")]
    ShuttingDown,
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

/// A child that was to be [started once](crate::Child::once) and was not. The supervisor has not
/// kept it.
///
/// An [`ExitReason`] that is made of it drops the arguments, and keeps a [`ChildNotStarted`].
#[non_exhaustive]
pub struct StartOnceError<T> {
    /// The id of the child.
    pub id: Arc<str>,
    /// Why the child was not started.
    pub kind: StartChildErrorKind,
    /// The arguments, unless the init has taken them.
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

/// A [`StartChildError`] without the spec: what an [`ExitReason`] keeps of it.
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

/// Why a supervisor did not take over another spec. It goes on by the one that it has.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The spec is wrong.
    #[error(transparent)]
    Spec(SpecError),
    /// The supervisor is on its way out, or gone.
    #[error("the supervisor has ended or is shutting down")]
    ShuttingDown,
}
