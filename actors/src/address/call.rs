//! Calls: a request, its answer, and a typed error if there is none.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::mem;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call_timer::{CallTimeout, Timer};
use super::callee::{CalledProcess, Callee};
use super::errors::{CallError, Unsent};
use super::reply::Reply;
use super::typed::Address;
use crate::error::NoTimers;
use crate::exit::ExitReason;
use crate::foreign::ignore_panic;
use crate::mailbox::{MessageOutcome, PushError};
use crate::system::{AnyProcess, CallTimedOut, CallWaiter, Polled};
use crate::target::Target;

/// A future that sends a message with a [`Reply`] and resolves to the answer.
///
/// It owns all that it needs. It can be awaited, spawned, joined with other calls, stored in a
/// `JoinSet`, or [piped](crate::Context::pipe_to_self) to the calling actor. Nothing is sent before
/// the first poll.
///
/// # Cancel safety
///
/// If the future is dropped, the answer is dropped. The message was sent unless it still waited for
/// room.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// # use tokio::task::JoinSet;
/// # struct Square(u64);
/// # impl Actor for Square {
/// #     type Msg = Reply<u64>;
/// #     type Args = u64;
/// # async fn init(n: &u64, _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self(n * n)) }
/// # async fn handle(&mut self, reply: Reply<u64>, _: &mut Context<Self>)
/// # -> Result<(), ExitReason> {
/// #         reply.send(self.0);
/// #         Ok(())
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let system = System::new();
/// let mut calls = JoinSet::new();
/// for n in 1..=3 {
///     let square = system.spawn::<Square>(n).await?;
///     calls.spawn(square.call(|reply| reply).timeout(Duration::from_secs(1)));
/// }
/// let squares = calls.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(squares.iter().sum::<u64>(), 14);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent before it is awaited"]
#[expect(private_bounds, reason = "nothing else can be called")]
pub struct Call<M: Send + 'static, T, C: Callee<M> = Address<M>> {
    callee: C,
    entry: C::Entry,
    sequence: Option<u64>,
    waiter: CallWaiter<T>,
    /// The reply was dropped, and the mailbox is asked for the reason.
    answer_lost: bool,
    timer: Timer,
    /// The number of its wait, while the waits of the system are watched.
    wait: Option<NonZeroU64>,
}

impl<M: Send + 'static> Address<M> {
    /// Sends a message that carries a [`Reply`] and resolves to the answer. The future owns all
    /// that it needs.
    ///
    /// The timeout is 5 seconds, unless the [system](crate::SystemBuilder::call_timeout) or the
    /// [call](Call::timeout) sets another.
    ///
    /// An actor that calls itself in a handler gets
    /// [`WouldDeadlock`](CallError::WouldDeadlock) at once. It may call itself from a task
    /// that it has spawned or piped. Two actors that call each other in their handlers wait for
    /// each other until one of the calls times out.
    ///
    /// # Errors
    ///
    /// See [`CallError`](CallError). On a thread without a tokio runtime, or on a runtime
    /// without timers, only calls with [`no_timeout`](Call::no_timeout) are possible.
    #[doc = actor_example!(r"assert_eq!(counter.call(Msg::Get).await?, 0);
let total = counter.call(Msg::Get).timeout(Duration::from_secs(1)).await?;
assert_eq!(total, 0);")]
    pub fn call<T, F>(&self, message: F) -> Call<M, T>
    where
        T: Send + 'static,
        F: FnOnce(Reply<T>) -> M,
    {
        Call::new(self.clone(), message)
    }
}

#[expect(private_bounds, reason = "nothing else can be called")]
impl<M: Send + 'static, T, C: Callee<M>> Call<M, T, C> {
    /// Sets the timeout, for room in the mailbox and for the answer together.
    ///
    /// The default is the [call timeout of the system](crate::SystemBuilder::call_timeout). The
    /// time is read from tokio's clock. The timeout elapses when a tokio timer would, and never
    /// early, also under load.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timer = Timer::NotBegun(CallTimeout::After(timeout));
        self
    }

    /// Removes the timeout. The call still ends when its message or its target does.
    pub fn no_timeout(mut self) -> Self {
        self.timer = Timer::NotBegun(CallTimeout::Never);
        self
    }

    pub(super) fn new(callee: C, message: impl FnOnce(Reply<T>) -> M) -> Self
    where
        T: Send + 'static,
    {
        let (waiter, slot) = CallWaiter::new();
        Self {
            callee,
            entry: C::entry(message(Reply::new(slot))),
            sequence: None,
            waiter,
            answer_lost: false,
            timer: Timer::NotBegun(CallTimeout::Default),
            wait: None,
        }
    }

    /// Removes the timeout, for a caller that measures the time itself. Returns it.
    pub(super) fn take_timeout(&mut self) -> Option<Duration> {
        match mem::replace(&mut self.timer, Timer::NotBegun(CallTimeout::Never)) {
            Timer::NotBegun(timeout) => timeout.time(self.callee.process().system()),
            _ => None,
        }
    }

    /// Sends the message as soon as there is room.
    #[inline]
    fn send(&mut self, cx: &Context<'_>) -> Result<(), CallError<M>> {
        match self.callee.enter(&mut self.entry, cx.waker()) {
            Poll::Ready(Ok(sequence)) => self.sequence = Some(sequence),
            Poll::Ready(Err(refused)) => return Err(self.refused(refused)),
            Poll::Pending => {}
        }
        Ok(())
    }

    /// Looks for the answer, and then at the time. `is_sent` says whether the message was sent
    /// before this poll.
    fn poll_answer(&mut self, is_sent: bool, cx: &mut Context<'_>) -> Poll<Result<T, CallError<M>>> {
        let is_watched = match self.waiter.poll(cx.waker()) {
            Polled::Answered(answer) => return Poll::Ready(Ok(answer)),
            Polled::Dropped { is_watched } => {
                self.answer_lost = true;
                if let Poll::Ready(error) = self.poll_outcome(cx) {
                    return Poll::Ready(Err(error));
                }
                is_watched
            }
            // A wake-up without an answer: perhaps the actor has ended.
            Polled::Pending { .. } if is_sent && self.callee.process().waits_for_this_task() => {
                return Poll::Ready(Err(CallError::Deadlock(self.target())));
            }
            Polled::Pending { is_watched } => is_watched,
        };
        self.timer.poll(&self.waiter, is_watched, cx).map(|()| Err(self.time_out()))
    }

    /// Waits for the outcome of the message, whose reply was dropped. That does not give the reason
    /// yet: a handler that is about to fail drops it too. The outcome does.
    #[cold]
    fn poll_outcome(&self, cx: &Context<'_>) -> Poll<CallError<M>> {
        let Some(sequence) = self.sequence else { return Poll::Pending };
        Poll::Ready(match self.callee.process().mailbox().outcome(sequence, cx.waker()) {
            MessageOutcome::Pending => return Poll::Pending,
            MessageOutcome::Handled => CallError::ReplyDropped(self.target()),
            MessageOutcome::Evicted => CallError::Dropped(self.target()),
            MessageOutcome::Lost(reason) => CallError::Ended(reason, self.target()),
        })
    }

    /// Starts the timer before anything is sent: without timers, nothing is sent.
    fn begin_timeout(&mut self, cx: &Context<'_>) -> Result<bool, CallError<M>> {
        let begun = self.timer.begin(&mut self.waiter, self.callee.process().system(), cx);
        begun.or_else(|NoTimers| {
            match self.cancel() {
                Some(unsent) if self.callee.process().mailbox().is_closed() => Err(CallError::Closed(unsent)),
                Some(unsent) => Err(CallError::NoTimers(unsent)),
                // It has not begun, so nothing was sent.
                None => Ok(false),
            }
        })
    }

    #[cold]
    fn refused(&self, refused: Option<PushError<M>>) -> CallError<M> {
        let Some(refused) = refused else { return CallError::Ended(ExitReason::NoProcess, self.target()) };
        match refused {
            PushError::Closed(message) => CallError::Closed(self.unsent(message)),
            PushError::WouldDeadlock(message) => CallError::WouldDeadlock(self.unsent(message)),
            // A sender that waits for room is never refused as full.
            PushError::Full(message) => CallError::NoRoom(self.unsent(message)),
        }
    }

    fn unsent(&self, message: M) -> Unsent<M> {
        Unsent::new(message, self.target())
    }

    /// Cancels the call at its timeout. Returns the error to report.
    #[cold]
    pub(super) fn time_out(&mut self) -> CallError<M> {
        self.publish_timeout();
        match self.callee.cancel(&mut self.entry) {
            Some(message) => CallError::NoRoom(self.unsent(message)),
            None => CallError::TimedOut(self.target()),
        }
    }

    /// Publishes that the call has timed out.
    fn publish_timeout(&self) {
        let process = self.callee.process();
        if let Some(system) = process.system() {
            system.timed_out().send(|| CallTimedOut {
                label: process.label().unwrap_or_default(),
                message_type: process.message_type(),
            });
        }
    }

    /// Cancels the call before anything is sent. Returns the message.
    pub(super) fn cancel(&mut self) -> Option<Unsent<M>> {
        self.callee.cancel(&mut self.entry).map(|message| self.unsent(message))
    }

    /// Records that the caller waits, if the calls of the system are watched.
    fn record_wait(&mut self) {
        let process = self.callee.process();
        if let Some(system) = process.system().filter(|system| system.call_waits().are_watched()) {
            if self.wait.is_none() {
                self.wait = system.call_waits().begin(process.identity());
            }
        }
    }

    #[cold]
    fn target(&self) -> Target {
        self.callee.process().target_of(type_name::<M>())
    }
}

impl<M: Send + 'static, T, C: Callee<M>> Future for Call<M, T, C> {
    type Output = Result<T, CallError<M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let has_just_begun = match this.begin_timeout(cx) {
            Ok(has_just_begun) => has_just_begun,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let is_sent = this.sequence.is_some();
        if !is_sent {
            if let Err(error) = this.send(cx) {
                return Poll::Ready(Err(error));
            }
        }
        // The waker was registered before the message was sent, so it is woken for an answer.
        let polled = if has_just_begun { Poll::Pending } else { this.poll_answer(is_sent, cx) };
        if polled.is_pending() {
            this.record_wait();
        }
        polled
    }
}

/// No field is structurally pinned.
impl<M: Send + 'static, T, C: Callee<M>> Unpin for Call<M, T, C> {}

impl<M: Send + 'static, T, C: Callee<M>> Drop for Call<M, T, C> {
    fn drop(&mut self) {
        if self.sequence.is_none() {
            ignore_panic(|| drop(self.callee.cancel(&mut self.entry)));
        }
        if let (Some(wait), Some(system)) = (self.wait, self.callee.process().system()) {
            system.call_waits().end(wait);
        }
        if let (true, Some(sequence)) = (self.answer_lost, self.sequence) {
            self.callee.process().mailbox().forget_outcome(sequence);
        }
    }
}

impl<M: Send + 'static, T, C: Callee<M>> fmt::Debug for Call<M, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.sequence).finish()
    }
}
