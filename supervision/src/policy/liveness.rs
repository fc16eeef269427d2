//! How a supervisor detects that a child is unresponsive.

use std::time::Duration;

/// The liveness checks of a running child. Any of them may be set.
///
/// A child that fails a check is [unresponsive](perennial_actors::ExitReason::Unresponsive). Its
/// supervisor asks it to stop, as its [`Shutdown`](crate::Shutdown) says. It kills the child if
/// that takes too long; [`Shutdown::Infinity`](crate::Shutdown::Infinity) allows 5 seconds here. It
/// detaches the mailbox of a child that does not exit even then. After that it restarts the child,
/// with the exit reason `Unresponsive`. Each of these steps is [reported](crate::SupervisorReport).
///
/// A [suspended](perennial_actors::ActorHandle::suspend) child is not checked. All checks start
/// anew when it is resumed.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Liveness {
    /// The longest time that a handler may run. The actor needs no code for it. A
    /// [task](crate::Child::task) has no handlers, and so
    /// [must not have one](crate::SpecError::HandlerDeadlineOfTask).
    pub handler_deadline: Option<Duration>,
    /// The longest time without a ping of a handler or a task, like systemd's `WatchdogSec=`: see
    /// [`Child::watchdog`](crate::Child::watchdog).
    pub watchdog: Option<Duration>,
    /// The probe, like Kubernetes' liveness probe.
    pub probe: Option<ProbePolicy>,
}

/// The timing of a liveness probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProbePolicy {
    /// The time from the start of the child to the first probe. `None` is one period.
    pub initial_delay: Option<Duration>,
    /// The time from an answer, or from a missed answer, to the next probe.
    pub period: Duration,
    /// The longest time that an answer may take.
    pub timeout: Duration,
    /// The number of consecutive missed answers that makes the child unresponsive.
    pub failure_threshold: u32,
}

impl Liveness {
    /// Returns `true` if no child could ever pass the checks.
    pub(crate) fn is_impossible(&self) -> bool {
        [self.handler_deadline, self.watchdog].contains(&Some(Duration::ZERO))
            || self.probe.as_ref().is_some_and(ProbePolicy::is_impossible)
    }
}

impl ProbePolicy {
    /// Returns Kubernetes' defaults: a probe every 10 seconds, 1 second to answer, 3 missed
    /// answers.
    pub(crate) const fn standard() -> Self {
        Self {
            initial_delay: None,
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            failure_threshold: 3,
        }
    }

    /// Returns `true` if no child could ever pass the probe.
    pub(crate) const fn is_impossible(&self) -> bool {
        self.period.is_zero() || self.timeout.is_zero() || self.failure_threshold == 0
    }

    /// Returns the time from the start of the child to the first probe.
    pub(crate) fn first_after(&self) -> Duration {
        self.initial_delay.unwrap_or(self.period)
    }
}
