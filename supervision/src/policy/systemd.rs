//! The conditions of systemd's `Restart=`.

use perennial_actors::ExitReason;

use super::child::Restart;

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
