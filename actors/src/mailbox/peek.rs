//! The consumer in two steps: learn that a message is queued, then take it when it can be handled
//! at once.
//!
//! This is for an incarnation whose messages are handled by code with its own loop. A message that
//! was handed to such a loop too early would be lost with it. So the message stays in the mailbox
//! until the loop can handle it.
//!
//! The two steps never run at once: the peeking side wakes the taking side, which wakes it again
//! when it is done.

use std::task::{Poll, Waker};

use super::recv::register_waker;
use super::shared::{KILL, Mailbox, SENDERS_WAITING, SIGNAL};
use super::state::Interest;
use crate::foreign::wake_each;
use crate::sync::Ordering;

/// What a peek found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Peek {
    /// A message is queued.
    Message,
    /// A signal is queued, or the incarnation was killed.
    Urgent,
    /// The mailbox was taken away from the incarnation.
    Detached,
}

impl<M> Mailbox<M> {
    /// Returns what is next, without taking it. Registers `waker` if there is nothing. With
    /// [`Interest::Messages`] it also counts the previous message as handled.
    pub(crate) fn poll_peek(&self, incarnation: u32, interest: Interest, waker: &Waker) -> Poll<Peek> {
        let Some(mut state) = self.lock_attached(incarnation) else { return Poll::Ready(Peek::Detached) };
        let idle = interest >= Interest::Messages;
        let mut wakers = if idle { self.settle_previous(&mut state) } else { Vec::new() };
        let waits = self.batch_len.load(Ordering::Relaxed) > 0 || !state.messages.is_empty();
        let stop = if idle && !waits { state.take_stop() } else { None };
        if let Some(stop) = stop {
            state.cold_or_init().signals.push_back(stop);
            self.flags.set(SIGNAL);
        }
        let urgent = self.flags.has(SIGNAL | KILL).then_some(Peek::Urgent);
        let peek = urgent.or((idle && waits).then_some(Peek::Message));
        match (&peek, idle) {
            (None, true) => {
                self.park(&mut state, waker);
                wakers.extend(self.take_idle_wakers(&mut state));
            }
            (None, false) => register_waker(&mut state, waker, interest),
            (Some(_), _) => {}
        }
        drop(state);
        wake_each(wakers);
        peek.map_or(Poll::Pending, Poll::Ready)
    }

    /// Takes the next message and puts it in flight, unless a signal goes first. Counts the
    /// previous message as handled.
    pub(crate) fn try_recv(&self, incarnation: u32) -> Option<M> {
        let mut state = self.lock_attached(incarnation).filter(|_| !self.has_signal())?;
        let mut wakers = self.settle_previous(&mut state);
        let message = self.next_message(&mut state);
        if self.flags.has(SENDERS_WAITING) {
            wakers.extend(self.admit(&mut state, Some(self.batch_len.load(Ordering::Relaxed))));
        }
        drop(state);
        wake_each(wakers);
        message
    }
}
