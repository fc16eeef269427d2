//! The timer of a call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::clock::{deadline_after, sleep_until};
use crate::error::NoTimers;
use crate::system::{CallWaiter, DEFAULT_CALL_TIMEOUT, System};

/// The timeout of a call.
#[derive(Clone, Copy)]
pub(super) enum CallTimeout {
    /// The timeout of the system.
    Default,
    /// A timeout that the call sets.
    After(Duration),
    /// There is no timeout.
    Never,
}

/// The timer of a call.
pub(super) enum Timer {
    /// The call was not polled yet.
    NotBegun(CallTimeout),
    /// There is no timeout.
    Never,
    /// A timer of tokio.
    Exact(Pin<Box<Sleep>>),
    /// The timer wheel, which costs less than a timer of tokio if the answer comes early. The time
    /// is the deadline.
    Wheel(Instant),
}

impl CallTimeout {
    /// Returns the time. An actor without a system refuses the call anyway.
    pub(super) fn time(self, system: Option<&System>) -> Option<Duration> {
        match self {
            Self::Default => Some(system.map_or(DEFAULT_CALL_TIMEOUT, System::call_timeout)),
            Self::After(time) => Some(time),
            Self::Never => None,
        }
    }
}

impl Timer {
    /// Begins the wait of the caller if it has not begun, and registers its waker. Returns `true`
    /// if it has begun now and needs no other poll to be woken.
    #[inline]
    pub(super) fn begin<T>(
        &mut self,
        waiter: &mut CallWaiter<T>,
        system: Option<&System>,
        cx: &Context<'_>,
    ) -> Result<bool, NoTimers> {
        let Self::NotBegun(timeout) = *self else { return Ok(false) };
        let timeout = timeout.time(system);
        let watched = waiter.begin(system.map(System::timeouts).zip(timeout), cx.waker());
        *self = match (watched, timeout) {
            (Some(deadline), _) => Self::Wheel(deadline),
            (None, None) => Self::Never,
            (None, Some(timeout)) => Self::Exact(sleep_until(deadline_after(timeout))?),
        };
        Ok(!matches!(self, Self::Exact(_)))
    }

    /// Completes when the timeout has elapsed. `is_watched` says whether the ticker of the wheel
    /// will look at it.
    pub(super) fn poll<T>(
        &mut self,
        waiter: &CallWaiter<T>,
        is_watched: bool,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if let Self::Wheel(deadline) = *self {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            if is_watched {
                return Poll::Pending;
            }
            // There were timers when the call began. If there are none now, the call times out.
            let Ok(exact) = sleep_until(deadline) else { return Poll::Ready(()) };
            waiter.unset_timeout();
            *self = Self::Exact(exact);
        }
        match self {
            Self::Exact(sleep) => sleep.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}
