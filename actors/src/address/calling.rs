//! The common part of all calls: the send, the wait for the answer, and the timeout.

use std::any::type_name;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::errors::{CallError, Unsent};
use super::reply::Reply;
use super::send::SendState;
use crate::clock::{NoTimers, deadline_after, sleep_until};
use crate::exit::ExitReason;
use crate::foreign::{Guarded, ignore_panic};
use crate::mailbox::{MessageOutcome, PushError, WaitsFor};
use crate::process::{Process, Target};
use crate::system::{DEFAULT_CALL_TIMEOUT, System, TimeoutId, TimeoutState, TimerWheel};

/// The part of a process that a call needs, without the message type.
pub(super) trait CalledProcess {
    /// Returns its system, or `None` before its first start.
    fn system(&self) -> Option<&System>;
    fn is_closed(&self) -> bool;
    /// Describes the process for an error about a message of this type.
    fn describe(&self, message_type: &'static str) -> Target;
    /// Returns the outcome of an accepted message. While it is pending, a change wakes `waker`.
    fn fate(&self, sequence: u64, waker: &Waker) -> MessageOutcome;
    fn forget_fate(&self, sequence: u64);
    /// Returns `true` if the process is not running and is started only after the calling code has
    /// returned.
    fn waits_for_caller(&self) -> bool;
}

impl<M: Send + 'static> CalledProcess for Process<M> {
    fn system(&self) -> Option<&System> {
        self.registration().map(|registration| &registration.system)
    }

    fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    fn describe(&self, message_type: &'static str) -> Target {
        self.target_of(message_type)
    }

    fn fate(&self, sequence: u64, waker: &Waker) -> MessageOutcome {
        self.queue.outcome(sequence, waker)
    }

    fn forget_fate(&self, sequence: u64) {
        self.queue.forget_outcome(sequence);
    }

    fn waits_for_caller(&self) -> bool {
        self.waits_for_this_task()
    }
}

/// An actor that can be called with messages `N`.
pub(super) trait Callee<N> {
    /// The process of the actor.
    type Process: CalledProcess + ?Sized;
    /// The state of a send.
    type Entry;

    fn process(&self) -> &Self::Process;

    fn entry(message: N) -> Self::Entry;

    /// Sends the message as soon as there is room. Returns its sequence number, or why it was
    /// refused; `None` if it can be neither handled nor returned.
    fn enter(&self, entry: &mut Self::Entry, waker: &Waker) -> Poll<Result<u64, Option<PushError<N>>>>;

    /// Stops waiting for room. Returns the message unless it was accepted.
    fn cancel(&self, entry: &mut Self::Entry) -> Option<N>;
}

impl<M: Send + 'static> Callee<M> for Arc<Process<M>> {
    type Process = Process<M>;
    type Entry = SendState<M>;

    fn process(&self) -> &Process<M> {
        self
    }

    fn entry(message: M) -> SendState<M> {
        SendState::New(message)
    }

    fn enter(&self, entry: &mut SendState<M>, waker: &Waker) -> Poll<Result<u64, Option<PushError<M>>>> {
        entry.poll(self, WaitsFor::Answer, waker).map_err(Some)
    }

    fn cancel(&self, entry: &mut SendState<M>) -> Option<M> {
        entry.cancel(&self.queue)
    }
}

/// The timer of a call.
enum Timer {
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
    fn begin(&mut self, system: Option<&System>, cx: &Context<'_>) -> Result<bool, NoTimers> {
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
    fn poll(&mut self, wheel: Option<&Arc<TimerWheel>>, cx: &mut Context<'_>) -> Poll<()> {
        if let (Self::Wheel(id), Some(wheel)) = (&*self, wheel) {
            match wheel.poll(id, cx.waker()) {
                TimeoutState::Pending => return Poll::Pending,
                TimeoutState::Elapsed => return Poll::Ready(()),
                TimeoutState::Detached => {
                    let exact = sleep_until(id.deadline());
                    wheel.cancel(id);
                    // There were timers when the call began. If there are none now, the call times
                    // out.
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

/// Returns the default timeout of a call. An actor without a system refuses the call anyway.
fn default_timeout(system: Option<&System>) -> Duration {
    system.map_or(DEFAULT_CALL_TIMEOUT, System::call_timeout)
}

/// One call, driven by polling it.
pub(super) struct Calling<C: Callee<N>, N, T> {
    callee: C,
    entry: C::Entry,
    sequence: Option<u64>,
    /// Guarded, because it holds the answer if the caller stops waiting.
    answer: Guarded<oneshot::Receiver<T>>,
    answer_lost: bool,
    timer: Timer,
}

impl<C: Callee<N>, N, T> Calling<C, N, T> {
    pub(super) fn new(callee: C, message: impl FnOnce(Reply<T>) -> N) -> Self {
        let (reply, answer) = Reply::new();
        Self {
            callee,
            entry: C::entry(message(reply)),
            sequence: None,
            answer: Guarded::new(answer),
            answer_lost: false,
            timer: Timer::NotBegun(None),
        }
    }

    pub(super) fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timer = timeout.map_or(Timer::Never, |timeout| Timer::NotBegun(Some(timeout)));
    }

    /// Removes the timeout, for a caller that measures the time itself. Returns it.
    pub(super) fn take_timeout(&mut self) -> Option<Duration> {
        match std::mem::replace(&mut self.timer, Timer::Never) {
            Timer::NotBegun(timeout) => {
                Some(timeout.unwrap_or_else(|| default_timeout(self.callee.process().system())))
            }
            _ => None,
        }
    }

    pub(super) const fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError<N>>> {
        let has_just_begun = match self.begin_timeout(cx) {
            Ok(has_just_begun) => has_just_begun,
            Err(error) => return Poll::Ready(Err(error)),
        };
        match self.poll_answer(cx) {
            Poll::Pending if !has_just_begun => self.poll_timeout(cx).map(Err),
            polled => polled,
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError<N>>> {
        let is_sent = self.sequence.is_some();
        let sequence = match self.sequence {
            Some(sequence) => sequence,
            None => match self.callee.enter(&mut self.entry, cx.waker()) {
                Poll::Ready(Ok(sequence)) => *self.sequence.insert(sequence),
                Poll::Ready(Err(refused)) => return Poll::Ready(Err(self.refused(refused))),
                Poll::Pending => return Poll::Pending,
            },
        };
        if !self.answer_lost {
            match Pin::new(&mut *self.answer).poll(cx) {
                Poll::Ready(Ok(answer)) => return Poll::Ready(Ok(answer)),
                Poll::Ready(Err(_)) => self.answer_lost = true,
                // A wake-up without an answer: perhaps the actor has ended.
                Poll::Pending if is_sent && self.callee.process().waits_for_caller() => {
                    return Poll::Ready(Err(CallError::Deadlock(self.target())));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        // The reply was dropped. That does not give the reason yet: a handler that is about to fail
        // drops it too. The outcome of the message does.
        match self.callee.process().fate(sequence, cx.waker()) {
            MessageOutcome::Pending => Poll::Pending,
            MessageOutcome::Handled => Poll::Ready(Err(CallError::ReplyDropped(self.target()))),
            MessageOutcome::Evicted => Poll::Ready(Err(CallError::Dropped(self.target()))),
            MessageOutcome::Lost(reason) => Poll::Ready(Err(CallError::Ended(reason, self.target()))),
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<CallError<N>> {
        if self.timer.poll(self.callee.process().system().map(System::timeouts), cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.time_out())
    }

    /// Starts the timer before anything is sent: without timers, nothing is sent.
    fn begin_timeout(&mut self, cx: &Context<'_>) -> Result<bool, CallError<N>> {
        let begun = self.timer.begin(self.callee.process().system(), cx);
        begun.or_else(|NoTimers| {
            match self.cancel() {
                Some(unsent) if self.callee.process().is_closed() => Err(CallError::Closed(unsent)),
                Some(unsent) => Err(CallError::NoTimers(unsent)),
                // It has not begun, so nothing was sent.
                None => Ok(false),
            }
        })
    }

    #[cold]
    fn refused(&self, refused: Option<PushError<N>>) -> CallError<N> {
        let Some(refused) = refused else { return CallError::Ended(ExitReason::NoProcess, self.target()) };
        match refused {
            PushError::Closed(message) => CallError::Closed(self.unsent(message)),
            PushError::WouldDeadlock(message) => CallError::WouldDeadlock(self.unsent(message)),
            // A sender that waits for room is never refused as full.
            PushError::Full(message) => CallError::NoRoom(self.unsent(message)),
        }
    }

    fn unsent(&self, message: N) -> Unsent<N> {
        Unsent::new(message, self.target())
    }

    /// Cancels the call at its timeout. Returns the error to report.
    pub(super) fn time_out(&mut self) -> CallError<N> {
        match self.callee.cancel(&mut self.entry) {
            Some(message) => CallError::NoRoom(self.unsent(message)),
            None => CallError::TimedOut(self.target()),
        }
    }

    /// Cancels the call before anything is sent. Returns the message.
    pub(super) fn cancel(&mut self) -> Option<Unsent<N>> {
        self.callee.cancel(&mut self.entry).map(|message| self.unsent(message))
    }

    #[cold]
    fn target(&self) -> Target {
        self.callee.process().describe(type_name::<N>())
    }
}

/// No field is structurally pinned.
impl<C: Callee<N>, N, T> Unpin for Calling<C, N, T> {}

impl<C: Callee<N>, N, T> Drop for Calling<C, N, T> {
    fn drop(&mut self) {
        ignore_panic(|| drop(self.callee.cancel(&mut self.entry)));
        let process = self.callee.process();
        if let (Timer::Wheel(id), Some(system)) = (&self.timer, process.system()) {
            system.timeouts().cancel(id);
        }
        if let (true, Some(sequence)) = (self.answer_lost, self.sequence) {
            process.forget_fate(sequence);
        }
    }
}
