//! Timeouts whose first half is over: the ticker takes them from the wheel, and makes timers of
//! tokio for the rest.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::task::unconstrained;
use tokio::time::Instant;

use super::call_slot::{AnySlot, Timeout, Waiting, WheelEntry, with_call};
use super::wheel::{Key, Wheel};
use crate::clock::sleep_until;
use crate::foreign::guarded;

/// Takes the timeouts of these slots whose first half is over. The slots of later timeouts move on,
/// and the others leave the wheel.
pub(super) fn take_due(
    wheel: &mut Wheel<Arc<dyn AnySlot>>,
    found: Vec<(Key, Arc<dyn AnySlot>)>,
    now: Instant,
) -> Vec<Due> {
    let mut due = Vec::new();
    for (key, slot) in found {
        wheel.remove(key);
        let handed_over = with_call(&*slot, |call| match (&call.timeout, call.entry.take()) {
            (Timeout::Waiting(Waiting { hand_over_at: from, .. }), Some(entry)) if *from > now => {
                let from = *from;
                let (key, _) = wheel.insert(now, from - now, slot.clone());
                call.entry = Some(WheelEntry { key, from, serves_all: true, ..entry });
                None
            }
            _ => call.begin_hand_over(),
        });
        due.extend(handed_over.flatten().map(|(deadline, waker)| Due { slot, deadline, waker }));
    }
    due
}

/// A timeout whose first half is over.
pub(super) struct Due {
    pub(super) slot: Arc<dyn AnySlot>,
    pub(super) deadline: Instant,
    pub(super) waker: Waker,
}

impl Due {
    /// Makes a timer of this runtime wake the caller.
    pub(super) fn hand_over(self) {
        let Self { slot, deadline, waker } = self;
        let waker = guarded(waker);
        let Ok(mut timer) = sleep_until(deadline) else { return waker.wake() };
        let mut cx = Context::from_waker(&waker);
        if pin!(unconstrained(timer.as_mut())).poll(&mut cx).is_ready() {
            return waker.wake();
        }
        let left = with_call(&*slot, |call| call.hand_over(deadline, timer, waker));
        if let Some((timer, waker)) = left.flatten() {
            drop(timer);
            waker.wake();
        }
    }
}
