//! Waiting until a mailbox has nothing left to do.

use std::task::{Poll, Waker};

use super::shared::{IDLE, Mailbox};
use super::state::{Interest, MailboxState, Phase};
use crate::foreign::wake_each;

/// What has passed through a mailbox. Two that are equal say that it stayed idle in between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Traffic {
    accepted: u64,
    incarnation: u32,
}

impl<M> Mailbox<M> {
    /// Completes if the mailbox is idle: no message waits or is being handled, the incarnation that is attached, if one is,
    /// sleeps over it, and the end of the one before has been reported. Otherwise `waker` is woken when that may be so.
    pub(crate) fn poll_idle(&self, waker: &Waker) -> Poll<Traffic> {
        let mut lanes = self.state.lock();
        let sleeps = match lanes.service {
            Phase::Attached => lanes.wake_on == Interest::Messages,
            // It ends when it has handled what is queued.
            Phase::Draining => false,
            Phase::Detached | Phase::Closed | Phase::Drained => lanes.messages.is_empty(),
        };
        if sleeps && lanes.ends_to_report == 0 {
            return Poll::Ready(Traffic { accepted: lanes.accepted(), incarnation: lanes.incarnation });
        }
        lanes.cold_or_init().idle_wakers.push(waker.clone());
        self.attention.set(IDLE);
        Poll::Pending
    }

    /// Takes out the wakers of the tasks that wait until it is idle, to be woken outside the locks.
    pub(super) fn take_idle_wakers(&self, lanes: &mut MailboxState<M>) -> Vec<Waker> {
        if !self.attention.has(IDLE) {
            return Vec::new();
        }
        self.attention.clear(IDLE);
        lanes.cold_mut().map(|seldom| std::mem::take(&mut seldom.idle_wakers)).unwrap_or_default()
    }

    /// Says that everything that is to be told of an end was told.
    pub(crate) fn end_reported(&self) {
        let mut lanes = self.state.lock();
        lanes.ends_to_report = lanes.ends_to_report.saturating_sub(1);
        let wakers = self.take_idle_wakers(&mut lanes);
        drop(lanes);
        wake_each(wakers);
    }
}
