//! Calls: a message out, an answer back, and a clear word when there is none.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::errors::{CallError, Unsent};
use super::reply::Reply;
use super::send::SendState;
use crate::clock::{NoTimers, deadline_after, sleep_until};
use crate::foreign::{Guarded, ignore_panic};
use crate::mailbox::{MessageOutcome, PushError, WaitsFor};
use crate::process::Process;
use crate::system::{TimeoutId, TimeoutState, TimerWheel};

/// How long a call waits unless told otherwise; OTP's choice.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// A call that was not made yet: await it, or give it a timeout first.
#[must_use = "nothing is sent before it is awaited"]
pub struct Call<'a, M: Send + 'static, T, F> {
    process: &'a Process<M>,
    message: F,
    timeout: Option<Duration>,
    answer: std::marker::PhantomData<fn() -> T>,
}

impl<'a, M: Send + 'static, T, F: FnOnce(Reply<T>) -> M> Call<'a, M, T, F> {
    pub(super) const fn new(process: &'a Process<M>, message: F) -> Self {
        Self { process, message, timeout: Some(DEFAULT_TIMEOUT), answer: std::marker::PhantomData }
    }

    /// Waits at most so long, for room in the mailbox and for the answer together.
    ///
    /// It is read from tokio's clock: it strikes when a timer of tokio would, and never early, also under load.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits as long as it takes. A call still ends when its message or its target does.
    pub const fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

impl<'a, M, T, F> IntoFuture for Call<'a, M, T, F>
where
    M: Send + 'static,
    F: FnOnce(Reply<T>) -> M,
{
    type Output = Result<T, CallError<M>>;
    type IntoFuture = CallFuture<'a, M, T>;

    fn into_future(self) -> CallFuture<'a, M, T> {
        let (reply, answer) = Reply::new();
        CallFuture {
            process: self.process,
            entry: SendState::New((self.message)(reply)),
            sequence: None,
            answer: Guarded::new(answer),
            answer_lost: false,
            timer: self.timeout.map_or(Timer::Never, Timer::NotBegun),
        }
    }
}

impl<M: Send + 'static, T, F> fmt::Debug for Call<'_, M, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// What wakes a call when its time is up.
enum Timer {
    /// There is no timeout.
    Never,
    /// The call was not made yet.
    NotBegun(Duration),
    /// A timer of tokio.
    Exact(Pin<Box<Sleep>>),
    /// The timer wheel, which costs less than a timer of tokio as long as the answer comes early.
    Wheel(TimeoutId),
}

impl Timer {
    /// Begins to wait, if it has not begun. Returns `true` if it has just begun and will wake the task without another poll.
    fn begin(&mut self, wheel: Option<&Arc<TimerWheel>>, cx: &Context<'_>) -> Result<bool, NoTimers> {
        let Self::NotBegun(timeout) = *self else { return Ok(false) };
        let id = wheel.and_then(|wheel| wheel.set(timeout, cx.waker()));
        *self = match id {
            Some(id) => Self::Wheel(id),
            None => Self::Exact(sleep_until(deadline_after(timeout))?),
        };
        Ok(matches!(self, Self::Wheel(_)))
    }

    /// Completes when the time is up.
    fn poll(&mut self, wheel: Option<&Arc<TimerWheel>>, cx: &mut Context<'_>) -> Poll<()> {
        if let (Self::Wheel(id), Some(wheel)) = (&*self, wheel) {
            match wheel.poll(id, cx.waker()) {
                TimeoutState::Pending => return Poll::Pending,
                TimeoutState::Elapsed => return Poll::Ready(()),
                TimeoutState::Detached => {
                    let exact = sleep_until(id.deadline());
                    wheel.cancel(id);
                    // There were timers when the call began. If there are none now, its time is up.
                    let Ok(exact) = exact else { return Poll::Ready(()) };
                    *self = Self::Exact(exact);
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

/// The future of a [`Call`].
///
/// # Cancel safety
///
/// If it is dropped, nobody sees the answer. The message was sent unless it still waited for room.
#[must_use = "nothing is sent before it is awaited"]
pub struct CallFuture<'a, M: Send + 'static, T> {
    process: &'a Process<M>,
    entry: SendState<M>,
    sequence: Option<u64>,
    /// Holds an answer that came when the caller had given up.
    answer: Guarded<oneshot::Receiver<T>>,
    answer_lost: bool,
    timer: Timer,
}

impl<M: Send + 'static, T> CallFuture<'_, M, T> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError<M>>> {
        let is_sent = self.sequence.is_some();
        let sequence = match self.sequence {
            Some(sequence) => sequence,
            None => match self.entry.poll(self.process, WaitsFor::Answer, cx.waker()) {
                Poll::Ready(Ok(sequence)) => *self.sequence.insert(sequence),
                Poll::Ready(Err(refused)) => return Poll::Ready(Err(self.refused(refused))),
                Poll::Pending => return Poll::Pending,
            },
        };
        if !self.answer_lost {
            match Pin::new(&mut *self.answer).poll(cx) {
                Poll::Ready(Ok(answer)) => return Poll::Ready(Ok(answer)),
                Poll::Ready(Err(_)) => self.answer_lost = true,
                // Woken for nothing, perhaps because the actor has gone down.
                Poll::Pending if is_sent && self.process.waits_for_this_task() => {
                    return Poll::Ready(Err(CallError::Deadlock(self.process.target::<M>())));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        // The reply is gone, which says nothing yet: a handler that is about to fail has dropped it just so. What became
        // of the message tells.
        let target = || self.process.target::<M>();
        match self.process.queue.outcome(sequence, cx.waker()) {
            MessageOutcome::Pending => Poll::Pending,
            MessageOutcome::Handled => Poll::Ready(Err(CallError::ReplyDropped(target()))),
            MessageOutcome::Evicted => Poll::Ready(Err(CallError::Dropped(target()))),
            MessageOutcome::Lost(reason) => Poll::Ready(Err(CallError::Ended(reason, target()))),
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<CallError<M>> {
        if self.timer.poll(wheel(self.process), cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(match self.entry.cancel(&self.process.queue) {
            Some(message) => CallError::NoRoom(self.unsent(message)),
            None => CallError::TimedOut(self.process.target::<M>()),
        })
    }

    /// Begins to count the time, before anything is sent: without timers, nothing is.
    fn begin_timeout(&mut self, cx: &Context<'_>) -> Result<bool, CallError<M>> {
        let begun = self.timer.begin(wheel(self.process), cx);
        begun.or_else(|NoTimers| {
            match self.entry.cancel(&self.process.queue).map(|back| self.unsent(back)) {
                Some(unsent) if self.process.queue.is_closed() => Err(CallError::Closed(unsent)),
                Some(unsent) => Err(CallError::NoTimers(unsent)),
                // It has not begun, so nothing was sent.
                None => Ok(false),
            }
        })
    }

    #[cold]
    fn refused(&self, refused: PushError<M>) -> CallError<M> {
        match refused {
            PushError::Closed(message) => CallError::Closed(self.unsent(message)),
            PushError::WouldDeadlock(message) => CallError::WouldDeadlock(self.unsent(message)),
            // Whoever waits for room is not refused for want of it.
            PushError::Full(message) => CallError::NoRoom(self.unsent(message)),
        }
    }

    fn unsent(&self, message: M) -> Unsent<M> {
        Unsent::new(message, self.process.target::<M>())
    }
}

/// The timer wheel that all calls of the system share.
fn wheel<M: Send + 'static>(process: &Process<M>) -> Option<&Arc<TimerWheel>> {
    process.registration().map(|home| home.system.timeouts())
}

impl<M: Send + 'static, T> Unpin for CallFuture<'_, M, T> {}

impl<M: Send + 'static, T> Future for CallFuture<'_, M, T> {
    type Output = Result<T, CallError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let has_just_begun = match self.begin_timeout(cx) {
            Ok(has_just_begun) => has_just_begun,
            Err(error) => return Poll::Ready(Err(error)),
        };
        match self.poll_answer(cx) {
            Poll::Pending if !has_just_begun => self.poll_timeout(cx).map(Err),
            polled => polled,
        }
    }
}

impl<M: Send + 'static, T> Drop for CallFuture<'_, M, T> {
    fn drop(&mut self) {
        ignore_panic(|| drop(self.entry.cancel(&self.process.queue)));
        if let (Timer::Wheel(id), Some(wheel)) = (&self.timer, wheel(self.process)) {
            wheel.cancel(id);
        }
        if let (true, Some(sequence)) = (self.answer_lost, self.sequence) {
            self.process.queue.forget_outcome(sequence);
        }
    }
}

impl<M: Send + 'static, T> fmt::Debug for CallFuture<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
