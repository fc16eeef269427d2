//! What a supervisor is told of one child.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::backoff::Backoff;
use super::liveness::Liveness;

/// Which ends of a child call for a restart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Restart {
    /// Every end. The default, as in OTP.
    #[default]
    Permanent,
    /// An abnormal end only. After any other it stays down, and can be started again by hand.
    Transient,
    /// None. When it ends, it is gone, and its spec with it.
    Temporary,
}

impl Restart {
    /// Whether a child that ended for `reason` is to be restarted. Asked before any strategy: a child that is not restarted
    /// never disturbs its siblings.
    #[must_use]
    pub const fn should_restart(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => reason.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

/// How a child is stopped.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shutdown {
    /// It is killed.
    BrutalKill,
    /// It is told to stop, and killed if it has not done so in time. Five seconds is the default, as in OTP.
    Timeout(Duration),
    /// It is told to stop, and waited for as long as it takes.
    Infinity,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Timeout(Duration::from_secs(5))
    }
}

/// What a child is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ChildKind {
    /// Something that works: an actor, or a task.
    #[default]
    Worker,
    /// A supervisor with children of its own.
    Supervisor,
}

/// All that a supervisor is told of how to treat a child, with every default filled in: OTP's `get_childspec`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ChildPolicy {
    /// What it is.
    pub kind: ChildKind,
    /// Which of its ends call for a restart.
    pub restart: Restart,
    /// Whether its own end, if it is not restarted, may end its supervisor: see [`AutoShutdown`](crate::AutoShutdown).
    pub significant: bool,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// How long its start may take; as long as it likes, if none.
    pub start_timeout: Option<Duration>,
    /// How long it has to wait for a restart; not at all, if none.
    pub backoff: Option<Arc<Backoff>>,
    /// How it is found to hang; never, if none.
    pub liveness: Option<Arc<Liveness>>,
    /// Whether an end in order is part of its work: the next incarnation starts at once, and no restart is counted.
    pub(crate) renews: bool,
}
