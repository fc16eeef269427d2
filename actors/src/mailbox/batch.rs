//! The messages that an incarnation took out of its mailbox as one batch.

use std::collections::VecDeque;

/// The state under the batch lock. It belongs to the incarnation in `owner` (invariant 2).
pub(crate) struct Batch<M> {
    owner: Option<u32>,
    pub(crate) messages: VecDeque<M>,
    /// The number of messages counted as handled under this lock.
    pub(crate) handled: u64,
}

impl<M> Batch<M> {
    pub(crate) const fn new() -> Self {
        Self { owner: None, messages: VecDeque::new(), handled: 0 }
    }

    pub(crate) fn is_owned_by(&self, incarnation: u32) -> bool {
        self.owner == Some(incarnation)
    }

    pub(crate) fn set_owner(&mut self, incarnation: u32) {
        self.owner = Some(incarnation);
    }

    pub(crate) fn clear_owner(&mut self) {
        self.owner = None;
    }

    /// Returns the number of messages in the batch, without the one in flight.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}
