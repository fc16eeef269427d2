//! Messages that were accepted and become dead letters.

use super::ending::{DeferredDrop, DropIn};
use super::kept_letters::KeptLetters;
use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{ignore_panic, wake_each};
use crate::mailbox::{AnyMailbox, Evicted, PushError};
use crate::pid::Pid;
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
                let target = self.pid_of(evicted.incarnation);
                self.dead_letter_evicted(evicted);
                if reserved {
                    return Ok(Some(part));
                }
                // A part is no message that could be sent again.
                self.dead_letter(target, None, || DeadLetterReason::Overflow);
                ignore_panic(|| drop(part));
                Ok(None)
            }
            Err(refused) => Err(refused.map(|()| part)),
        }
    }

    /// Accepts a message that no incarnation will handle, because it cannot be returned to its
    /// sender.
    pub(crate) fn dead_letter_unsent(&self, message: M) {
        self.queue.count_discarded();
        let target = self.pid_of(self.queue.latest_incarnation());
        let reason = || DeadLetterReason::Unhandled(ExitReason::NoProcess);
        self.dead_letter_message(message, target, self.kept_letters().as_deref(), reason);
    }

    fn dead_letter_evicted(&self, evicted: Evicted<M>) {
        wake_each(evicted.wakers);
        let (target, kept) = (self.pid_of(evicted.incarnation), Self::typed(evicted.kept_letters));
        for message in evicted.messages {
            self.dead_letter_message(message, target, kept.as_deref(), || DeadLetterReason::Overflow);
        }
    }

    /// Publishes a dead letter, keeps a copy if the actor keeps such letters, and drops the
    /// message. The drop may run any code.
    fn dead_letter_message(
        &self,
        message: M,
        target: Pid,
        kept: Option<&KeptLetters<M>>,
        reason: impl FnOnce() -> DeadLetterReason,
    ) {
        let number = kept.map(|kept| kept.issue(1));
        if let (Some(kept), Some(number)) = (kept, number) {
            kept.keep_each(number, std::slice::from_ref(&message));
        }
        self.dead_letter(target, number, reason);
        ignore_panic(|| drop(message));
    }

    /// Publishes a dead letter for each message that an end leaves. The messages are dropped now or
    /// after all notifications, and copied before if the actor keeps such letters.
    #[cold]
    pub(super) fn dead_letter_unhandled(
        &self,
        deferred: &mut DeferredDrop<M>,
        target: Pid,
        reason: &ExitReason,
        drop_in: DropIn,
    ) {
        let count = deferred.effects.dead.len() as u64;
        deferred.kept = self.kept_letters().map(|kept| (kept.issue(count), kept));
        let first = deferred.kept.as_ref().map(|(first, _)| *first);
        for nth in 0..count {
            let number = first.map(|first| first + nth);
            self.dead_letter(target, number, || DeadLetterReason::Unhandled(reason.clone()));
        }
        if drop_in == DropIn::OwnTask {
            deferred.drop_messages();
        }
    }
}
