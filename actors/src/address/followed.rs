//! A message whose end can be awaited without a reply in it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::errors::{ClosedError, Unsent};
use super::permit::Permit;
use crate::exit::ExitReason;
use crate::mailbox::MessageOutcome;
use crate::process::Process;
use crate::system::AnyProcess;

/// What became of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FollowedOutcome {
    /// Its handler has returned.
    Handled,
    /// It was evicted from the mailbox.
    Evicted,
    /// It was lost with the incarnation that had it.
    Lost(ExitReason),
}

/// Resolves when a message was handled or lost.
#[must_use = "a future does nothing before it is polled"]
pub struct FollowedMessage<M: Send + 'static> {
    process: Arc<Process<M>>,
    sequence: u64,
    is_polled: bool,
}

impl<M: Send + 'static> FollowedMessage<M> {
    /// Sends a message with reserved room. It is in the mailbox when this returns.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] if no incarnation is running and none is pending any more.
    pub fn send(permit: Permit<M>, message: M) -> Result<Self, ClosedError<M>> {
        let process = permit.into_process();
        match process.queue.send_reserved(message) {
            Ok(sequence) => Ok(Self { process, sequence, is_polled: false }),
            Err(message) => Err(ClosedError(Unsent::new(message, process.target::<M>()))),
        }
    }
}

impl<M: Send + 'static> Future for FollowedMessage<M> {
    type Output = FollowedOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<FollowedOutcome> {
        self.is_polled = true;
        match self.process.mailbox().outcome(self.sequence, cx.waker()) {
            MessageOutcome::Pending => Poll::Pending,
            MessageOutcome::Handled => Poll::Ready(FollowedOutcome::Handled),
            MessageOutcome::Evicted => Poll::Ready(FollowedOutcome::Evicted),
            MessageOutcome::Lost(reason) => Poll::Ready(FollowedOutcome::Lost(reason)),
        }
    }
}

/// No field is structurally pinned.
impl<M: Send + 'static> Unpin for FollowedMessage<M> {}

impl<M: Send + 'static> Drop for FollowedMessage<M> {
    fn drop(&mut self) {
        if self.is_polled {
            self.process.mailbox().forget_outcome(self.sequence);
        }
    }
}

impl<M: Send + 'static> fmt::Debug for FollowedMessage<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FollowedMessage").field(&self.sequence).finish()
    }
}
