//! The messages an incarnation has taken out to work through.

use std::collections::VecDeque;

/// What the lock of the batch guards. It belongs to the incarnation whose number it bears (invariant 2).
pub(crate) struct Batch<M> {
    owner: Option<u32>,
    pub(crate) messages: VecDeque<M>,
    /// How many messages were counted as handled under this lock.
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

    /// How many wait in the batch, the one in hand not counted.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}
