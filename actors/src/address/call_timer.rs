//! The timer of a call.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::clock::{deadline_after, sleep_until};
use crate::error::NoTimers;
use crate::system::{DEFAULT_CALL_TIMEOUT, System, TimeoutId, TimeoutState, TimerWheel};

/// The timer of a call.
pub(super) enum Timer {
    /// There is no timeout.
    Never,
    /// The call was not polled yet. `None` stands for the timeout of the system.
    NotBegun(Option<Duration>),
    /// A timer of tokio.
    Exact(Pin<Box<Sleep>>),
    /// The timer wheel, which costs less than a timer of tokio if the answer comes early.
    Wheel(TimeoutId),
}

impl Timer {
    /// Starts the timer if it is not started. Returns `true` if it was started now and will wake
    /// the task without another poll.
    pub(super) fn begin(&mut self, system: Option<&System>, cx: &Context<'_>) -> Result<bool, NoTimers> {
        let Self::NotBegun(timeout) = *self else { return Ok(false) };
        let timeout = timeout.unwrap_or_else(|| default_timeout(system));
        let wheel = system.map(System::timeouts);
        let id = wheel.and_then(|wheel| wheel.set(timeout, cx.waker()));
        *self = match id {
            Some(id) => Self::Wheel(id),
            None => Self::Exact(sleep_until(deadline_after(timeout))?),
        };
        Ok(matches!(self, Self::Wheel(_)))
    }

    /// Completes when the timeout has elapsed.
    pub(super) fn poll(&mut self, wheel: Option<&Arc<TimerWheel>>, cx: &mut Context<'_>) -> Poll<()> {
        if let (Self::Wheel(id), Some(wheel)) = (&*self, wheel) {
            match wheel.poll(id, cx.waker()) {
                TimeoutState::Pending => return Poll::Pending,
                TimeoutState::Elapsed => return Poll::Ready(()),
                TimeoutState::Detached => {
                    // There were timers when the call began. If there are none now, the call times
                    // out.
                    let Ok(exact) = sleep_until(id.deadline()) else { return Poll::Ready(()) };
                    if let Self::Wheel(id) = mem::replace(self, Self::Exact(exact)) {
                        wheel.cancel(id);
                    }
                }
            }
        }
        match self {
            Self::Never | Self::NotBegun(_) => Poll::Pending,
            Self::Exact(sleep) => sleep.as_mut().poll(cx),
            Self::Wheel(_) => Poll::Ready(()),
        }
    }
}

/// Returns the default timeout of a call. An actor without a system refuses the call anyway.
pub(super) fn default_timeout(system: Option<&System>) -> Duration {
    system.map_or(DEFAULT_CALL_TIMEOUT, System::call_timeout)
}
