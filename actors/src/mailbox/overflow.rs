//! A cast to a full mailbox: which messages are evicted for it, if any.

use std::task::Waker;

use super::cold::{AnyLetters, ColdState};
use super::config::OverflowPolicy;
use super::send::PushError;
use super::senders::Sender;
use super::shared::{Batch, EVICTED, Mailbox, SENDERS_WAITING};
use super::state::{Interest, MailboxState};
use crate::spans::SenderSpan;
use crate::sync::Ordering;

/// The work that is left after an eviction. The caller does it outside the locks.
#[must_use]
pub(crate) struct Evicted<M> {
    /// The evicted messages.
    pub(crate) messages: Vec<M>,
    /// The spans of their senders.
    senders: Vec<SenderSpan>,
    pub(crate) wakers: Vec<Waker>,
    /// What keeps the dead letters, and the incarnation that they were for.
    pub(crate) kept_letters: Option<AnyLetters>,
    pub(crate) incarnation: u32,
}

/// The new item if it was counted but rejected, and the messages that were evicted for it.
type Admitted<M, T> = (Option<T>, Evicted<M>);

impl<M> Mailbox<M> {
    /// Admits a message that found no room, as the overflow policy says. Fails with the message if
    /// nothing may be dropped.
    pub(crate) fn overflow(&self, message: M) -> Result<Evicted<M>, PushError<M>> {
        let mut sender = Sender::current();
        let insert = |state: &mut MailboxState<M>, message| {
            sender.accept(state);
            state.accept(message);
        };
        let (rejected, mut evicted) = self.admit_with_overflow(message, insert)?;
        evicted.messages.extend(rejected);
        Ok(evicted)
    }

    /// Reserves a place for a message that found no room, as the overflow policy says. Returns
    /// `false` if that message itself is dropped. It is counted already in that case.
    pub(crate) fn reserve_with_overflow(&self) -> Result<(bool, Evicted<M>), PushError<()>> {
        let (rejected, evicted) = self.admit_with_overflow((), |state, ()| state.reserve())?;
        Ok((rejected.is_none(), evicted))
    }

    /// Admits a new item, which found no room a moment ago, by a call of `insert`.
    fn admit_with_overflow<T>(
        &self,
        new: T,
        insert: impl FnOnce(&mut MailboxState<M>, T),
    ) -> Result<Admitted<M, T>, PushError<T>> {
        if self.overflow == OverflowPolicy::Reject {
            return Err(PushError::Full(new));
        }
        let mut state = self.state.lock();
        let mut evicted = Evicted {
            messages: Vec::new(),
            senders: Vec::new(),
            wakers: Vec::new(),
            kept_letters: state.cold().and_then(|cold| cold.kept_letters.clone()),
            incarnation: state.incarnation,
        };
        if state.refuses() {
            return Err(PushError::Closed(new));
        }
        // There may be room by now.
        if state.has_waiters() || !self.has_room(&state) {
            match self.overflow {
                OverflowPolicy::DropNewest => {
                    state.cold_or_init().not_handled.discarded += 1;
                    return Ok((Some(new), evicted));
                }
                OverflowPolicy::DropOldest if self.can_make_room(&state) => {
                    self.make_room(&mut state, &mut evicted);
                }
                OverflowPolicy::Reject | OverflowPolicy::DropOldest => return Err(PushError::Full(new)),
            }
        }
        insert(&mut state, new);
        if !state.messages.is_empty() {
            evicted.wakers.extend(state.take_waker_if(Interest::Messages));
        }
        Ok((None, evicted))
    }

    /// Counts a message that is accepted and dropped at once.
    pub(crate) fn count_discarded(&self) {
        self.state.lock().cold_or_init().not_handled.discarded += 1;
    }

    /// Returns `true` if an eviction can make room. It cannot if all places are reserved, or will
    /// be once the waiting senders are admitted.
    fn can_make_room(&self, state: &MailboxState<M>) -> bool {
        let wanted = state.cold().and_then(ColdState::room).map_or(0, |room| room.waiters.permits_wanted());
        state.reserved() + wanted < state.limit
    }

    /// Evicts the oldest messages until every waiting sender is admitted and one more message fits.
    fn make_room(&self, state: &mut MailboxState<M>, evicted: &mut Evicted<M>) {
        let mut batch = self.batch.lock();
        loop {
            if state.messages.len() + state.reserved() + batch.len() >= state.limit {
                // There is one, because not all places are reserved.
                let Some((oldest, sender)) = self.evict_oldest(state, &mut batch) else { break };
                evicted.messages.push(oldest);
                evicted.senders.extend(sender);
            } else if state.has_waiters() {
                evicted.wakers.extend(state.admit_next_waiter());
            } else {
                break;
            }
        }
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        self.flags.clear(SENDERS_WAITING);
        // The reply of an evicted message may have been dropped before the message.
        evicted.wakers.extend(self.settled_up_to(state, u64::MAX));
    }

    /// Removes the oldest message that is not in flight. Returns it with the span of its sender.
    ///
    /// A message behind the one in flight settles when that one settles, and not before (invariant
    /// 3). The consumer sees the flag before it takes another message.
    fn evict_oldest(
        &self,
        state: &mut MailboxState<M>,
        batch: &mut Batch<M>,
    ) -> Option<(M, Option<SenderSpan>)> {
        if batch.messages.is_empty() {
            batch.fill(&mut state.messages);
            (state.swapped, state.admits) = (true, 0);
        }
        let oldest = batch.messages.pop()?;
        // One at most: an incarnation of such a mailbox takes one by one.
        let in_flight = self.in_flight(batch);
        let before = self.settled(state, batch) + in_flight;
        let not_handled = &mut state.cold_or_init().not_handled;
        not_handled.evicted_unsettled += 1;
        let sequence = before + not_handled.evicted_unsettled;
        not_handled.record_evicted(sequence);
        if in_flight == 0 {
            state.settle_evicted();
        } else {
            self.flags.set(EVICTED);
        }
        Some((oldest, state.take_sender(sequence)))
    }
}
