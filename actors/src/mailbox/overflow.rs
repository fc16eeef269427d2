//! A cast that finds the mailbox full: what is dropped for it, if anything.

use std::task::Waker;

use super::config::{Capacity, Overflow};
use super::lanes::{Interest, Lanes, Loss, Service};
use super::sender::Refused;
use super::shared::{DROPPED, LINE, Queue, settled};
use crate::sync::Ordering;

/// What is to be done outside the locks after messages were dropped.
#[must_use]
pub(crate) struct Displaced<M> {
    /// The messages that were dropped.
    pub(crate) messages: Vec<M>,
    pub(crate) wakers: Vec<Waker>,
    losses: Vec<Loss>,
}

impl<M> Queue<M> {
    /// Takes a message in that finds no room, as the mailbox is set; it comes back if it is not to be dropped.
    pub(crate) fn overflow(&self, message: M) -> Result<Displaced<M>, Refused<M>> {
        let mut displaced = Displaced { messages: Vec::new(), wakers: Vec::new(), losses: Vec::new() };
        let mut lanes = self.lanes.lock();
        if lanes.service == Service::Closed {
            return Err(Refused::Closed(message));
        }
        match self.overflow {
            Overflow::Reject => return Err(Refused::Full(message)),
            Overflow::DropNewest => {
                lanes.seldom_mut().swallowed += 1;
                displaced.messages.push(message);
                return Ok(displaced);
            }
            Overflow::DropOldest => {}
        }
        let all_in = self.make_room(&mut lanes, &mut displaced);
        if all_in {
            lanes.accept(message);
            displaced.wakers.extend(lanes.rouse(Interest::Messages));
            return Ok(displaced);
        }
        drop(lanes);
        displaced.wakers.drain(..).for_each(Waker::wake);
        Err(Refused::Full(message))
    }

    pub(crate) fn overflow_policy(&self) -> Overflow {
        self.overflow
    }

    /// Counts a message as taken in that is dropped on its way.
    pub(crate) fn swallow(&self) {
        self.lanes.lock().seldom_mut().swallowed += 1;
    }

    /// Drops the oldest until everybody in line is in and there is room for one more. False if every place is reserved.
    ///
    /// The one in hand is not dropped. Those behind it get their numbers settled when it is, not before (invariant 3): the
    /// consumer sees the bit before it takes another.
    fn make_room(&self, lanes: &mut Lanes<M>, displaced: &mut Displaced<M>) -> bool {
        let Capacity::Bounded(capacity) = self.capacity else { return true };
        let mut batch = self.batch.lock();
        let roomy = loop {
            if lanes.messages.len() + lanes.reserved() + batch.len() < capacity.get() {
                if !lanes.has_line() {
                    break true;
                }
                displaced.wakers.extend(lanes.advance_line());
                continue;
            }
            let oldest = batch.messages.pop_front().or_else(|| lanes.messages.pop_front());
            let Some(oldest) = oldest else { break false };
            displaced.messages.push(oldest);
            let in_hand = u64::from(self.in_hand.load(Ordering::Relaxed));
            let before = settled(lanes, &batch);
            let seldom = lanes.seldom_mut();
            seldom.dropped_behind += 1;
            let sequence = before + in_hand + seldom.dropped_behind;
            displaced.losses.extend(lanes.remember_drop(sequence));
            if in_hand == 0 {
                lanes.settle_dropped();
            } else {
                self.attention.set(DROPPED);
            }
        };
        self.batch_len.store(batch.len(), Ordering::Relaxed);
        if !lanes.has_line() {
            self.attention.clear(LINE);
        }
        roomy
    }
}
