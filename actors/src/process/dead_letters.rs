//! Messages that are taken in only to be dropped.

use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{ignore_panic, wake_each};
use crate::mailbox::{Evicted, PushError};
use crate::system::DeadLetterReason;

impl<M: Send + 'static> Process<M> {
    /// Takes a message in that found no room, as the mailbox is set.
    pub(crate) fn overflow(&self, message: M) -> Result<(), PushError<M>> {
        self.dead_letter_evicted(self.queue.overflow(message)?);
        Ok(())
    }

    /// Keeps a place for a message that found no room and is yet to be made of a `part`, as the mailbox is set. None if it is
    /// the one that is dropped.
    pub(crate) fn overflow_part<N>(&self, part: N) -> Result<Option<N>, PushError<N>> {
        match self.queue.reserve_with_overflow() {
            Ok((kept, displaced)) => {
                self.dead_letter_evicted(displaced);
                if kept {
                    return Ok(Some(part));
                }
                self.dead_letter_value(part, || DeadLetterReason::Overflow);
                Ok(None)
            }
            Err(refused) => Err(refused.map(|()| part)),
        }
    }

    /// Takes a message in that nobody will handle any more, because it cannot be given back.
    pub(crate) fn dead_letter_unsent(&self, message: M) {
        self.queue.count_discarded();
        self.dead_letter_value(message, || DeadLetterReason::Unhandled(ExitReason::NoProcess));
    }

    fn dead_letter_evicted(&self, displaced: Evicted<M>) {
        wake_each(displaced.wakers);
        for message in displaced.messages {
            self.dead_letter_value(message, || DeadLetterReason::Overflow);
        }
    }

    /// Buries a message, or what was to become one. Its drop may do anything.
    fn dead_letter_value<T>(&self, message: T, reason: impl FnOnce() -> DeadLetterReason) {
        self.dead_letter(self.pid_of(self.queue.latest_incarnation()), reason);
        ignore_panic(|| drop(message));
    }
}
