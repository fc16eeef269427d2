//! What a peer says of the messages and monitors of this node.

use perennial_actors::host::{catch_panic, ignore_panic};
use tokio::sync::oneshot;

use crate::peer::{Peer, Report, SentParts};
use crate::wire::{Header, Outcome};

/// Gives what a peer says of a message or a monitor to what waits for it.
pub(super) fn on_report(peer: &Peer, header: Header, payload: &[u8]) {
    match header {
        Header::Accepted { id } => {
            let report = peer.with(|link| link.pending.accepted(id));
            tell(report, Outcome::ReplyDropped);
        }
        Header::Refused { id, outcome } => {
            if let Some(mut entry) = peer.with(|link| link.pending.remove(id)) {
                tell(entry.report.take(), outcome);
                entry.close();
            }
        }
        Header::Answer { id, index } => {
            if let Some((reply, report)) = peer.with(|link| link.pending.answered(id, index)) {
                answer(peer, id, (reply, report), payload);
            }
        }
        Header::Dropped { id, index, outcome } => {
            if let Some((reply, report)) = peer.with(|link| link.pending.dropped(id, index)) {
                tell(report, outcome);
                ignore_panic(|| drop(reply));
            }
        }
        Header::Down { id, reason } => {
            let entry = peer.with(|link| link.pending.remove(id));
            tell(entry.and_then(|entry| entry.report), Outcome::Ended(reason));
        }
        _ => {}
    }
}

/// Decodes an answer, and gives it to the caller.
fn answer(peer: &Peer, id: u64, (parts, report): (SentParts, Option<Report>), payload: &[u8]) {
    let SentParts { mut reply, decode } = parts;
    let outcome = match catch_panic(None, || decode(&mut reply, payload)) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Outcome::answer_failed(error)),
        Err(reason) => Some(Outcome::answer_failed(reason)),
    };
    if let Some(outcome) = outcome {
        tell(report.or_else(|| peer.with(|link| link.pending.take_report(id))), outcome);
    }
    // After the report: a call reads it once its reply is dropped.
    ignore_panic(|| drop(reply));
}

/// Tells a sender what became of its message. Its waker is foreign code.
fn tell(report: Option<Report>, outcome: Outcome) {
    if let Some(report) = report {
        ignore_panic(|| drop(oneshot::Sender::send(report, outcome)));
    }
}
