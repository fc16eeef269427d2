//! Messages that are accepted only to become dead letters.

use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{ignore_panic, wake_each};
use crate::mailbox::{AnyMailbox, Evicted, PushError};
use crate::system::DeadLetterReason;

impl<M: Send + 'static> Process<M> {
    /// Accepts a message that found no room, as the overflow policy says.
    pub(crate) fn overflow(&self, message: M) -> Result<(), PushError<M>> {
        self.dead_letter_evicted(self.queue.overflow(message)?);
        Ok(())
    }

    /// Reserves a place, as the overflow policy says, for a message that found no room and is yet
    /// to be made of `part`. Returns `None` if that message itself is dropped.
    pub(crate) fn overflow_part<N>(&self, part: N) -> Result<Option<N>, PushError<N>> {
        match self.queue.reserve_with_overflow() {
            Ok((reserved, evicted)) => {
                self.dead_letter_evicted(evicted);
                if reserved {
                    return Ok(Some(part));
                }
                self.dead_letter_value(part, || DeadLetterReason::Overflow);
                Ok(None)
            }
            Err(refused) => Err(refused.map(|()| part)),
        }
    }

    /// Accepts a message that no incarnation will handle, because it cannot be returned to its
    /// sender.
    pub(crate) fn dead_letter_unsent(&self, message: M) {
        self.queue.count_discarded();
        self.dead_letter_value(message, || DeadLetterReason::Unhandled(ExitReason::NoProcess));
    }

    fn dead_letter_evicted(&self, evicted: Evicted<M>) {
        wake_each(evicted.wakers);
        for message in evicted.messages {
            self.dead_letter_value(message, || DeadLetterReason::Overflow);
        }
    }

    /// Publishes a dead letter, and drops the message or the part of one. The drop may run any
    /// code.
    fn dead_letter_value<T>(&self, message: T, reason: impl FnOnce() -> DeadLetterReason) {
        self.dead_letter(self.pid_of(self.queue.latest_incarnation()), reason);
        ignore_panic(|| drop(message));
    }
}
