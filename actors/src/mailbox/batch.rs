//! The messages an incarnation has taken out to work through, and the one in its hand.

use std::collections::VecDeque;

/// What the lock of the batch guards. It belongs to the incarnation whose number it bears (invariant 2).
pub(crate) struct Batch<M> {
    owner: Option<u32>,
    pub(crate) messages: VecDeque<M>,
    in_hand: bool,
    handled: u64,
}

impl<M> Batch<M> {
    pub(crate) const fn new() -> Self {
        Self { owner: None, messages: VecDeque::new(), in_hand: false, handled: 0 }
    }

    pub(crate) fn belongs_to(&self, incarnation: u32) -> bool {
        self.owner == Some(incarnation)
    }

    pub(crate) fn give_to(&mut self, incarnation: u32) {
        self.owner = Some(incarnation);
    }

    /// Takes the next message in hand. The one before it was handled: a handler that failed never asks for another.
    pub(crate) fn pop(&mut self) -> Option<M> {
        self.settle();
        let message = self.messages.pop_front()?;
        self.in_hand = true;
        Some(message)
    }

    /// Counts the message in hand, if any, as handled.
    pub(crate) fn settle(&mut self) {
        self.handled += u64::from(self.in_hand);
        self.in_hand = false;
    }

    /// Takes the batch away from its owner; tells whether a message was in its hand.
    pub(crate) fn release(&mut self) -> bool {
        self.owner = None;
        std::mem::take(&mut self.in_hand)
    }

    /// How many wait in the batch, the one in hand not counted.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// How many are not settled yet, the one in hand counted.
    pub(crate) fn unsettled(&self) -> u64 {
        self.messages.len() as u64 + u64::from(self.in_hand)
    }

    pub(crate) fn handled(&self) -> u64 {
        self.handled
    }
}
