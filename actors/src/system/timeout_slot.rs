//! The slots of the timer wheel, and the few that each thread keeps for the next calls.
//!
//! Nearly every timeout is cancelled, and the next call of the same task sets another, which is due
//! a little later. So a slot stays in the wheel when its timeout is cancelled, and the task uses it
//! again: no lock is taken but the slot's own. The ticker finds such a slot where an earlier
//! timeout has put it, and moves it on.
//!
//! # Guarantees
//!
//! - A kept slot holds no waker, so it keeps nothing of a task alive.
//! - A thread keeps at most [`KEPT`] slots, and drops them when it ends.
//! - A kept slot is used again only by the task that has used it. A task stays on its runtime, so
//!   the ticker that served it once serves it again.

use std::cell::RefCell;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::thread::ThreadId;
use std::{mem, ptr};

use tokio::task::{self, unconstrained};
use tokio::time::{Instant, Sleep};

use super::wheel::{Key, Wheel};
use crate::clock::sleep_until;
use crate::foreign::guarded;
use crate::sync::Mutex;

/// The number of slots that a thread keeps. A task that finds its slot replaced uses another one.
const KEPT: usize = 64;

/// A wheel that has slots.
pub(super) trait SlotOwner: Send + Sync {
    /// Removes a slot from the wheel.
    fn remove(&self, slot: &Slot);
}

/// A slot of a wheel, for one timeout at a time.
pub(super) struct Slot {
    wheel: Weak<dyn SlotOwner>,
    /// Lock order: after the lock of the wheel.
    pub(super) state: Mutex<SlotState>,
}

pub(super) struct SlotState {
    /// The position in the wheel; `None` if the ticker will not look at the slot.
    pub(super) entry: Option<WheelEntry>,
    pub(super) timeout: Timeout,
}

/// The position of a slot in the wheel.
pub(super) struct WheelEntry {
    pub(super) key: Key,
    /// The ticker looks at the slot in time for all timeouts that are to be handed over from then
    /// on.
    pub(super) from: Instant,
    /// The only thread that may use the slot again, until the ticker has been polled; see
    /// `RunningTicker::serves`.
    pub(super) thread: Option<ThreadId>,
}

/// The timeout of a slot, and what wakes its waiter.
pub(super) enum Timeout {
    /// No timeout is set.
    Unset,
    /// The ticker will hand the timeout over.
    Waiting(Waiting),
    /// A timer of tokio wakes the waiter; `None` if there is no such timer yet, or never will be.
    /// The time is the deadline.
    HandedOver(Instant, Option<Pin<Box<Sleep>>>),
}

/// A timeout in the first half of its time.
pub(super) struct Waiting {
    pub(super) deadline: Instant,
    /// The end of the first half.
    pub(super) hand_over_at: Instant,
    /// The waker of the latest poll. `None` only while it is replaced.
    pub(super) waker: Option<Waker>,
}

impl Slot {
    pub(super) fn new(wheel: Weak<dyn SlotOwner>) -> Self {
        let state = SlotState { entry: None, timeout: Timeout::Unset };
        Self { wheel, state: Mutex::new(state) }
    }

    pub(super) fn is_of<T: SlotOwner>(&self, wheel: &T) -> bool {
        ptr::addr_eq(self.wheel.as_ptr(), wheel)
    }

    /// Sets a timeout if the ticker will look at this slot in time. Returns the only thread that
    /// may use the slot again, if there is one. Returns the timeout if it is not set.
    pub(super) fn try_set(&self, timeout: Waiting) -> Result<Option<ThreadId>, Waiting> {
        let mut state = self.state.lock();
        match &state.entry {
            Some(entry) if entry.from <= timeout.hand_over_at => {
                let thread = entry.thread;
                state.timeout = Timeout::Waiting(timeout);
                Ok(thread)
            }
            _ => Err(timeout),
        }
    }

    /// Removes the timeout and returns it. The caller drops it under no lock.
    pub(super) fn unset(&self) -> Timeout {
        mem::replace(&mut self.state.lock().timeout, Timeout::Unset)
    }

    /// Stores the timer that wakes the waiter of a timeout that was handed over. Returns the timer
    /// if the timeout was cancelled.
    pub(super) fn hand_over(&self, deadline: Instant, timer: Pin<Box<Sleep>>) -> Option<Pin<Box<Sleep>>> {
        match &mut self.state.lock().timeout {
            Timeout::HandedOver(of, place) if *of == deadline => place.replace(timer),
            _ => Some(timer),
        }
    }

    /// Removes the slot from its wheel.
    pub(super) fn leave(&self) {
        if let Some(wheel) = self.wheel.upgrade() {
            wheel.remove(self);
        }
    }
}

impl SlotState {
    /// Hands over the timeout, if there is one in its first half. Returns it.
    pub(super) fn begin_hand_over(&mut self) -> Option<Waiting> {
        match mem::replace(&mut self.timeout, Timeout::Unset) {
            Timeout::Waiting(waiting) => {
                self.timeout = Timeout::HandedOver(waiting.deadline, None);
                Some(waiting)
            }
            other => {
                self.timeout = other;
                None
            }
        }
    }
}

/// Takes the timeouts of these slots whose first half is over. The slots of later timeouts move on,
/// and the others leave the wheel.
pub(super) fn take_due(wheel: &mut Wheel<Arc<Slot>>, found: Vec<(Key, Arc<Slot>)>, now: Instant) -> Vec<Due> {
    let mut due = Vec::new();
    for (key, slot) in found {
        wheel.remove(key);
        let mut own = slot.state.lock();
        own.entry = None;
        match &own.timeout {
            Timeout::Waiting(Waiting { hand_over_at: from, .. }) if *from > now => {
                let from = *from;
                let (key, _) = wheel.insert(now, from - now, slot.clone());
                own.entry = Some(WheelEntry { key, from, thread: None });
            }
            _ => {
                let timeout = own.begin_hand_over();
                drop(own);
                due.extend(timeout.map(|timeout| Due { slot, timeout }));
            }
        }
    }
    due
}

/// A timeout whose first half is over.
pub(super) struct Due {
    slot: Arc<Slot>,
    timeout: Waiting,
}

impl Due {
    /// Makes a timer of this runtime wake the waiter.
    pub(super) fn hand_over(self) {
        let Self { slot, timeout } = self;
        let Some(waker) = timeout.waker.map(guarded) else { return };
        let Ok(mut timer) = sleep_until(timeout.deadline) else { return waker.wake() };
        let mut cx = Context::from_waker(&waker);
        if pin!(unconstrained(timer.as_mut())).poll(&mut cx).is_ready() {
            waker.wake();
        } else {
            drop(slot.hand_over(timeout.deadline, timer));
        }
    }
}

type CachedSlot = Option<(task::Id, Arc<Slot>)>;

thread_local! {
    /// The slots that tasks have used on this thread. A task has one place, which others share.
    static SLOTS: RefCell<[CachedSlot; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// Takes the slot that this task has used on this thread.
pub(super) fn take(task: task::Id) -> Option<Arc<Slot>> {
    with_place(task, |place| match place {
        Some((owner, _)) if *owner == task => place.take().map(|(_, slot)| slot),
        _ => None,
    })
    .flatten()
}

/// Keeps a slot without a timeout for the next call of this task. Returns the slot that is not
/// kept.
pub(super) fn keep(task: task::Id, slot: Arc<Slot>) -> Option<Arc<Slot>> {
    let mut kept = Some((task, slot));
    with_place(task, |place| mem::swap(place, &mut kept));
    kept.map(|(_, slot)| slot)
}

/// Calls `change` with the place of a task, unless this thread is ending.
fn with_place<T>(task: task::Id, change: impl FnOnce(&mut CachedSlot) -> T) -> Option<T> {
    let mut number = Number(0);
    task.hash(&mut number);
    let place = number.0 as usize % KEPT;
    let changed = SLOTS.try_with(|slots| Some(change(slots.try_borrow_mut().ok()?.get_mut(place)?)));
    changed.ok().flatten()
}

/// Reads the number of a task: tokio hashes it, and gives no other access to it.
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
