//! What a mailbox is supposed to do about room: places that are kept, and what is dropped for a cast.

use super::checked::Back;
use super::reference::Reference;
use crate::mailbox::{OverflowPolicy, PushError};

/// How many runs of messages that were dropped one after the other.
const REMEMBERED_RUNS: usize = 32;

/// Stands for a message that was dropped before it was made.
pub(super) const NEVER_MADE: u32 = 0;

impl Reference {
    /// A place; or false if there is none; or none if it is closed.
    pub(super) fn reserve(&mut self) -> Option<bool> {
        let free = self.line.is_empty() && self.has_room();
        self.kept += usize::from(self.open && free);
        self.open.then_some(free)
    }

    pub(super) fn join_for_place(&mut self) -> Option<Result<(), u64>> {
        self.reserve().map(|kept| if kept { Ok(()) } else { Err(self.stand_in_line(None)) })
    }

    pub(super) fn ask_place(&mut self, ticket: u64) -> Option<bool> {
        let at = self.place_outcomes.iter().position(|(each, _)| *each == ticket)?;
        Some(self.place_outcomes.remove(at).1)
    }

    pub(super) fn leave_place(&mut self, ticket: u64) {
        if self.ask_place(ticket) == Some(true) {
            self.give_back();
        }
        self.line.retain(|(each, _)| *each != ticket);
    }

    pub(super) fn give_back(&mut self) {
        self.kept -= 1;
        self.let_in();
    }

    pub(super) fn fill(&mut self, message: u32) -> Result<u64, u32> {
        self.kept -= 1;
        if self.open { Ok(self.accept(message)) } else { Err(message) }
    }

    pub(super) fn cast(&mut self, message: u32) -> Result<Vec<u32>, Back> {
        match self.push(message) {
            Err(Back::Full(message)) => match self.make_room() {
                Some(Some(dropped)) => {
                    self.accept(message);
                    Ok(dropped)
                }
                Some(None) => {
                    self.dead.push(message);
                    Ok(vec![message])
                }
                None => Err(Back::Full(message)),
            },
            other => other.map(|_| Vec::new()),
        }
    }

    /// As the mailbox has it: whether it is open and takes something more, and what is dropped for it.
    pub(super) fn cast_place(&mut self) -> Result<Option<Vec<u32>>, PushError<()>> {
        match self.reserve() {
            None => Err(PushError::Closed(())),
            Some(true) => Ok(Some(Vec::new())),
            Some(false) => {
                let made = self.make_room().ok_or(PushError::Full(()))?;
                self.kept += usize::from(made.is_some());
                // What is not made into a message any more is on the books all the same.
                self.dead.extend(made.is_none().then_some(NEVER_MADE));
                Ok(made)
            }
        }
    }

    /// What is dropped to make room for one more; some none if it is that one. None if nothing is to be dropped.
    fn make_room(&mut self) -> Option<Option<Vec<u32>>> {
        let wanted = self.line.iter().filter(|(_, message)| message.is_none()).count();
        match self.rules.overflow {
            OverflowPolicy::DropNewest => {
                self.swallowed += 1;
                Some(None)
            }
            OverflowPolicy::DropOldest if self.kept + wanted < self.rules.capacity => {
                let mut messages = Vec::new();
                while !self.has_room() || !self.line.is_empty() {
                    let (sequence, message) = self.waiting.remove(0);
                    self.dropped.push(sequence);
                    self.settled.extend(self.served.map(|_| sequence));
                    messages.push(message);
                    self.let_in();
                }
                self.dead.extend(&messages);
                Some(Some(messages))
            }
            OverflowPolicy::DropOldest | OverflowPolicy::Reject => None,
        }
    }

    /// Whether it was dropped to make room, as far as the mailbox remembers: so many runs of neighbours.
    pub(super) fn is_dropped(&self, sequence: u64) -> bool {
        let dropped = self.dropped.chunk_by(|one, next| one + 1 == *next);
        dropped.rev().take(REMEMBERED_RUNS).any(|run| run.contains(&sequence))
    }
}
