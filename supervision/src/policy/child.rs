//! The settings of one child.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::backoff::Backoff;
use super::liveness::Liveness;

/// Which exits of a child cause a restart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Restart {
    /// Every exit. The default, as in OTP.
    #[default]
    Permanent,
    /// An abnormal exit only. After any other exit the child stays stopped, and can be started
    /// again by request.
    Transient,
    /// No exit. The child is removed when it exits, together with its spec.
    Temporary,
}

impl Restart {
    /// Returns `true` if a child that exited for `reason` restarts. The supervisor checks this
    /// before it applies its strategy: a child that does not restart never affects its siblings.
    #[must_use]
    pub const fn should_restart(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => reason.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

/// How a supervisor stops a child.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shutdown {
    /// Kills the child at once.
    BrutalKill,
    /// Asks the child to stop, and kills it if it has not exited within this time. The default is 5
    /// seconds, as in OTP.
    Timeout(Duration),
    /// Asks the child to stop, and waits for its exit without a limit.
    Infinity,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Timeout(Duration::from_secs(5))
    }
}

/// The kind of a child.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ChildKind {
    /// An actor or a task.
    #[default]
    Worker,
    /// A supervisor with children of its own.
    Supervisor,
}

/// The settings of a child, with every default filled in. OTP's `get_childspec`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ChildPolicy {
    /// Whether it is a worker or a supervisor.
    pub kind: ChildKind,
    /// Which of its exits cause a restart.
    pub restart: Restart,
    /// Whether its exit may shut its supervisor down if it does not restart: see
    /// [`AutoShutdown`](crate::AutoShutdown).
    pub significant: bool,
    /// How its supervisor stops it.
    pub shutdown: Shutdown,
    /// The longest time that its start may take. `None` is no limit.
    pub start_timeout: Option<Duration>,
    /// The delay before its restarts. `None` is no delay.
    pub backoff: Option<Arc<Backoff>>,
    /// How its supervisor detects that it is unresponsive. `None` disables the checks.
    pub liveness: Option<Arc<Liveness>>,
    /// Whether a normal exit is a part of its work: the next incarnation starts at once, and no
    /// restart is counted.
    pub(crate) renews: bool,
}
