//! Messages that are taken in only to be dropped.

use std::task::Waker;

use super::shared::{Process, survive};
use crate::exit::ExitReason;
use crate::mailbox::{Overflow, Refused};
use crate::system::DeadReason;

impl<M: Send + 'static> Process<M> {
    /// Takes a message in that finds no room, as the mailbox is set.
    pub(crate) fn overflow(&self, message: M) -> Result<(), Refused<M>> {
        let displaced = self.queue.overflow(message)?;
        displaced.wakers.into_iter().for_each(Waker::wake);
        for message in displaced.messages {
            self.mourn(message, || DeadReason::Overflow);
        }
        Ok(())
    }

    /// Whether a cast to a full mailbox drops a message.
    pub(crate) fn drops_on_overflow(&self) -> bool {
        self.queue.overflow_policy() != Overflow::Reject
    }

    /// Takes a message in that nobody will handle any more, because it cannot be given back.
    pub(crate) fn bury_unsent(&self, message: M) {
        self.queue.swallow();
        self.mourn(message, || DeadReason::Unhandled(ExitReason::NoProcess));
    }

    fn mourn(&self, message: M, reason: impl FnOnce() -> DeadReason) {
        self.bury(self.pid_of(self.queue.newest()), reason);
        survive(|| drop(message));
    }
}
