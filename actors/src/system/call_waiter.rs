//! The caller's side of a call.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::task;
use tokio::time::Instant;

use super::call_slot::{AnySlot, EndedCall, Polled, Slot, Waiting, leave};
use super::kept_slots;
use super::timer_wheel::{SHORTEST, TimerWheel};
use crate::clock::FAR;

/// A caller, from before its first poll until it has the answer. When it is dropped, the caller has
/// stopped waiting.
pub(crate) struct CallWaiter<T> {
    /// `None` once the call has its answer.
    slot: Option<Arc<Slot<T>>>,
    /// The task that has used the slot before, and may use it again.
    task: Option<task::Id>,
    /// Keeps `Call` and `Reply` free of bounds on `T`.
    erase: fn(Arc<Slot<T>>) -> Arc<dyn AnySlot>,
}

impl<T: Send + 'static> CallWaiter<T> {
    /// Returns a caller that waits for nothing yet, and the slot for its reply.
    pub(crate) fn new() -> (Self, Arc<Slot<T>>) {
        let task = task::try_id();
        let slot = task.and_then(kept_slots::take).unwrap_or_else(|| Arc::new(Slot::new()));
        (Self { slot: Some(slot.clone()), task, erase: |slot| slot }, slot)
    }
}

impl<T> CallWaiter<T> {
    /// Begins to wait, and registers the waker. Returns the deadline if the ticker of the wheel
    /// looks at the timeout. Otherwise the call needs a timer of its own runtime: the timeout is
    /// short, there is no runtime here or one without timers, or the ticker runs on another runtime
    /// or has not begun yet.
    pub(crate) fn begin(
        &mut self,
        timeout: Option<(&Arc<TimerWheel>, Duration)>,
        waker: &Waker,
    ) -> Option<Instant> {
        let (slot, waker, here) = (self.slot.as_ref()?, waker.clone(), task::try_id());
        let is_known_here = here == self.task;
        self.task = here;
        let Some((wheel, after)) = timeout.filter(|(_, after)| *after >= SHORTEST) else {
            slot.begin_untimed(waker);
            return None;
        };
        let (now, after) = (Instant::now(), after.min(FAR));
        let (deadline, hand_over_at) = (now + after, now + after / 2);
        let timeout = Waiting { deadline, hand_over_at };
        let is_set = slot.begin(waker, &**wheel, timeout, is_known_here)
            || wheel.register(&(self.erase)(slot.clone()), timeout, now);
        is_set.then_some(deadline)
    }

    /// Looks for the answer. If there is none, the waker is woken when there is one.
    #[inline]
    pub(crate) fn poll(&mut self, waker: &Waker) -> Polled<T> {
        let Some(slot) = &self.slot else { return Polled::Pending { is_watched: false } };
        let (polled, ended) = slot.poll(waker);
        if let Some(ended) = ended {
            self.release(&ended);
        }
        polled
    }

    /// Removes the timeout: the call has a timer of its own.
    pub(crate) fn unset_timeout(&self) {
        if let Some(slot) = &self.slot {
            slot.unset_timeout();
        }
    }

    /// Keeps the slot for the next call of this task, if possible.
    fn release(&mut self, ended: &EndedCall) {
        let Some(slot) = self.slot.take() else { return };
        match self.task {
            Some(task) if ended.is_reusable => kept_slots::keep(task, (self.erase)(slot)),
            _ => leave(&*(self.erase)(slot)),
        }
    }
}

impl<T> Drop for CallWaiter<T> {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            let ended = slot.abandon();
            self.release(&ended);
        }
    }
}
