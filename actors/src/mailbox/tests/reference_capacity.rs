//! The specification of room in a mailbox: reserved places, and which messages are evicted for a
//! cast.

use super::checked::Rejected;
use super::reference::Reference;
use crate::mailbox::{OverflowPolicy, PushError};

/// The number of ranges of evicted messages that a mailbox remembers.
const MAX_EVICTED_RANGES: usize = 32;

/// Stands for a message that was dropped before it was made.
pub(super) const NEVER_MADE: u32 = 0;

impl Reference {
    /// Reserves a place. Returns `false` if there is no room, and `None` if the mailbox is closed.
    pub(super) fn reserve(&mut self) -> Option<bool> {
        let free = self.waiters.is_empty() && self.has_room();
        self.reserved += usize::from(self.open && free);
        self.open.then_some(free)
    }

    pub(super) fn reserve_or_wait(&mut self) -> Option<Result<(), u64>> {
        self.reserve().map(|reserved| if reserved { Ok(()) } else { Err(self.wait_for_room(None)) })
    }

    pub(super) fn permit_outcome(&mut self, ticket: u64) -> Option<bool> {
        let at = self.permit_outcomes.iter().position(|(each, _)| *each == ticket)?;
        Some(self.permit_outcomes.remove(at).1)
    }

    pub(super) fn cancel_reserve(&mut self, ticket: u64) {
        if self.permit_outcome(ticket) == Some(true) {
            self.release_permit();
        }
        self.waiters.retain(|(each, _)| *each != ticket);
    }

    pub(super) fn release_permit(&mut self) {
        self.reserved -= 1;
        self.admit();
    }

    pub(super) fn send_reserved(&mut self, message: u32) -> Result<u64, u32> {
        self.reserved -= 1;
        if self.open { Ok(self.accept(message)) } else { Err(message) }
    }

    pub(super) fn cast(&mut self, message: u32) -> Result<Vec<u32>, Rejected> {
        match self.push(message) {
            Err(Rejected::Full(message)) => match self.make_room() {
                Some(Some(dropped)) => {
                    self.accept(message);
                    Ok(dropped)
                }
                Some(None) => {
                    self.dead.push(message);
                    Ok(vec![message])
                }
                None => Err(Rejected::Full(message)),
            },
            other => other.map(|_| Vec::new()),
        }
    }

    /// Reserves a place for a cast. Returns the evicted messages, or `None` if the message of the
    /// cast itself is dropped.
    pub(super) fn cast_with_permit(&mut self) -> Result<Option<Vec<u32>>, PushError<()>> {
        match self.reserve() {
            None => Err(PushError::Closed(())),
            Some(true) => Ok(Some(Vec::new())),
            Some(false) => {
                let made = self.make_room().ok_or(PushError::Full(()))?;
                self.reserved += usize::from(made.is_some());
                // A message that is not made any more is counted all the same.
                self.dead.extend(made.is_none().then_some(NEVER_MADE));
                Ok(made)
            }
        }
    }

    /// Returns the messages that were evicted to make room for one more, or `Some(None)` if that
    /// one is dropped. `None` if nothing may be dropped.
    fn make_room(&mut self) -> Option<Option<Vec<u32>>> {
        let wanted = self.waiters.iter().filter(|(_, message)| message.is_none()).count();
        match self.rules.overflow {
            OverflowPolicy::DropNewest => {
                self.discarded += 1;
                Some(None)
            }
            OverflowPolicy::DropOldest if self.reserved + wanted < self.rules.capacity => {
                let mut messages = Vec::new();
                while !self.has_room() || !self.waiters.is_empty() {
                    let (sequence, message) = self.waiting.remove(0);
                    self.evicted.push(sequence);
                    self.settled.extend(self.attached.map(|_| sequence));
                    messages.push(message);
                    self.admit();
                }
                self.dead.extend(&messages);
                Some(Some(messages))
            }
            OverflowPolicy::DropOldest | OverflowPolicy::Reject => None,
        }
    }

    /// Returns `true` if the message was evicted, as far as the mailbox remembers it.
    pub(super) fn is_evicted(&self, sequence: u64) -> bool {
        let dropped = self.evicted.chunk_by(|one, next| one + 1 == *next);
        dropped.rev().take(MAX_EVICTED_RANGES).any(|run| run.contains(&sequence))
    }
}
