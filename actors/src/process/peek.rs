//! Hosting something that has a loop of its own: a message stays in the mailbox until that loop has come to it.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::consumer::{MailboxConsumer, MailboxEvent};
use super::shared::Process;
use crate::mailbox::{Interest, Peek};

impl<M: Send + 'static> MailboxConsumer<M> {
    /// What is next, as [`poll_next`](Self::poll_next) tells it, except that a message stays in the mailbox, for a [`MessageReceiver`] to
    /// take: it is only told that there is one. To ask says that the message before it was handled.
    pub fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<MailboxEvent<()>> {
        let next = self.poll_peek(Interest::Messages, cx);
        if next.is_pending() {
            self.process().activity.mark_idle();
        }
        next
    }

    /// What does not wait until the message in hand is handled: that the incarnation was told to stop, or killed, or that its mailbox
    /// was taken away. Nothing is said of that message.
    pub fn poll_order(&mut self, cx: &mut Context<'_>) -> Poll<MailboxEvent<()>> {
        let next = self.poll_peek(Interest::Signals, cx);
        if next.is_pending() {
            // It has something in hand that takes its time: from now on it counts for how long.
            self.process().observe(self.incarnation());
        }
        next
    }

    /// The means to take messages out, for whoever handles them.
    #[must_use]
    pub fn taker(&self) -> MessageReceiver<M> {
        MessageReceiver { process: self.process().clone(), incarnation: self.incarnation() }
    }

    fn poll_peek(&mut self, wanted: Interest, cx: &Context<'_>) -> Poll<MailboxEvent<()>> {
        let incarnation = self.incarnation();
        loop {
            let suspended = self.is_suspended();
            if suspended && wanted >= Interest::Messages {
                self.handled();
            }
            let interest = if suspended { wanted.min(Interest::Signals) } else { wanted };
            let queue = &self.process().queue;
            match queue.poll_peek(incarnation, interest, cx.waker()) {
                Poll::Ready(Peek::Message) => return Poll::Ready(MailboxEvent::Message(())),
                Poll::Ready(Peek::Detached) => return Poll::Ready(MailboxEvent::Detached),
                Poll::Ready(Peek::Urgent) if queue.is_killed() => return Poll::Ready(MailboxEvent::Killed),
                Poll::Ready(Peek::Urgent) => {
                    let order = queue.take_signal(incarnation, |_| true);
                    if let Some(reason) = order.and_then(|order| self.handle_control(order)) {
                        return Poll::Ready(MailboxEvent::Stop(reason));
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Takes messages out of the mailbox of an incarnation, one by one, each when it can be handled at once.
///
/// To be used in turns with the [`MailboxConsumer`]: after [`poll_waiting`](MailboxConsumer::poll_waiting) has told of a message and until that is
/// handled, the attachment is asked for [orders](MailboxConsumer::poll_order) only.
pub struct MessageReceiver<M: Send + 'static> {
    process: Arc<Process<M>>,
    incarnation: u32,
}

impl<M: Send + 'static> MessageReceiver<M> {
    /// The next message, now in hand; none if something comes before it, it is suspended, or the
    /// mailbox was taken away.
    #[must_use]
    pub fn take(&self) -> Option<M> {
        if self.process.activity.is_suspended() {
            return None;
        }
        let message = self.process.queue.try_recv(self.incarnation)?;
        self.process.activity.begin_step();
        Some(message)
    }

    /// Says that the message in hand was handled: an end that follows does not lose it.
    pub fn handled(&self) {
        self.process.queue.ack(self.incarnation);
    }
}

impl<M: Send + 'static> fmt::Debug for MessageReceiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taker").field("pid", &self.process.pid_of(self.incarnation)).finish_non_exhaustive()
    }
}
