//! What can go wrong with a tree.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use perennial_actors::ExitReason;

use crate::node::OpenError;
use crate::spec::SpecError;

/// Why a tree did not start. Nothing of it runs: what had started was stopped again, in reverse order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime here to run it.
    NoRuntime,
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
            Self::NoRuntime => f.write_str("there is no tokio runtime here"),
            Self::Spec(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Failed(reason) => write!(f, "the tree did not start: {reason}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(reason) => reason.error().map(|error| error as &(dyn Error + 'static)),
            Self::NoRuntime | Self::Spec(_) | Self::Open(_) => None,
        }
    }
}

/// Why a supervisor did not start: one of its children did not. The error in its [`ExitReason::Failed`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChildFailed {
    /// The child's id.
    pub child: Arc<str>,
    /// Why it did not start.
    pub reason: ExitReason,
}

impl fmt::Display for ChildFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child {:?} did not start: {}", self.child, self.reason)
    }
}

impl Error for ChildFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.error().map(|error| error as &(dyn Error + 'static))
    }
}

/// Why a child was not stopped or started by hand.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The supervisor has no child of this id.
    #[error("there is no such child")]
    NotFound,
    /// The child runs.
    #[error("the child runs")]
    Running,
    /// The child is being restarted.
    #[error("the child is being restarted")]
    Restarting,
    /// The child did not start. It stays down.
    #[error("the child did not start: {0}")]
    StartFailed(ExitReason),
    /// The supervisor is on its way out, or gone.
    #[error("the supervisor is gone or on its way out")]
    ShuttingDown,
}
