//! How the spans of senders come into a mailbox, and to the incarnation that handles the messages.
//!
//! A message has no room for the span of its sender: it would cost every message. So the spans are
//! kept apart, by the sequence numbers of the messages, and only in a mailbox whose incarnation
//! runs while a subscriber wants spans of handlers. Such a mailbox lets no sender take the shortest
//! way in, so that way has no check for spans.
//!
//! A span is foreign: it is dropped under no lock.

use super::sender_spans::SenderSpans;
use super::shared::Mailbox;
use super::state::MailboxState;
use crate::spans::{self, SenderSpan};

/// The span of a sender on its way into a mailbox. It must outlive the guard of the state, because
/// it drops what the mailbox does not keep.
pub(super) struct Sender {
    span: Option<SenderSpan>,
    /// The subscriber of the sender wants no spans.
    are_unwanted: bool,
    forgotten: Option<Box<SenderSpans>>,
}

impl Sender {
    /// Returns the calling sender. Must be called under no lock.
    pub(super) fn current() -> Self {
        let are_wanted = spans::are_wanted();
        let span = if are_wanted { SenderSpan::current() } else { None };
        Self { span, are_unwanted: !are_wanted, forgotten: None }
    }

    /// Returns a sender without a span. No subscriber is asked.
    pub(super) const fn unlinked() -> Self {
        Self { span: None, are_unwanted: false, forgotten: None }
    }

    /// Records the span for the message that is accepted next, and its time if it is wanted.
    pub(super) fn accept<M>(&mut self, state: &mut MailboxState<M>) {
        let next = state.accepted + 1;
        state.stamp(next);
        if let Some(senders) = self.kept_by(state) {
            senders.accept(next, self.span.take());
        }
    }

    /// Records the span for a sender that waits for room.
    pub(super) fn wait<M>(&mut self, state: &mut MailboxState<M>, ticket: u64) {
        if let Some(senders) = self.kept_by(state) {
            senders.wait(ticket, self.span.take());
        }
    }

    /// Returns where the mailbox keeps spans. A mailbox stops to keep them when they are not wanted
    /// any more.
    fn kept_by<'a, M>(&mut self, state: &'a mut MailboxState<M>) -> Option<&'a mut SenderSpans> {
        let senders = &mut state.observed_mut()?.senders;
        if self.are_unwanted {
            self.forgotten = senders.take();
        }
        senders.as_deref_mut()
    }
}

impl<M> MailboxState<M> {
    /// Begins to keep the spans of senders.
    pub(super) fn keep_senders(&mut self) -> &mut SenderSpans {
        self.admits = 0;
        self.observed_or_init().senders.get_or_insert_default()
    }

    /// Returns `true` if it keeps the spans of senders.
    pub(super) fn keeps_senders(&self) -> bool {
        self.observed().is_some_and(|observed| observed.senders.is_some())
    }

    /// Takes the span of the sender of this message.
    pub(super) fn take_sender(&mut self, sequence: u64) -> Option<SenderSpan> {
        self.observed_mut()?.senders.as_mut()?.take(sequence)
    }

    /// Takes the spans of the senders of all messages.
    pub(super) fn take_senders(&mut self) -> Vec<SenderSpan> {
        let senders = self.observed_mut().and_then(|observed| observed.senders.as_mut());
        senders.map(|senders| senders.take_accepted()).unwrap_or_default()
    }

    /// Takes the span of a sender that waits no more.
    pub(super) fn cancel_sender(&mut self, ticket: u64) -> Option<SenderSpan> {
        self.observed_mut()?.senders.as_mut()?.cancel(ticket)
    }
}

impl<M> Mailbox<M> {
    /// Takes the span in which the message was sent that the incarnation is about to handle.
    /// Returns `None` for a message to itself. The mailbox keeps the spans of senders from now on.
    pub(crate) fn take_sender(&self, incarnation: u32) -> Option<SenderSpan> {
        let mut state = self.lock_attached(incarnation)?;
        let (in_flight, sequence) = self.current(&state);
        let senders = state.keep_senders();
        if in_flight == 0 {
            return None;
        }
        let mut taken = senders.take_up_to(sequence);
        drop(state);
        taken.pop().filter(|(of, _)| *of == sequence).map(|(_, span)| span)
    }
}
