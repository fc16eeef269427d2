//! Sends that wait for room, without a limit or until a deadline.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task;
use tokio::time::{Instant, Sleep};

use super::errors::{SendError, Unsent};
use crate::clock::{deadline_after, sleep_until};
use crate::foreign::ignore_panic;
use crate::mailbox::{Admission, Mailbox, PushError, TicketOutcome, WaitsFor};
use crate::process::Process;
use crate::system::AnyProcess;

/// Converts the refusal of a message, or of a part, to an error.
#[cold]
pub(super) fn unsent<M: Send + 'static, N>(process: &Process<M>, refused: PushError<N>) -> SendError<N> {
    let unsent = |message| Unsent::new(message, process.target::<N>());
    match refused {
        PushError::Full(message) => SendError::Full(unsent(message)),
        PushError::Closed(message) => SendError::Closed(unsent(message)),
        PushError::WouldDeadlock(message) => SendError::WouldDeadlock(unsent(message)),
    }
}

/// The progress of the send of a message, or of a reservation if `T` is `()`.
pub(super) enum SendState<T> {
    /// Not offered to the mailbox yet.
    New(T),
    /// Waiting in the queue of senders, with this ticket.
    Waiting(u64),
    /// Accepted, refused or cancelled.
    Done,
}

impl<T> SendState<T> {
    /// Offers the message to the mailbox by a call of `begin`, or looks for the outcome of its
    /// ticket.
    pub(super) fn advance<G>(
        &mut self,
        begin: impl FnOnce(T) -> Result<Admission<G>, PushError<T>>,
        outcome: impl FnOnce(u64) -> Option<Result<G, PushError<T>>>,
    ) -> Poll<Result<G, PushError<T>>> {
        match mem::replace(self, Self::Done) {
            Self::New(message) => match begin(message) {
                Ok(Admission::Granted(granted)) => return Poll::Ready(Ok(granted)),
                Ok(Admission::Waiting(ticket)) => *self = Self::Waiting(ticket),
                Err(refused) => return Poll::Ready(Err(refused)),
            },
            Self::Waiting(ticket) => match outcome(ticket) {
                Some(outcome) => return Poll::Ready(outcome),
                None => *self = Self::Waiting(ticket),
            },
            // Polled again after it was ready.
            Self::Done => {}
        }
        Poll::Pending
    }
}

/// Returns the result of a send whose ticket has an outcome.
fn sent<M>(outcome: TicketOutcome<M>, refused: fn(M) -> PushError<M>) -> Option<Result<u64, PushError<M>>> {
    match outcome {
        TicketOutcome::Accepted(sequence) => Some(Ok(sequence)),
        TicketOutcome::Refused(message) => message.map(|message| Err(refused(message))),
        // A ticket with a message never gets a bare reservation.
        TicketOutcome::Reserved => None,
    }
}

impl<M: Send + 'static> SendState<M> {
    /// Sends the message as soon as there is room. Returns its sequence number.
    #[inline]
    pub(super) fn poll(
        &mut self,
        process: &Process<M>,
        waits_for: WaitsFor,
        waker: &Waker,
    ) -> Poll<Result<u64, PushError<M>>> {
        // Most messages find room at once.
        match mem::replace(self, Self::Done) {
            Self::New(message) => {
                let pushed = match waits_for {
                    WaitsFor::Room => process.queue.try_push(message),
                    WaitsFor::Answer => process.queue.try_push_call(task::try_id(), message),
                };
                match pushed {
                    Ok(sequence) => return Poll::Ready(Ok(sequence)),
                    Err(message) => *self = Self::New(message),
                }
            }
            other => *self = other,
        }
        self.poll_process(process, waits_for, waker)
    }

    #[inline(never)]
    fn poll_process(
        &mut self,
        process: &Process<M>,
        waits_for: WaitsFor,
        waker: &Waker,
    ) -> Poll<Result<u64, PushError<M>>> {
        self.poll_queue(&process.queue, waits_for, || process.waits_for_this_task(), waker)
    }

    fn poll_queue(
        &mut self,
        queue: &Mailbox<M>,
        waits_for: WaitsFor,
        is_circular: impl Fn() -> bool,
        waker: &Waker,
    ) -> Poll<Result<u64, PushError<M>>> {
        self.advance(
            |message| queue.push_or_wait(message, waits_for, &is_circular, waker),
            |ticket| match queue.poll_ticket(ticket, waker) {
                // Its outcome may be decided before it is cancelled.
                None if is_circular() => sent(queue.cancel_ticket(ticket)?, PushError::WouldDeadlock),
                outcome => sent(outcome?, PushError::Closed),
            },
        )
    }

    /// Cancels the send. Returns the message unless it was accepted.
    pub(super) fn cancel(&mut self, queue: &Mailbox<M>) -> Option<M> {
        match mem::replace(self, Self::Done) {
            Self::New(message) => Some(message),
            Self::Waiting(ticket) => queue.cancel(ticket),
            Self::Done => None,
        }
    }
}

/// The future of [`Address::send`](crate::Address::send).
#[must_use = "nothing is sent before it is awaited"]
pub struct SendFuture<'a, M: Send + 'static> {
    process: &'a Process<M>,
    entry: SendState<M>,
}

impl<'a, M: Send + 'static> SendFuture<'a, M> {
    pub(super) const fn new(process: &'a Process<M>, message: M) -> Self {
        Self { process, entry: SendState::New(message) }
    }

    /// Limits the wait for room to this time from now; then the error returns the message. A
    /// timeout around the future would lose the message instead.
    ///
    /// # Errors
    ///
    /// - [`Full`](SendError::Full) when the time has elapsed.
    /// - [`NoTimers`](SendError::NoTimers) if it must wait and timers are not available.
    /// - The errors of [`Address::send`](crate::Address::send).
    ///
    /// All contain the message.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use perennial_actors::host::Identity;
    /// # use perennial_actors::{MailboxConfig, SendError, System};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let identity = Identity::new(MailboxConfig::bounded(1));
    /// # identity.open(&System::new(), || "never started".into());
    /// # let address = identity.address();
    /// address.cast("first")?;
    /// let late = address.send("second").timeout(Duration::from_millis(10)).await;
    /// assert!(matches!(late, Err(SendError::Full(unsent)) if unsent.message == "second"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(self, timeout: Duration) -> SendTimeoutFuture<'a, M> {
        self.deadline(deadline_after(timeout))
    }

    /// Limits the wait for room to this point in time; then the error returns the message. If there
    /// is room, the message is sent even after the deadline.
    ///
    /// # Errors
    ///
    /// The errors of [`timeout`](Self::timeout).
    pub fn deadline(self, deadline: Instant) -> SendTimeoutFuture<'a, M> {
        SendTimeoutFuture { sending: self, deadline, timer: None }
    }
}

impl<M: Send + 'static> SendFuture<'_, M> {
    /// Stops waiting with an error, unless the message was accepted at this very moment.
    fn cancel(&mut self, error: fn(Unsent<M>) -> SendError<M>) -> Result<(), SendError<M>> {
        match self.entry.cancel(&self.process.queue) {
            Some(message) => Err(error(Unsent::new(message, self.process.target::<M>()))),
            None => Ok(()),
        }
    }
}

impl<M: Send + 'static> Unpin for SendFuture<'_, M> {}

impl<M: Send + 'static> Future for SendFuture<'_, M> {
    type Output = Result<(), SendError<M>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let process = self.process;
        let sent = self.entry.poll(process, WaitsFor::Room, cx.waker());
        sent.map(|sent| sent.map(drop).map_err(|refused| unsent(process, refused)))
    }
}

impl<M: Send + 'static> Drop for SendFuture<'_, M> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.entry, SendState::Done) {
            ignore_panic(|| drop(self.entry.cancel(&self.process.queue)));
        }
    }
}

impl<M: Send + 'static> fmt::Debug for SendFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendFuture(..)")
    }
}

/// The future of [`Address::send`](crate::Address::send) with a deadline.
///
/// # Cancel safety
///
/// The same as of [`Address::send`](crate::Address::send).
///
/// # Errors
///
/// The errors of [`SendFuture::timeout`]. All contain the message.
#[must_use = "nothing is sent before it is awaited"]
pub struct SendTimeoutFuture<'a, M: Send + 'static> {
    sending: SendFuture<'a, M>,
    deadline: Instant,
    /// Made when the send has to wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<M: Send + 'static> Future for SendTimeoutFuture<'_, M> {
    type Output = Result<(), SendError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(sent) = Pin::new(&mut self.sending).poll(cx) {
            return Poll::Ready(sent);
        }
        let deadline = self.deadline;
        let timer = match &mut self.timer {
            Some(timer) => timer,
            none => match sleep_until(deadline) {
                Ok(timer) => none.insert(timer),
                Err(_) => return Poll::Ready(self.sending.cancel(SendError::NoTimers)),
            },
        };
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.sending.cancel(SendError::Full))
    }
}

impl<M: Send + 'static> fmt::Debug for SendTimeoutFuture<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendTimeoutFuture").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;
    use crate::mailbox::MailboxConfig;

    #[test]
    fn send_accepted_during_the_check_for_a_circular_wait_is_sent() {
        let mailbox = Mailbox::new(MailboxConfig::bounded(1));
        mailbox.open();
        assert_eq!(mailbox.attach(), Ok(1));
        let (mut send, waker) = (SendState::New(2), Waker::noop());
        assert_eq!(mailbox.push(1), Ok(1));
        let mut poll =
            |is_circular: &dyn Fn() -> bool| send.poll_queue(&mailbox, WaitsFor::Room, is_circular, waker);
        assert!(poll(&|| false).is_pending());
        let make_room = || mailbox.try_recv(1) == Some(1);
        assert_eq!(poll(&make_room), Poll::Ready(Ok(2)));
    }
}
