//! The connection of two boots, as one of them sees it: a handshake over a network that loses,
//! delays and reorders packets.
//!
//! Each side has an *epoch*, a number that it raises when it gives a connection up. A connection is
//! a pair of epochs. Every packet carries both, so what is left of an earlier connection is never
//! taken for a part of a later one. A side is connected once it has seen its own epoch confirmed
//! by a packet of the epoch that it knows. It asks for a hello until it has one of the connection,
//! because that has the account and the limits of the other side.

use crate::wire::Tags;

/// Epochs from this one on are malformed. A side that begins with 1 never gets there.
const EPOCHS: u64 = 1 << 62;

/// The state of the connection to one boot of a peer.
#[derive(Debug)]
pub(crate) struct Session {
    mine: u64,
    /// The latest epoch of the peer; 0 before its first hello.
    theirs: u64,
    is_up: bool,
    /// A hello of the connection has come.
    has_hello: bool,
}

/// What follows from a packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Transition {
    /// The connection that was up has ended.
    pub(crate) went_down: bool,
    /// The connection is up from now on. It follows `went_down`.
    pub(crate) went_up: bool,
    /// A hello has to be sent.
    pub(crate) must_answer: bool,
    /// The packet belongs to the connection, which is up.
    pub(crate) is_admitted: bool,
}

impl Session {
    /// Begins with an epoch that this side has not used for the peer before.
    pub(crate) const fn new(epoch: u64) -> Self {
        Self { mine: epoch, theirs: 0, is_up: false, has_hello: false }
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.is_up
    }

    /// Returns `true` if a hello of the peer is needed.
    pub(crate) const fn wants_hello(&self) -> bool {
        !self.is_up || !self.has_hello
    }

    /// Returns the tags of the next packet of this side.
    pub(crate) const fn tags(&self, sequence: u64) -> Tags {
        Tags { epoch: self.mine, seen: self.theirs, sequence }
    }

    /// Gives the connection up. Returns `true` if it was up.
    pub(crate) fn end(&mut self) -> bool {
        self.mine += 1;
        self.take_down()
    }

    /// Takes note of a hello. It is admitted if what it says holds for the connection.
    pub(crate) fn on_hello(&mut self, tags: Tags, wants_answer: bool) -> Transition {
        if tags.epoch < self.theirs || tags.epoch >= EPOCHS || tags.seen >= EPOCHS {
            return Transition::default();
        }
        let is_newer = tags.epoch > self.theirs;
        // The peer knows a later epoch than this side: the record of that was dropped here.
        let is_forgotten = tags.seen > self.mine;
        let went_down = (is_newer || is_forgotten) && self.take_down();
        if is_forgotten {
            self.mine = tags.seen + 1;
        }
        self.theirs = tags.epoch;
        let went_up = self.confirm(tags);
        let is_admitted = self.is_up && tags.seen == self.mine;
        self.has_hello |= is_admitted;
        let must_answer = wants_answer || is_newer || is_forgotten;
        Transition { went_down, went_up, must_answer, is_admitted }
    }

    /// Takes note of any other packet. One of the connection that this side waits for confirms it.
    pub(crate) fn on_packet(&mut self, tags: Tags) -> Transition {
        let is_admitted = tags.epoch == self.theirs && tags.seen == self.mine && self.theirs != 0;
        let went_up = is_admitted && self.confirm(tags);
        // The hello that would have confirmed it is lost, and with it the account of the peer.
        Transition { went_down: false, went_up, must_answer: went_up, is_admitted }
    }

    fn confirm(&mut self, tags: Tags) -> bool {
        let is_confirmed = tags.seen == self.mine && !self.is_up;
        self.is_up |= is_confirmed;
        is_confirmed
    }

    fn take_down(&mut self) -> bool {
        self.has_hello = false;
        std::mem::take(&mut self.is_up)
    }
}
