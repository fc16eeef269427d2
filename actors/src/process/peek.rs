//! Hosting code that has a loop of its own: a message stays in the mailbox until that loop can
//! handle it.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::consumer::{MailboxConsumer, MailboxEvent};
use super::shared::Process;
use crate::mailbox::Interest;

impl<M: Send + 'static> MailboxConsumer<M> {
    /// Returns the next event like [`poll_next`](Self::poll_next), but leaves a message in the
    /// mailbox, for a [`MessageReceiver`] to take. Counts the previous message as handled.
    pub fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<MailboxEvent<()>> {
        loop {
            let interest = if self.is_suspended() { Interest::Signals } else { Interest::Messages };
            let next = self.process().queue.poll_peek(self.incarnation(), interest, cx.waker());
            if next.is_pending() {
                self.process().activity.mark_idle();
            }
            if let Some(next) = self.host_event(next) {
                return next;
            }
        }
    }

    /// Returns an event that does not wait until the message in flight is handled: a stop, a kill,
    /// or the loss of the mailbox. That message is not counted as handled.
    pub fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<MailboxEvent<()>> {
        loop {
            let queue = &self.process().queue;
            let next = queue.poll_inside(self.incarnation(), Interest::Signals, |_| true, cx.waker());
            if next.is_pending() {
                // The message in flight takes its time: observe it from now on.
                self.process().observe(self.incarnation());
            }
            if let Some(next) = self.host_event(next) {
                return next;
            }
        }
    }

    /// Returns a receiver, for the code that handles the messages.
    #[must_use]
    pub fn taker(&self) -> MessageReceiver<M> {
        MessageReceiver { process: self.process().clone(), incarnation: self.incarnation() }
    }
}

/// A receiver that takes messages out of the mailbox of an incarnation, one by one, each when it
/// can be handled at once.
///
/// It takes turns with the [`MailboxConsumer`]: once
/// [`poll_waiting`](MailboxConsumer::poll_waiting) has returned a message, only
/// [`poll_order`](MailboxConsumer::poll_order) may be called until that message is handled.
pub struct MessageReceiver<M: Send + 'static> {
    process: Arc<Process<M>>,
    incarnation: u32,
}

impl<M: Send + 'static> MessageReceiver<M> {
    /// Takes the next message, which is in flight then. Returns `None` if something goes before it,
    /// the incarnation is suspended, or the mailbox was taken away.
    #[must_use]
    pub fn take(&self) -> Option<M> {
        if self.process.activity.is_suspended() {
            return None;
        }
        let message = self.process.queue.try_recv(self.incarnation)?;
        self.process.activity.begin_step();
        Some(message)
    }

    /// Counts the message in flight as handled. An end that follows does not lose it.
    pub fn handled(&self) {
        self.process.queue.ack(self.incarnation);
    }
}

impl<M: Send + 'static> fmt::Debug for MessageReceiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReceiver")
            .field("pid", &self.process.pid_of(self.incarnation))
            .finish_non_exhaustive()
    }
}
