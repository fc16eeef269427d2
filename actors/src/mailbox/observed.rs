//! What a mailbox has while subscribers want spans or the times of messages.

use std::sync::Arc;

use tokio::time::Instant;

use super::sender_spans::SenderSpans;
use crate::spans::Observation;

/// The part of the state that only a mailbox needs that is observed.
#[derive(Default)]
pub(crate) struct ObservedState {
    /// The spans of senders, if they are kept.
    pub(super) senders: Option<Box<SenderSpans>>,
    /// The callbacks that run and are observed, by incarnation. Each stays until its incarnation
    /// takes it out.
    pub(super) callbacks: Vec<(u32, Arc<Observation>)>,
    /// The time of one message, if messages are timed.
    pub(super) stamp: Option<Stamp>,
}

/// The time of one message.
pub(crate) enum Stamp {
    /// The next message that is accepted is to leave its time.
    Wanted,
    /// The time at which the message with this sequence number was accepted.
    Accepted { sequence: u64, at: Instant },
}
