//! Message statistics.

use std::ops::AddAssign;

/// The message counts of one mailbox or of a whole system.
///
/// `accepted == handled + lost_in_flight + dead_lettered + queued` holds at any time;
/// [`is_balanced`](Self::is_balanced) checks it. None of the five is computed from the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageStats {
    /// Messages that a mailbox accepted.
    pub accepted: u64,
    /// Messages whose handler returned.
    pub handled: u64,
    /// Messages that were being handled when their incarnation failed or was killed.
    pub lost_in_flight: u64,
    /// Messages that were accepted and never reached a handler.
    pub dead_lettered: u64,
    /// Messages that wait, including messages in flight.
    pub queued: u64,
}

impl MessageStats {
    /// Returns `true` if every accepted message is accounted for.
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
