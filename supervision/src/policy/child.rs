//! What a supervisor is told of one child.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::backoff::Backoff;
use super::liveness::Liveness;

/// Which ends of a child call for a restart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Restart {
    /// Every end. The default, as in OTP, but for actors and tasks in a dynamic supervisor.
    #[default]
    Permanent,
    /// An abnormal end only. After any other it stays down, and can be started again by hand.
    ///
    /// The default of actors and tasks in a
    /// [`DynamicSupervisor`](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
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
    /// It handles what is queued, in order, before it stops. Killed if that takes longer than this.
    ///
    /// Meanwhile its mailbox refuses messages as if it was closed, and each comes back to its sender:
    /// see [`ActorHandle::drain`](perennial_actors::ActorHandle::drain).
    ///
    /// This is for a stop for good: [`App::shutdown`](crate::App::shutdown), a signal, and a request
    /// to terminate the child or a supervisor above it. In every other stop it is a
    /// [`Timeout`](Self::Timeout): a restart of the group or of a supervisor above loses nothing
    /// that is queued, and refuses nothing. If the supervisor was already on its way to such a
    /// restart, nothing drains either. A child that crashes while it drains is not restarted: the
    /// rest is dropped, and counted in the [`ShutdownReport`](crate::ShutdownReport).
    ///
    /// For a task, which has no mailbox, it is a `Timeout`. A ractor actor is stopped when what is
    /// queued in the mailbox of its child is handled; what it has in the queue of ractor is its
    /// own. For a pool see [`Pool::shutdown`](crate::pool::Pool::shutdown). A supervisor needs
    /// none: it waits for its children.
    Drain(Duration),
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
    /// Whether its ends are part of its work. Then no end counts for the intensity of its supervisor,
    /// but each start that fails in a restart does. After an end in order the next incarnation starts
    /// at once, after any other when its backoff has passed.
    pub(crate) renews: bool,
    /// Whether it is started at most once, because its arguments go with its first incarnation. It
    /// is temporary then.
    pub(crate) once: bool,
}

impl ChildPolicy {
    /// Returns this policy for a child that exists and has the policy `current`. What the child is
    /// does not change.
    pub(crate) fn of_existing(self, current: &Self) -> Self {
        let restart = if current.once { Restart::Temporary } else { self.restart };
        Self { kind: current.kind, once: current.once, restart, ..self }
    }
}
