//! Conditions on the exit reason, which decide whether a child restarts.

use std::fmt;
use std::sync::Arc;

use perennial_actors::ExitReason;
use perennial_actors::host::Foreign;

use super::child::Restart;

/// The user's function of a condition.
type ConditionFn = dyn Fn(&ExitReason) -> bool + Send + Sync;

/// A condition that decides whether a child restarts. It is the user's code.
#[derive(Clone)]
pub(crate) struct RestartCondition(Arc<Foreign<Box<ConditionFn>>>);

impl RestartCondition {
    pub(crate) fn new(condition: impl Fn(&ExitReason) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Foreign::new(Box::new(condition))))
    }

    /// Evaluates the condition, which may panic and block.
    pub(crate) fn evaluate(&self, reason: &ExitReason) -> bool {
        (**self.0)(reason)
    }
}

impl PartialEq for RestartCondition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for RestartCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestartCondition(..)")
    }
}

/// Conditions of systemd's `Restart=`, for [`Child::restart_if`](crate::Child::restart_if).
///
/// | exit reason | systemd's exit cause | success | failure | abnormal | abort | watchdog |
/// |---|---|---|---|---|---|---|
/// | `Normal`, `Shutdown`, `Ignore` | clean exit code or signal | yes | | | | |
/// | `Failed`, `NoProcess`, `NoConnection` | unclean exit code | | yes | | | |
/// | `Panicked`, `Killed` | unclean signal | | yes | yes | yes | |
/// | `StartTimedOut` | timeout | | yes | yes | | |
/// | `Unresponsive` | watchdog | | yes | yes | | yes |
///
/// `Restart=always` is [`Permanent`](Self::Permanent), and `Restart=on-failure` is also
/// [`Transient`](Self::Transient). `Restart=no` is `|_| false`: the child stays as a stopped one,
/// which [`Temporary`](Self::Temporary) does not.
impl Restart {
    /// Returns `true` for a clean exit: systemd's `Restart=on-success`.
    #[must_use]
    pub const fn on_success(reason: &ExitReason) -> bool {
        !reason.is_abnormal()
    }

    /// Returns `true` for any abnormal exit: systemd's `Restart=on-failure`.
    #[must_use]
    pub const fn on_failure(reason: &ExitReason) -> bool {
        reason.is_abnormal()
    }

    /// Returns `true` for a panic, a kill, a start that timed out, and an unresponsive child, but
    /// not for an error that the child returned: systemd's `Restart=on-abnormal`.
    #[must_use]
    pub const fn on_abnormal(reason: &ExitReason) -> bool {
        Self::on_abort(reason) || matches!(reason, ExitReason::StartTimedOut | ExitReason::Unresponsive)
    }

    /// Returns `true` for a panic and a kill: systemd's `Restart=on-abort`.
    #[must_use]
    pub const fn on_abort(reason: &ExitReason) -> bool {
        matches!(reason, ExitReason::Panicked(_) | ExitReason::Killed)
    }

    /// Returns `true` for a child that its supervisor found unresponsive: systemd's
    /// `Restart=on-watchdog`.
    #[must_use]
    pub const fn on_watchdog(reason: &ExitReason) -> bool {
        matches!(reason, ExitReason::Unresponsive)
    }
}
