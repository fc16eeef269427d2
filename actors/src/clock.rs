//! Timers of the runtime, for code that may run without one.
//!
//! Tokio panics when a timer is made outside a runtime or on a runtime without `enable_time`, and
//! has no way to check before. This module returns an error instead.

use std::pin::Pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{self, Instant, Sleep};

use crate::error::NoTimers;
use crate::foreign::catch;

/// Returns a timer of this runtime that fires at `deadline`.
///
/// On a runtime without timers, tokio's panic goes through the panic hook before it is caught here.
pub(crate) fn sleep_until(deadline: Instant) -> Result<Pin<Box<Sleep>>, NoTimers> {
    if Handle::try_current().is_err() {
        return Err(NoTimers);
    }
    catch(|| Box::pin(time::sleep_until(deadline))).map_err(|_| NoTimers)
}

/// Returns an error unless this runtime has timers.
///
/// # Errors
///
/// [`NoTimers`].
pub fn require_timers() -> Result<(), NoTimers> {
    sleep_until(Instant::now()).map(drop)
}

/// The longest wait: 30 years, as in tokio. Longer times are cut to it.
pub(crate) const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Returns the time `after` from now, at most [`FAR`] ahead so that the addition cannot overflow.
pub(crate) fn deadline_after(after: Duration) -> Instant {
    add_time(Instant::now(), after)
}

/// Returns `base` plus a time of at most [`FAR`], so that the addition cannot overflow.
#[must_use]
pub fn add_time(base: Instant, time: Duration) -> Instant {
    base + time.min(FAR)
}

/// Returns the time that is left until `deadline`.
pub(crate) fn time_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
