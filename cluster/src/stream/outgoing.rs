//! What a node sends: numbers and a window.

use std::collections::VecDeque;

/// The sending side of a stream. The receiver returns credit when it has processed packets, so at
/// most a window of bytes is on the way or waits at the receiver.
#[derive(Debug)]
pub(crate) struct Outgoing {
    window: usize,
    /// The sizes of the packets that were not credited yet, in order.
    on_the_way: VecDeque<usize>,
    bytes: usize,
    /// The number of the latest packet of this connection.
    sequence: u64,
    account: Account,
}

/// What became of all packets that were sent to one boot of a peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Account {
    /// Over all connections.
    sent: u64,
    /// Until the present connection began.
    sent_before: u64,
    /// Known to be lost, of those sent before the present connection.
    lost: u64,
    /// What the peer had received before this account was opened; none until its first hello.
    received_earlier: Option<u64>,
    /// The most that the peer is known to have received for this account.
    received: u64,
    /// How many of them the peer does not count any more, because it has dropped its record.
    received_uncounted: u64,
}

/// The window has no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct WindowFull;

impl Outgoing {
    pub(crate) const fn new(window: usize) -> Self {
        let account = Account {
            sent: 0,
            sent_before: 0,
            lost: 0,
            received_earlier: None,
            received: 0,
            received_uncounted: 0,
        };
        Self { window, on_the_way: VecDeque::new(), bytes: 0, sequence: 0, account }
    }

    /// Returns `true` if a packet with so many bytes may be sent. One that is larger than the
    /// window may be sent alone.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes <= self.window
    }

    /// Counts a packet, which is sent now, with the number after the [latest](Self::latest).
    ///
    /// # Errors
    ///
    /// The window has no room.
    pub(crate) fn push(&mut self, bytes: usize) -> Result<(), WindowFull> {
        if !self.has_room(bytes) {
            return Err(WindowFull);
        }
        self.on_the_way.push_back(bytes);
        self.bytes += bytes;
        self.sequence += 1;
        self.account.sent += 1;
        Ok(())
    }

    /// Takes credit for all packets up to this one.
    pub(crate) fn credit(&mut self, through: u64) {
        let oldest = self.sequence - self.on_the_way.len() as u64;
        for _ in oldest..through.min(self.sequence) {
            self.bytes -= self.on_the_way.pop_front().unwrap_or(0);
        }
    }

    /// Returns `true` if there was credit in the present connection.
    pub(crate) fn had_credit(&self) -> bool {
        self.sequence > self.on_the_way.len() as u64
    }

    /// Returns the number of the latest packet of the connection.
    pub(crate) const fn latest(&self) -> u64 {
        self.sequence
    }

    /// Begins another connection: nothing is on the way.
    pub(crate) fn reset(&mut self) {
        self.on_the_way.clear();
        self.bytes = 0;
        self.sequence = 0;
        self.account.sent_before = self.account.sent;
    }

    /// Takes note of how many packets the peer has received before the present connection. Returns
    /// how many more of them are lost than was known.
    ///
    /// The peer may have received packets of an earlier account, which was dropped here. It says
    /// how many in the first connection of this account. It may have dropped its own record, and
    /// begin again: what it received since its latest hello then counts as lost.
    pub(crate) fn settle_account(&mut self, received: u64) -> u64 {
        let account = &mut self.account;
        let is_first = account.sent_before == 0;
        let earlier = *account.received_earlier.get_or_insert(if is_first { received } else { 0 });
        let counted = received.saturating_sub(earlier).saturating_add(account.received_uncounted);
        account.received_uncounted += account.received.saturating_sub(counted);
        account.received = account.received.max(counted);
        let lost = account.sent_before.saturating_sub(account.received);
        let more = lost.saturating_sub(account.lost);
        account.lost += more;
        more
    }

    /// Returns the number of packets that were sent over all connections.
    pub(crate) const fn sent(&self) -> u64 {
        self.account.sent
    }

    /// Returns the number of packets that are known to be lost.
    pub(crate) const fn lost(&self) -> u64 {
        self.account.lost
    }

    /// Returns the bytes that are on the way or not processed yet.
    pub(crate) const fn bytes_on_the_way(&self) -> usize {
        self.bytes
    }

    /// Returns the number of packets that are on the way or not processed yet.
    pub(crate) fn packets_on_the_way(&self) -> usize {
        self.on_the_way.len()
    }
}
