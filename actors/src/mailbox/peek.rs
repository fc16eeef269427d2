//! The consumer in two: one who keeps a lookout over the mailbox, and one who takes a message when it can handle it at once.
//!
//! For an incarnation whose messages are handled by something with a loop of its own. A message that was given to such a loop would
//! be lost with it; so it stays where it is until its turn has come there. Never both at once: who takes has been called by the
//! lookout, and calls it back when it has done.

use std::task::{Poll, Waker};

use super::recv::register_waker;
use super::shared::{KILL, Mailbox, SENDERS_WAITING, SIGNAL};
use super::state::Interest;
use crate::foreign::wake_each;
use crate::sync::Ordering;

/// What a lookout sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Peek {
    /// A message waits.
    Message,
    /// A signal waits, or the incarnation was killed.
    Urgent,
    /// The mailbox was taken away from the incarnation.
    Detached,
}

impl<M> Mailbox<M> {
    /// What there is to act on, which stays where it is; goes to sleep over it if there is nothing. Who is interested in messages
    /// says that the one before was handled.
    pub(crate) fn poll_peek(&self, incarnation: u32, interest: Interest, waker: &Waker) -> Poll<Peek> {
        let mut lanes = self.state.lock();
        if lanes.served_by() != Some(incarnation) {
            return Poll::Ready(Peek::Detached);
        }
        let idle = interest >= Interest::Messages;
        let mut wakers = Vec::new();
        if idle {
            lanes.handled += self.swap_in_flight(0);
            self.settle_dropped(&mut lanes);
            wakers = self.take_outcome_wakers(&mut lanes);
        }
        let waits = self.batch_len.load(Ordering::Relaxed) > 0 || !lanes.messages.is_empty();
        if idle
            && !waits
            && let Some(stop) = lanes.take_stop()
        {
            lanes.cold_or_init().signals.push_back(stop);
            self.attention.set(SIGNAL);
        }
        let urgent = self.attention.has(SIGNAL | KILL).then_some(Peek::Urgent);
        let sight = urgent.or((idle && waits).then_some(Peek::Message));
        match (&sight, idle) {
            (None, true) => {
                self.park(&mut lanes, waker);
                wakers.extend(self.take_idle_wakers(&mut lanes));
            }
            (None, false) => register_waker(&mut lanes, waker, interest),
            (Some(_), _) => {}
        }
        drop(lanes);
        wake_each(wakers);
        sight.map_or(Poll::Pending, Poll::Ready)
    }

    /// The next message, now in hand, unless something comes before it; to ask says that the one before was handled.
    pub(crate) fn try_recv(&self, incarnation: u32) -> Option<M> {
        let mut lanes = self.state.lock();
        if lanes.served_by() != Some(incarnation) || self.attention.has(SIGNAL | KILL) {
            return None;
        }
        lanes.handled += self.swap_in_flight(0);
        self.settle_dropped(&mut lanes);
        let mut wakers = self.take_outcome_wakers(&mut lanes);
        let message = self.next_message(&mut lanes);
        if self.attention.has(SENDERS_WAITING) {
            wakers.extend(self.admit(&mut lanes, Some(self.batch_len.load(Ordering::Relaxed))));
        }
        drop(lanes);
        wake_each(wakers);
        message
    }
}
