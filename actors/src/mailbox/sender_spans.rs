//! The spans of senders, kept until their messages are handled.

use std::collections::{BTreeMap, VecDeque};

use crate::spans::SenderSpan;

/// The spans of senders whose messages are not handled yet.
#[derive(Default)]
pub(crate) struct SenderSpans {
    /// Of accepted messages, by ascending sequence numbers.
    accepted: VecDeque<(u64, SenderSpan)>,
    /// Of the senders that wait for room, by ticket.
    waiting: BTreeMap<u64, SenderSpan>,
}

impl SenderSpans {
    /// Records the span of an accepted message, if it has one.
    pub(super) fn accept(&mut self, sequence: u64, span: Option<SenderSpan>) {
        self.accepted.extend(span.map(|span| (sequence, span)));
    }

    /// Records the span of a sender that waits, if it has one.
    pub(super) fn wait(&mut self, ticket: u64, span: Option<SenderSpan>) {
        self.waiting.extend(span.map(|span| (ticket, span)));
    }

    /// Records that a waiting sender was admitted.
    pub(super) fn admit(&mut self, ticket: u64, sequence: u64) {
        self.accepted.extend(self.waiting.remove(&ticket).map(|span| (sequence, span)));
    }

    /// Takes the span of a sender that waits no more.
    pub(super) fn cancel(&mut self, ticket: u64) -> Option<SenderSpan> {
        self.waiting.remove(&ticket)
    }

    /// Takes the spans up to this message.
    pub(super) fn take_up_to(&mut self, sequence: u64) -> Vec<(u64, SenderSpan)> {
        let settled = self.accepted.partition_point(|(of, _)| *of <= sequence);
        self.accepted.drain(..settled).collect()
    }

    /// Takes the span of this message.
    pub(super) fn take(&mut self, sequence: u64) -> Option<SenderSpan> {
        let at = self.accepted.binary_search_by_key(&sequence, |(of, _)| *of).ok()?;
        self.accepted.remove(at).map(|(_, span)| span)
    }

    /// Takes the spans of all accepted messages.
    pub(super) fn take_accepted(&mut self) -> Vec<SenderSpan> {
        self.accepted.drain(..).map(|(_, span)| span).collect()
    }
}
