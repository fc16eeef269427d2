//! A cast that finds the mailbox full: what is dropped for it, if anything.

use std::task::Waker;

use super::batch::Batch;
use super::config::OverflowPolicy;
use super::send::PushError;
use super::shared::{EVICTED, Mailbox, SENDERS_WAITING, settled_count};
use super::state::{Interest, MailboxState};
use crate::sync::Ordering;

/// What is to be done outside the locks after messages were dropped.
#[must_use]
pub(crate) struct Evicted<M> {
    /// The messages that were dropped.
    pub(crate) messages: Vec<M>,
    pub(crate) wakers: Vec<Waker>,
}

/// Somebody new, who got in or, though on the books, was turned away; and what was dropped for it.
type Admitted<M, T> = (Option<T>, Evicted<M>);

impl<M> Mailbox<M> {
    /// Takes a message in that found no room, as the mailbox is set; it comes back if nothing is to be dropped.
    pub(crate) fn overflow(&self, message: M) -> Result<Evicted<M>, PushError<M>> {
        let enter = |lanes: &mut MailboxState<M>, message| {
            lanes.accept(message);
        };
        let (turned_away, mut displaced) = self.admit_with_overflow(message, enter)?;
        displaced.messages.extend(turned_away);
        Ok(displaced)
    }

    /// Keeps a place for a message that found no room, as the mailbox is set. False if that message is to be dropped: it is on
    /// the books already.
    pub(crate) fn reserve_with_overflow(&self) -> Result<(bool, Evicted<M>), PushError<()>> {
        let (turned_away, displaced) =
            self.admit_with_overflow((), |lanes, ()| lanes.cold_or_init().reserved += 1)?;
        Ok((turned_away.is_none(), displaced))
    }

    /// Lets somebody new `enter`, who found no room a moment ago.
    fn admit_with_overflow<T>(
        &self,
        new: T,
        enter: impl FnOnce(&mut MailboxState<M>, T),
    ) -> Result<Admitted<M, T>, PushError<T>> {
        if self.overflow == OverflowPolicy::Reject {
            return Err(PushError::Full(new));
        }
        let mut displaced = Evicted { messages: Vec::new(), wakers: Vec::new() };
        let mut lanes = self.state.lock();
        if lanes.refuses() {
            return Err(PushError::Closed(new));
        }
        // By now there may be room.
        if lanes.has_line() || !self.has_room(&lanes) {
            match self.overflow {
                OverflowPolicy::DropNewest => {
                    lanes.cold_or_init().discarded += 1;
                    return Ok((Some(new), displaced));
                }
                OverflowPolicy::DropOldest if self.can_make_room(&lanes) => {
                    self.make_room(&mut lanes, &mut displaced);
                }
                OverflowPolicy::Reject | OverflowPolicy::DropOldest => return Err(PushError::Full(new)),
            }
        }
        enter(&mut lanes, new);
        if !lanes.messages.is_empty() {
            displaced.wakers.extend(lanes.take_waker_if(Interest::Messages));
        }
        Ok((None, displaced))
    }

    /// Counts a message as taken in that is dropped on its way.
    pub(crate) fn count_discarded(&self) {
        self.state.lock().cold_or_init().discarded += 1;
    }

    /// Whether it would help to drop messages: not if those places are taken that are kept, or will be when the line is in.
    fn can_make_room(&self, lanes: &MailboxState<M>) -> bool {
        let wanted = lanes.seldom().map_or(0, |seldom| seldom.waiting.places_wanted());
        lanes.reserved() + wanted < lanes.limit
    }

    /// Drops the oldest until everybody in line is in and there is room for one more.
    fn make_room(&self, lanes: &mut MailboxState<M>, displaced: &mut Evicted<M>) {
        let mut batch = self.batch.lock();
        loop {
            if lanes.messages.len() + lanes.reserved() + batch.len() >= lanes.limit {
                // There is one: not all places are kept.
                let Some(oldest) = self.drop_oldest(lanes, &mut batch) else { break };
                displaced.messages.push(oldest);
            } else if lanes.has_line() {
                displaced.wakers.extend(lanes.advance_line());
            } else {
                break;
            }
        }
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        self.attention.clear(SENDERS_WAITING);
        // The reply of a dropped message may have been gone before it.
        displaced.wakers.extend(self.settled_up_to(lanes, u64::MAX));
    }

    /// Takes the oldest message out that is not in hand.
    ///
    /// The number of one behind the hand is settled when that of the hand is, and not before (invariant 3): the consumer sees
    /// the bit before it takes another.
    fn drop_oldest(&self, lanes: &mut MailboxState<M>, batch: &mut Batch<M>) -> Option<M> {
        let oldest = batch.messages.pop_front().or_else(|| lanes.messages.pop_front())?;
        let in_hand = u64::from(self.in_flight.load(Ordering::Relaxed));
        let before = settled_count(lanes, batch) + in_hand;
        let seldom = lanes.cold_or_init();
        seldom.evicted_unsettled += 1;
        let sequence = before + seldom.evicted_unsettled;
        lanes.remember_drop(sequence);
        if in_hand == 0 {
            lanes.settle_dropped();
        } else {
            self.attention.set(EVICTED);
        }
        Some(oldest)
    }
}
