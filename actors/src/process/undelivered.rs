//! Messages that are taken in only to be dropped.

use super::shared::Process;
use crate::exit::ExitReason;
use crate::foreign::{ignore_panic, wake_each};
use crate::mailbox::{Displaced, Refused};
use crate::system::DeadReason;

impl<M: Send + 'static> Process<M> {
    /// Takes a message in that found no room, as the mailbox is set.
    pub(crate) fn overflow(&self, message: M) -> Result<(), Refused<M>> {
        self.displace(self.queue.overflow(message)?);
        Ok(())
    }

    /// Keeps a place for a message that found no room and is yet to be made of a `part`, as the mailbox is set. None if it is
    /// the one that is dropped.
    pub(crate) fn overflow_part<N>(&self, part: N) -> Result<Option<N>, Refused<N>> {
        match self.queue.overflow_place() {
            Ok((kept, displaced)) => {
                self.displace(displaced);
                if kept {
                    return Ok(Some(part));
                }
                self.mourn(part, || DeadReason::Overflow);
                Ok(None)
            }
            Err(refused) => Err(refused.map(|()| part)),
        }
    }

    /// Takes a message in that nobody will handle any more, because it cannot be given back.
    pub(crate) fn bury_unsent(&self, message: M) {
        self.queue.swallow();
        self.mourn(message, || DeadReason::Unhandled(ExitReason::NoProcess));
    }

    fn displace(&self, displaced: Displaced<M>) {
        wake_each(displaced.wakers);
        for message in displaced.messages {
            self.mourn(message, || DeadReason::Overflow);
        }
    }

    /// Buries a message, or what was to become one. Its drop may do anything.
    fn mourn<T>(&self, message: T, reason: impl FnOnce() -> DeadReason) {
        self.bury(self.pid_of(self.queue.newest()), reason);
        ignore_panic(|| drop(message));
    }
}
