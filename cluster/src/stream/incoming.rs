//! What a node receives: the next packet, or a gap; and credit for what was processed.

/// The receiving side of a stream.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// The number of the latest packet of this connection.
    latest: u64,
    /// The number that the latest credit was for.
    credited: u64,
    /// The bytes of the packets since then.
    uncredited: usize,
    /// The packets that were received over all connections.
    received: u64,
    /// Those of them that were received before the present connection.
    received_before: u64,
}

/// What a packet is in its stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Arrival {
    /// The next one.
    Next,
    /// One that was received before.
    Late,
    /// One after others that are lost. What waits for these would wait for ever, so the connection
    /// has to end. The packet is not received.
    Gap,
}

impl Incoming {
    /// Takes note of a packet of so many bytes.
    pub(crate) fn receive(&mut self, sequence: u64, bytes: usize) -> Arrival {
        if sequence <= self.latest {
            return Arrival::Late;
        }
        if self.is_behind(sequence - 1) {
            return Arrival::Gap;
        }
        self.latest = sequence;
        self.uncredited += bytes;
        self.received += 1;
        Arrival::Next
    }

    /// Returns `true` if packets up to this number are lost, which the peer has sent before.
    pub(crate) const fn is_behind(&self, sequence: u64) -> bool {
        self.latest < sequence
    }

    /// Returns the bytes that were received and have no credit yet.
    pub(crate) const fn uncredited(&self) -> usize {
        self.uncredited
    }

    /// Returns the credit that is due once all received packets were processed, once.
    pub(crate) fn take_credit(&mut self) -> Option<u64> {
        let is_due = self.latest > self.credited;
        self.credited = self.latest;
        self.uncredited = 0;
        is_due.then_some(self.latest)
    }

    /// Returns the number of the latest packet of this connection.
    pub(crate) const fn latest(&self) -> u64 {
        self.latest
    }

    /// Begins another connection.
    pub(crate) fn reset(&mut self) {
        self.latest = 0;
        self.credited = 0;
        self.uncredited = 0;
        self.received_before = self.received;
    }

    /// Returns the number of packets that were received before the present connection.
    pub(crate) const fn received_before(&self) -> u64 {
        self.received_before
    }

    /// Returns the number of packets that were received over all connections.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }
}
