//! The settings of one child.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::backoff::Backoff;
use super::condition::RestartCondition;
use super::liveness::Liveness;
use super::start_limit::StartLimit;

/// Which exits of a child cause a restart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Restart {
    /// Every exit. The default, as in OTP, except for actors and tasks in a dynamic supervisor.
    #[default]
    Permanent,
    /// An abnormal exit only. After any other exit the child stays stopped, and can be started
    /// again by request.
    ///
    /// The default of actors and tasks in a
    /// [`DynamicSupervisor`](crate::DynamicSupervisor#choosing-restart-types-and-intensity).
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
    /// Lets the child handle its queued messages in order before it stops, and kills it if it has
    /// not exited within this time.
    ///
    /// Meanwhile the mailbox refuses messages like a closed one, and each comes back to its sender:
    /// see [`ActorHandle::drain`](perennial_actors::ActorHandle::drain).
    ///
    /// Only a final stop drains: [`App::shutdown`](crate::App::shutdown), a signal, and a request
    /// to terminate the child or a supervisor above it. Every other stop is a
    /// [`Timeout`](Self::Timeout): a restart of the group or of a supervisor above loses no queued
    /// message and refuses none. If the supervisor was already stopping for such a restart, nothing
    /// drains either. A child that crashes while it drains is not restarted: the remaining messages
    /// are dropped and counted in the [`ShutdownReport`](crate::ShutdownReport).
    ///
    /// For a task, which has no mailbox, this is a `Timeout`. A ractor actor is stopped when it has
    /// handled the messages in the mailbox of its child. Messages in ractor's own queue do not
    /// count. For a pool see [`Pool::shutdown`](crate::pool::Pool::shutdown). A supervisor needs no
    /// drain: it waits for its children.
    Drain(Duration),
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
    /// The kind of the child: worker or supervisor.
    pub kind: ChildKind,
    /// Which of its exits cause a restart.
    pub restart: Restart,
    /// `true` if its exit may shut its supervisor down when it does not restart: see
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
    /// How many starts within an interval it has before it ends as failed. `None` is no limit.
    pub start_limit: Option<Arc<StartLimit>>,
    /// The delays between its first starts while they fail. `None` fails the start of its
    /// supervisor.
    pub retry_start: Option<Arc<Backoff>>,
    /// The condition that decides in place of the restart type.
    pub(crate) restart_if: Option<RestartCondition>,
    /// `true` if its exits are a part of its work. No exit counts for the intensity of its
    /// supervisor, but each start that fails in a restart does. After a normal exit the next
    /// incarnation starts at once, after any other exit when its backoff has passed.
    pub(crate) renews: bool,
    /// `true` if it is started at most once, because its first incarnation consumes its arguments.
    /// Such a child is temporary.
    pub(crate) once: bool,
    /// `true` if it stops before all siblings without this flag, wherever it is in the start order:
    /// children that are added later stop after it.
    pub(crate) stops_first: bool,
    /// `true` if it belongs to the spec of its supervisor from its first start on, even if it is
    /// added at runtime: later incarnations of the supervisor start it too.
    pub(crate) joins_spec: bool,
    /// `true` if it is a task. It has no handlers, and so must not have a handler deadline.
    pub(crate) is_task: bool,
}

impl ChildPolicy {
    /// Sets the restart type, which replaces a condition.
    pub(crate) fn set_restart(&mut self, restart: Restart) {
        (self.restart, self.restart_if) = (restart, None);
    }

    /// Sets a condition, which decides in place of the restart type. A child that does not restart
    /// then stays as a stopped one.
    pub(crate) fn set_condition(&mut self, condition: impl Fn(&ExitReason) -> bool + Send + Sync + 'static) {
        (self.restart, self.restart_if) = (Restart::Transient, Some(RestartCondition::new(condition)));
    }

    /// Sets how many starts within an interval the child has before it ends as failed.
    pub(crate) fn set_start_limit(&mut self, burst: u32, interval: Duration) {
        self.start_limit = Some(Arc::new(StartLimit { burst, interval }));
    }

    /// Sets the delays after which a first start that fails is tried again.
    pub(crate) fn set_retry_start(&mut self, delays: Backoff) {
        self.retry_start = Some(Arc::new(delays));
    }

    /// Returns `true` if it sets a handler deadline for a child without handlers.
    pub(crate) fn has_idle_deadline(&self) -> bool {
        self.is_task && self.liveness.as_deref().is_some_and(|liveness| liveness.handler_deadline.is_some())
    }

    /// Returns this policy for an existing child that has the policy `current`. The kind of the
    /// child, whether it is a task and whether it is started once do not change.
    pub(crate) fn of_existing(self, current: &Self) -> Self {
        let (restart, restart_if) =
            if current.once { (Restart::Temporary, None) } else { (self.restart, self.restart_if) };
        let Self { kind, once, is_task, .. } = *current;
        Self { kind, once, is_task, restart, restart_if, ..self }
    }
}
