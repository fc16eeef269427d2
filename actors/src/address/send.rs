//! Sending that waits for room, for as long as it takes or until a deadline.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::errors::{Closed, SendError};
use crate::foreign::ignore_panic;
use crate::mailbox::{Outcome, Queue};
use crate::process::Process;

/// A message on its way into a mailbox, perhaps in line for room.
pub(super) enum Entry<M> {
    /// It was not offered yet.
    New(M),
    /// It stands in line.
    InLine(u64),
    /// It is in, or back.
    Done,
}

impl<M> Entry<M> {
    /// Goes in as soon as there is room; then the sequence number.
    pub(super) fn poll(&mut self, queue: &Queue<M>, waker: &Waker) -> Poll<Result<u64, M>> {
        let result = match std::mem::replace(self, Self::Done) {
            Self::New(message) => match queue.push_or_join(message, waker) {
                Ok(Ok(sequence)) => Ok(sequence),
                Ok(Err(ticket)) => {
                    *self = Self::InLine(ticket);
                    return Poll::Pending;
                }
                Err(message) => Err(message),
            },
            Self::InLine(ticket) => match queue.collect(ticket, waker) {
                Some(Outcome::Accepted(sequence)) => Ok(sequence),
                Some(Outcome::Refused(Some(message))) => Err(message),
                // What has a message is not told of a place.
                Some(Outcome::Refused(None) | Outcome::Reserved) | None => {
                    *self = Self::InLine(ticket);
                    return Poll::Pending;
                }
            },
            // Polled again after it was ready: there is nothing more to come.
            Self::Done => return Poll::Pending,
        };
        Poll::Ready(result)
    }

    /// Turns back. The message comes along unless it is in.
    pub(super) fn turn_back(&mut self, queue: &Queue<M>) -> Option<M> {
        match std::mem::replace(self, Self::Done) {
            Self::New(message) => Some(message),
            Self::InLine(ticket) => queue.leave(ticket),
            Self::Done => None,
        }
    }
}

/// The future of [`Address::send`](crate::Address::send).
#[must_use = "nothing is sent before it is awaited"]
pub struct Sending<'a, M: Send + 'static> {
    process: &'a Process<M>,
    entry: Entry<M>,
}

impl<'a, M: Send + 'static> Sending<'a, M> {
    pub(super) const fn new(process: &'a Process<M>, message: M) -> Self {
        Self { process, entry: Entry::New(message) }
    }

    /// Waits for room at most so long, from now on; then the message comes back. There is no need to wrap the future, which
    /// would lose it.
    ///
    /// # Errors
    ///
    /// [`Full`](SendError::Full) when the time is up, [`Closed`](SendError::Closed) if nobody serves the actor and nobody is due to;
    /// both with the message.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::num::NonZeroUsize;
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use perennial_actors::host::Identity;
    /// # use perennial_actors::{Mailbox, SendError, System};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let identity = Identity::new(Mailbox::bounded(NonZeroUsize::MIN));
    /// # identity.open(&System::new(), || Arc::from("nobody comes"));
    /// # let address = identity.address();
    /// address.cast("first")?;
    /// let late = address.send("second").timeout(Duration::from_millis(10)).await;
    /// assert_eq!(late, Err(SendError::Full("second")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(self, timeout: Duration) -> SendingUntil<'a, M> {
        // So far ahead that nobody sees the difference to never.
        const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
        self.deadline(Instant::now() + timeout.min(FAR))
    }

    /// Waits for room until then at most; then the message comes back. A message for which there is room is sent, however
    /// late it is.
    ///
    /// # Errors
    ///
    /// As of [`timeout`](Self::timeout).
    pub fn deadline(self, deadline: Instant) -> SendingUntil<'a, M> {
        SendingUntil { sending: self, deadline, alarm: None }
    }
}

impl<M: Send + 'static> Unpin for Sending<'_, M> {}

impl<M: Send + 'static> Future for Sending<'_, M> {
    type Output = Result<(), Closed<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let process = self.process;
        self.entry.poll(&process.queue, cx.waker()).map(|sent| sent.map(drop).map_err(Closed))
    }
}

impl<M: Send + 'static> Drop for Sending<'_, M> {
    fn drop(&mut self) {
        ignore_panic(|| drop(self.entry.turn_back(&self.process.queue)));
    }
}

impl<M: Send + 'static> fmt::Debug for Sending<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending(..)")
    }
}

/// The future of [`Address::send`](crate::Address::send) with a deadline.
///
/// # Cancel safety
///
/// As of the future without.
///
/// # Errors
///
/// [`Full`](SendError::Full) when the time is up, [`Closed`](SendError::Closed) if nobody serves the actor and nobody is due to. The
/// message comes back either way.
///
/// # Panics
///
/// When it has to wait, outside a tokio runtime or on one without timers.
#[must_use = "nothing is sent before it is awaited"]
pub struct SendingUntil<'a, M: Send + 'static> {
    sending: Sending<'a, M>,
    deadline: Instant,
    /// Made when it has to wait.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<M: Send + 'static> Future for SendingUntil<'_, M> {
    type Output = Result<(), SendError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(sent) = Pin::new(&mut self.sending).poll(cx) {
            return Poll::Ready(sent.map_err(|Closed(message)| SendError::Closed(message)));
        }
        let deadline = self.deadline;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let sending = &mut self.sending;
        Poll::Ready(match sending.entry.turn_back(&sending.process.queue) {
            Some(message) => Err(SendError::Full(message)),
            // It got its place at this very moment.
            None => Ok(()),
        })
    }
}

impl<M: Send + 'static> fmt::Debug for SendingUntil<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendingUntil").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
