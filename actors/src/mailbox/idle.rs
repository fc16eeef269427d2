//! Waiting until a mailbox is idle.

use std::task::{Poll, Waker};

use super::shared::{IDLE, Mailbox};
use super::state::{Interest, MailboxState, Phase};
use crate::foreign::wake_each;

/// The traffic of a mailbox so far. Two equal values mean that it stayed idle in between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Traffic {
    accepted: u64,
    incarnation: u32,
}

impl<M> Mailbox<M> {
    /// Resolves if the mailbox is idle: no message is queued or in flight, the attached
    /// incarnation, if there is one, is parked, and the end of the previous one was reported.
    /// Otherwise `waker` is woken when that may be so.
    pub(crate) fn poll_idle(&self, waker: &Waker) -> Poll<Traffic> {
        let mut state = self.state.lock();
        let is_parked = match state.phase {
            Phase::Attached => state.wake_on == Interest::Messages,
            // It ends once it has handled the queued messages.
            Phase::Draining => false,
            Phase::Detached | Phase::Closed | Phase::Drained => state.messages.is_empty(),
        };
        if is_parked && state.unreported_ends == 0 {
            return Poll::Ready(Traffic { accepted: state.accepted(), incarnation: state.incarnation });
        }
        let wakers = &mut state.cold_or_init().idle_wakers;
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        self.flags.set(IDLE);
        Poll::Pending
    }

    /// Takes the wakers of the tasks that wait until the mailbox is idle. The caller wakes them
    /// outside the locks.
    pub(super) fn take_idle_wakers(&self, state: &mut MailboxState<M>) -> Vec<Waker> {
        if !self.flags.has(IDLE) {
            return Vec::new();
        }
        self.flags.clear(IDLE);
        state.cold_mut().map(|cold| std::mem::take(&mut cold.idle_wakers)).unwrap_or_default()
    }

    /// Records that every notification of an end was sent.
    pub(crate) fn end_reported(&self) {
        let mut state = self.state.lock();
        state.unreported_ends = state.unreported_ends.saturating_sub(1);
        let wakers = self.take_idle_wakers(&mut state);
        drop(state);
        wake_each(wakers);
    }
}
