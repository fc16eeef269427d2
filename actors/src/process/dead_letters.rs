//! Messages that were accepted and become dead letters.

use super::ending::DropIn;
use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{Each, ignore_panic, run_elsewhere, wake_each};
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
                self.dead_letter_evicted(evicted);
                if reserved {
                    return Ok(Some(part));
                }
                // A part is no message that could be sent again.
                self.publish_dropped(None, || DeadLetterReason::Overflow);
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
        self.dead_letter_message(message, || DeadLetterReason::Unhandled(ExitReason::NoProcess));
    }

    fn dead_letter_evicted(&self, evicted: Evicted<M>) {
        wake_each(evicted.wakers);
        for message in evicted.messages {
            self.dead_letter_message(message, || DeadLetterReason::Overflow);
        }
    }

    /// Publishes a dead letter for each message that an end leaves, and keeps copies if the actor
    /// keeps such letters. Leaves the messages that are dropped after all notifications.
    pub(super) fn dead_letter_unhandled(
        &self,
        dead: &mut Vec<M>,
        target: Pid,
        reason: &ExitReason,
        drop_in: DropIn,
    ) {
        let kept = self.kept_letters().map(|kept| (kept.issue(dead.len() as u64), kept));
        for nth in 0..dead.len() as u64 {
            let number = kept.as_ref().map(|(first, _)| first + nth);
            self.dead_letter(target, number, || DeadLetterReason::Unhandled(reason.clone()));
        }
        match (drop_in, kept) {
            (DropIn::NewTask, None) => {}
            (DropIn::OwnTask, None) => drop(Each::new(std::mem::take(dead))),
            (DropIn::OwnTask, Some((first, kept))) => {
                kept.keep_each(first, &Each::new(std::mem::take(dead)));
            }
            // The copies are made by code of users.
            (DropIn::NewTask, Some((first, kept))) => {
                let dead = Each::new(std::mem::take(dead));
                run_elsewhere(move || kept.keep_each(first, &dead));
            }
        }
    }

    /// Publishes a dead letter, keeps a copy if the actor keeps such letters, and drops the
    /// message. The drop may run any code.
    fn dead_letter_message(&self, message: M, reason: impl FnOnce() -> DeadLetterReason) {
        let kept = self.kept_letters();
        let number = kept.as_ref().map(|kept| kept.issue(1));
        if let (Some(kept), Some(first)) = (kept, number) {
            kept.keep_each(first, std::slice::from_ref(&message));
        }
        self.publish_dropped(number, reason);
        ignore_panic(|| drop(message));
    }

    fn publish_dropped(&self, number: Option<u64>, reason: impl FnOnce() -> DeadLetterReason) {
        self.dead_letter(self.pid_of(self.queue.latest_incarnation()), number, reason);
    }
}
