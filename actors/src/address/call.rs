//! Calls: a message out, an answer back, and a clear word when there is none.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::errors::CallError;
use super::reply::Reply;
use super::send::Entry;
use crate::foreign::{Guarded, ignore_panic};
use crate::mailbox::Fate;
use crate::process::Process;
use crate::system::{Alarm, Alarms, Struck};

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
    /// A timeout of a second or more is kept by a coarse clock that all calls share: it strikes up to 30 ms late, and never
    /// early.
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
            answer: Guarded::new(answer),
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

/// From this on, a few ticks of the coarse clock do not matter.
const LONG: Duration = Duration::from_secs(1);

/// What tells a call that its time is up.
enum Timer {
    /// The runtime's own: exact, and dear.
    Exact(Pin<Box<Sleep>>),
    /// The clock that all calls of the system share.
    Coarse(Alarm),
}

impl Timer {
    /// Begins to wait; none if the time is up at once.
    fn begin(timeout: Duration, alarms: Option<&Arc<Alarms>>, cx: &mut Context<'_>) -> Option<Self> {
        let alarm = alarms.filter(|_| timeout >= LONG).and_then(|alarms| alarms.set(timeout, cx.waker()));
        match alarm {
            Some(alarm) => Some(Self::Coarse(alarm)),
            None => Self::Exact(Box::pin(tokio::time::sleep(timeout))).poll(timeout, alarms, cx),
        }
    }

    /// None when the time is up.
    fn poll(self, timeout: Duration, alarms: Option<&Arc<Alarms>>, cx: &mut Context<'_>) -> Option<Self> {
        match (self, alarms) {
            (Self::Exact(mut sleep), _) => sleep.as_mut().poll(cx).is_pending().then_some(Self::Exact(sleep)),
            (Self::Coarse(alarm), Some(alarms)) => match alarms.look(&alarm, cx.waker()) {
                Struck::No => Some(Self::Coarse(alarm)),
                Struck::Lost => Self::begin(timeout, None, cx),
                Struck::Yes => None,
            },
            (Self::Coarse(_), None) => None,
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
    /// Holds an answer that came when the caller had given up.
    answer: Guarded<oneshot::Receiver<T>>,
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
            match Pin::new(&mut *self.answer).poll(cx) {
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
        let alarms = self.process.home().map(|home| home.system.alarms());
        self.timer = match self.timer.take() {
            Some(timer) => timer.poll(timeout, alarms, cx),
            None => Timer::begin(timeout, alarms, cx),
        };
        if self.timer.is_some() {
            return Poll::Pending;
        }
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
        ignore_panic(|| drop(self.entry.turn_back(&self.process.queue)));
        if let (Some(Timer::Coarse(alarm)), Some(home)) = (&self.timer, self.process.home()) {
            home.system.alarms().take_back(alarm);
        }
    }
}

impl<M: Send + 'static, T> fmt::Debug for CallFuture<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
