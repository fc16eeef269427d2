//! Sending messages to a peer, within its window.

use std::ops::ControlFlow;

use perennial_durable::Payload;

use super::link::{Link, Report, SentParts, Unsent};
use super::record::Peer;
use crate::error::RemoteErrorKind;
use crate::reason::WireReason;
use crate::wire::{Header, NAME_BYTES};

/// The most replies in one message.
pub(crate) const MAX_REPLIES: usize = 1024;

/// A message that is encoded and not sent.
pub(crate) struct Outbound {
    /// The name of the actor.
    pub(crate) to: String,
    pub(crate) payload: Payload,
    /// The other ends of its replies.
    pub(crate) replies: Vec<SentParts>,
    /// The sender wants to know when the message is in the mailbox.
    pub(crate) confirm: bool,
    /// Tells the sender what became of the message.
    pub(crate) report: Option<Report>,
}

/// A message that was not sent.
struct PostError(RemoteErrorKind, Box<Outbound>);

impl Peer {
    /// Sends a message if the window has room and no other sender waits for it.
    pub(crate) fn post(&self, outbound: Outbound) -> Result<(), RemoteErrorKind> {
        let posted = self.with(|link| match link.waiting {
            0 => link.post(outbound),
            _ => Err(PostError(RemoteErrorKind::Busy, Box::new(outbound))),
        });
        // What was not sent is dropped here, without the lock.
        posted.map(drop).map_err(|error| error.0)
    }

    /// Sends a message as soon as the window has room. Returns the number under which it is
    /// pending, or 0.
    pub(crate) async fn post_when_room(&self, outbound: Outbound) -> Result<u64, RemoteErrorKind> {
        let posted = self.when_room(Box::new(outbound), |link, outbound| match link.post(*outbound) {
            Err(PostError(RemoteErrorKind::Busy, outbound)) => ControlFlow::Continue(outbound),
            posted => ControlFlow::Break(posted),
        });
        posted.await.map_err(|error| error.0)
    }

    /// Asks to be told when an actor ends: by a monitor or a link. Returns its number, or the
    /// report if there is no connection.
    pub(crate) fn watch(&self, report: Report, header: impl FnOnce(u64) -> Header) -> Result<u64, Report> {
        self.with(|link| {
            if !link.session.is_up() || link.is_overrun() {
                return Err(report);
            }
            let id = link.pending.insert(Vec::new(), Some(report));
            link.queue(header(id));
            Ok(id)
        })
    }

    /// Tells the other end of a link why this one has ended.
    pub(crate) fn end_link(&self, id: u64, reason: WireReason) {
        let entry = self.with(|link| {
            let entry = link.pending.remove(id)?;
            link.queue(Header::Exit { id, reason });
            Some(entry)
        });
        if let Some(entry) = entry {
            entry.close();
        }
    }

    /// Stops waiting for what comes of a message, a monitor or a link. Replies in the
    /// message that others wait for are answered still.
    pub(crate) fn cancel(&self, id: u64) {
        let entry = self.with(|link| {
            let (entry, is_over) = link.pending.cancel(id, |parts| parts.reply.is_closed());
            if is_over {
                link.queue(Header::Cancel { id });
            }
            entry
        });
        if let Some(entry) = entry {
            entry.close();
        }
    }
}

impl Link {
    fn post(&mut self, outbound: Outbound) -> Result<u64, PostError> {
        let Outbound { to, payload, replies, confirm, report } = outbound;
        let is_pending = report.is_some() || !replies.is_empty();
        let id = if is_pending { self.pending.next_id() } else { 0 };
        let Payload { tag, version, codec, bytes } = payload;
        let count = u32::try_from(replies.len()).unwrap_or(u32::MAX);
        let header = Header::Message { to, tag, version, codec, id, confirm, replies: count };
        let sent = self.send(&header, &bytes);
        let Header::Message { to, tag, version, codec, .. } = header else {
            return Ok(0);
        };
        match sent {
            Ok(()) if is_pending => {
                let commit = |parts: SentParts| SentParts { reply: parts.reply.commit(), ..parts };
                let replies = replies.into_iter().map(commit).collect();
                Ok(self.pending.insert(replies, report))
            }
            Ok(()) => Ok(0),
            Err(unsent) => {
                let kind = match unsent {
                    Unsent::NoConnection => RemoteErrorKind::NoConnection,
                    Unsent::Full => RemoteErrorKind::Busy,
                    // Such a name cannot be exposed.
                    Unsent::TooLong if to.len() > NAME_BYTES => RemoteErrorKind::NoProcess,
                    Unsent::TooLong => {
                        RemoteErrorKind::TooLarge { bytes: bytes.len(), max: self.max_payload() }
                    }
                };
                let payload = Payload { tag, version, codec, bytes };
                let outbound = Outbound { to, payload, replies, confirm, report };
                Err(PostError(kind, Box::new(outbound)))
            }
        }
    }
}
