//! Timers of the runtime, where it is not certain that there is one.
//!
//! Tokio panics when a timer is made outside a runtime, or on one without `enable_time`, and has no way to ask before. Here
//! that is an error.

use std::pin::Pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{self, Instant, Sleep};

use crate::foreign::catch;

/// There are no timers here: no tokio runtime, or one that was built without `enable_time`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no tokio timers: outside a tokio runtime, or the runtime was built without enable_time")]
pub struct NoTimers;

/// Returns a timer of this runtime that is due at `deadline`.
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

/// The longest time that anything waits for. Later than this is never, as it is for tokio.
pub(crate) const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Returns a point in time so far ahead that it can still be told from never.
pub(crate) fn deadline_after(after: Duration) -> Instant {
    Instant::now() + after.min(FAR)
}
