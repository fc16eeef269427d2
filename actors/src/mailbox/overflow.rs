//! A cast that finds the mailbox full: what is dropped for it, if anything.

use std::task::Waker;

use super::batch::Batch;
use super::config::Overflow;
use super::lanes::{Interest, Lanes};
use super::sender::Refused;
use super::shared::{DROPPED, LINE, Queue, settled};
use crate::sync::Ordering;

/// What is to be done outside the locks after messages were dropped.
#[must_use]
pub(crate) struct Displaced<M> {
    /// The messages that were dropped.
    pub(crate) messages: Vec<M>,
    pub(crate) wakers: Vec<Waker>,
}

/// Somebody new, who got in or, though on the books, was turned away; and what was dropped for it.
type Squeezed<M, T> = (Option<T>, Displaced<M>);

impl<M> Queue<M> {
    /// Takes a message in that found no room, as the mailbox is set; it comes back if nothing is to be dropped.
    pub(crate) fn overflow(&self, message: M) -> Result<Displaced<M>, Refused<M>> {
        let enter = |lanes: &mut Lanes<M>, message| {
            lanes.accept(message);
        };
        let (turned_away, mut displaced) = self.squeeze(message, enter)?;
        displaced.messages.extend(turned_away);
        Ok(displaced)
    }

    /// Keeps a place for a message that found no room, as the mailbox is set. False if that message is to be dropped: it is on
    /// the books already.
    pub(crate) fn overflow_place(&self) -> Result<(bool, Displaced<M>), Refused<()>> {
        let (turned_away, displaced) = self.squeeze((), |lanes, ()| lanes.seldom_mut().reserved += 1)?;
        Ok((turned_away.is_none(), displaced))
    }

    /// Lets somebody new `enter`, who found no room a moment ago.
    fn squeeze<T>(&self, new: T, enter: impl FnOnce(&mut Lanes<M>, T)) -> Result<Squeezed<M, T>, Refused<T>> {
        if self.overflow == Overflow::Reject {
            return Err(Refused::Full(new));
        }
        let mut displaced = Displaced { messages: Vec::new(), wakers: Vec::new() };
        let mut lanes = self.lanes.lock();
        if lanes.refuses() {
            return Err(Refused::Closed(new));
        }
        // By now there may be room.
        if lanes.has_line() || !self.has_room(&lanes) {
            match self.overflow {
                Overflow::DropNewest => {
                    lanes.seldom_mut().swallowed += 1;
                    return Ok((Some(new), displaced));
                }
                Overflow::DropOldest if self.can_make_room(&lanes) => {
                    self.make_room(&mut lanes, &mut displaced);
                }
                Overflow::Reject | Overflow::DropOldest => return Err(Refused::Full(new)),
            }
        }
        enter(&mut lanes, new);
        if !lanes.messages.is_empty() {
            displaced.wakers.extend(lanes.rouse(Interest::Messages));
        }
        Ok((None, displaced))
    }

    /// Counts a message as taken in that is dropped on its way.
    pub(crate) fn swallow(&self) {
        self.lanes.lock().seldom_mut().swallowed += 1;
    }

    /// Whether it would help to drop messages: not if those places are taken that are kept, or will be when the line is in.
    fn can_make_room(&self, lanes: &Lanes<M>) -> bool {
        let wanted = lanes.seldom().map_or(0, |seldom| seldom.waiting.places_wanted());
        lanes.reserved() + wanted < lanes.limit
    }

    /// Drops the oldest until everybody in line is in and there is room for one more.
    fn make_room(&self, lanes: &mut Lanes<M>, displaced: &mut Displaced<M>) {
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
        self.attention.clear(LINE);
        // The reply of a dropped message may have been gone before it.
        displaced.wakers.extend(self.settled_up_to(lanes, u64::MAX));
    }

    /// Takes the oldest message out that is not in hand.
    ///
    /// The number of one behind the hand is settled when that of the hand is, and not before (invariant 3): the consumer sees
    /// the bit before it takes another.
    fn drop_oldest(&self, lanes: &mut Lanes<M>, batch: &mut Batch<M>) -> Option<M> {
        let oldest = batch.messages.pop_front().or_else(|| lanes.messages.pop_front())?;
        let in_hand = u64::from(self.in_hand.load(Ordering::Relaxed));
        let before = settled(lanes, batch) + in_hand;
        let seldom = lanes.seldom_mut();
        seldom.dropped_behind += 1;
        let sequence = before + seldom.dropped_behind;
        lanes.remember_drop(sequence);
        if in_hand == 0 {
            lanes.settle_dropped();
        } else {
            self.attention.set(DROPPED);
        }
        Some(oldest)
    }
}
