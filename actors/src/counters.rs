//! The accounts of messages.

use std::ops::AddAssign;

/// What became of the messages that were accepted, of one mailbox or of a whole system.
///
/// They add up at any time: `accepted == handled + lost_in_flight + dead_lettered + queued`, which is what
/// [`is_balanced`](Self::is_balanced) checks. None of the five is computed from the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MessageStats {
    /// Messages that a mailbox took in.
    pub accepted: u64,
    /// Messages whose handler returned.
    pub handled: u64,
    /// Messages that were being handled when their incarnation failed or was killed.
    pub lost_in_flight: u64,
    /// Messages that were accepted and then never reached a handler.
    pub dead_lettered: u64,
    /// Messages that wait, the ones being handled included.
    pub queued: u64,
}

impl MessageStats {
    /// Whether every accepted message is accounted for.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        self.accepted == self.handled + self.lost_in_flight + self.dead_lettered + self.queued
    }
}

impl AddAssign for MessageStats {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.handled += other.handled;
        self.lost_in_flight += other.lost_in_flight;
        self.dead_lettered += other.dead_lettered;
        self.queued += other.queued;
    }
}
