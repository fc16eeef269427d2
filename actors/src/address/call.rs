//! Calls: a message out, an answer back, and a clear word when there is none.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::errors::CallError;
use super::reply::Reply;
use super::send::Entry;
use crate::mailbox::Fate;
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
            entry: Entry::New((self.message)(reply)),
            sequence: None,
            answer,
            answer_lost: false,
            timeout: self.timeout,
            timer: None,
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
    /// A timer of tokio.
    Exact(Pin<Box<Sleep>>),
    /// The timer wheel, which costs less than a timer of tokio as long as the answer comes early.
    Wheel(TimeoutId),
}

impl Timer {
    fn begin(timeout: Duration, wheel: Option<&Arc<TimerWheel>>, cx: &Context<'_>) -> Self {
        let id = wheel.and_then(|wheel| wheel.set(timeout, cx.waker()));
        id.map_or_else(|| Self::Exact(Box::pin(tokio::time::sleep(timeout))), Self::Wheel)
    }

    /// Completes when the time is up.
    fn poll(&mut self, wheel: Option<&Arc<TimerWheel>>, cx: &mut Context<'_>) -> Poll<()> {
        if let (Self::Wheel(id), Some(wheel)) = (&*self, wheel) {
            match wheel.poll(id, cx.waker()) {
                TimeoutState::Pending => return Poll::Pending,
                TimeoutState::Elapsed => return Poll::Ready(()),
                TimeoutState::Detached => {
                    let exact = Box::pin(tokio::time::sleep_until(id.deadline()));
                    wheel.cancel(id);
                    *self = Self::Exact(exact);
                }
            }
        }
        match self {
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
    entry: Entry<M>,
    sequence: Option<u64>,
    answer: oneshot::Receiver<T>,
    answer_lost: bool,
    timeout: Option<Duration>,
    timer: Option<Timer>,
}

impl<M: Send + 'static, T> CallFuture<'_, M, T> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError<M>>> {
        let sequence = match self.sequence {
            Some(sequence) => sequence,
            None => match self.entry.poll(&self.process.queue, cx.waker()) {
                Poll::Ready(Ok(sequence)) => *self.sequence.insert(sequence),
                Poll::Ready(Err(message)) => return Poll::Ready(Err(CallError::Closed(message))),
                Poll::Pending => return Poll::Pending,
            },
        };
        if !self.answer_lost {
            match Pin::new(&mut self.answer).poll(cx) {
                Poll::Ready(Ok(answer)) => return Poll::Ready(Ok(answer)),
                Poll::Ready(Err(_)) => self.answer_lost = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        // The reply is gone, which says nothing yet: a handler that is about to fail has dropped it just so. What became
        // of the message tells.
        match self.process.queue.fate(sequence, cx.waker()) {
            Fate::Open => Poll::Pending,
            Fate::Handled => Poll::Ready(Err(CallError::ReplyDropped)),
            Fate::Dropped => Poll::Ready(Err(CallError::Dropped)),
            Fate::Lost(reason) => Poll::Ready(Err(CallError::Ended(reason))),
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<CallError<M>> {
        let Some(timeout) = self.timeout else { return Poll::Pending };
        let wheel = self.process.home().map(|home| home.system.timeouts());
        let timer = match &mut self.timer {
            Some(timer) => timer,
            None => {
                let timer = self.timer.insert(Timer::begin(timeout, wheel, cx));
                if matches!(timer, Timer::Wheel(_)) {
                    return Poll::Pending;
                }
                timer
            }
        };
        ready!(timer.poll(wheel, cx));
        Poll::Ready(match self.entry.turn_back(&self.process.queue) {
            Some(message) => CallError::NoRoom(message),
            None => CallError::TimedOut,
        })
    }
}

impl<M: Send + 'static, T> Unpin for CallFuture<'_, M, T> {}

impl<M: Send + 'static, T> Future for CallFuture<'_, M, T> {
    type Output = Result<T, CallError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_answer(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_timeout(cx).map(Err),
        }
    }
}

impl<M: Send + 'static, T> Drop for CallFuture<'_, M, T> {
    fn drop(&mut self) {
        drop(self.entry.turn_back(&self.process.queue));
        if let (Some(Timer::Wheel(id)), Some(home)) = (&self.timer, self.process.home()) {
            home.system.timeouts().cancel(id);
        }
    }
}

impl<M: Send + 'static, T> fmt::Debug for CallFuture<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
