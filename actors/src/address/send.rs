//! Sending that waits for room.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::errors::Closed;
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
                Some(Outcome::Refused(message)) => Err(message),
                None => {
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
        drop(self.entry.turn_back(&self.process.queue));
    }
}

impl<M: Send + 'static> fmt::Debug for Sending<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending(..)")
    }
}
