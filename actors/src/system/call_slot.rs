//! The slots of calls. A slot has all that a waiting call shares with its reply and with the timer
//! wheel, under one lock: the waker of the caller, the answer, and the timeout.
//!
//! So a call takes three locks, all of them its own: to begin, to answer, and to take the answer.
//!
//! Nearly every timeout is cancelled, and the next call of the same task sets another, which is due
//! a little later. So a slot stays in the wheel when its call ends, and the next call of the task
//! uses it again; see [`kept_slots`](super::kept_slots). The ticker finds such a slot where an
//! earlier timeout has put it, and moves it on.
//!
//! # Guarantees
//!
//! - A slot has one reply at a time. A slot whose reply outlives its call is not used again.
//! - A slot that is not in use holds no waker and no answer.
//! - A waker and an answer are woken and dropped under no lock.

use std::any::{Any, TypeId};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Waker;

use tokio::time::{Instant, Sleep};

use super::wheel::Key;
use crate::foreign::{Guarded, ignore_panic};
use crate::sync::{Mutex, MutexGuard};

/// A wheel that has slots.
pub(super) trait SlotOwner: Send + Sync {
    /// Removes a slot from the wheel.
    fn remove(&self, slot: &dyn AnySlot);
}

/// A slot without the type of its answers.
pub(super) trait AnySlot: Send + Sync {
    /// Runs `change` under the lock.
    fn change(&self, change: &mut dyn FnMut(&mut CallState));

    /// Returns the type of the answers.
    fn answers(&self) -> TypeId;

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A slot for one call at a time, whose answers are `T`.
///
/// Lock order: after the lock of the wheel.
pub(crate) struct Slot<T>(Mutex<SlotState<T>>);

struct SlotState<T> {
    call: CallState,
    answer: Option<T>,
}

/// The state of a call, without its answer.
pub(super) struct CallState {
    /// The position in the wheel; `None` if the ticker will not look at the slot.
    pub(super) entry: Option<WheelEntry>,
    pub(super) timeout: Timeout,
    /// The waker of the latest poll. `None` before the first poll, once it is taken to be woken,
    /// and while the ticker makes a timer with it.
    pub(super) waker: Option<Waker>,
    pub(super) reply: ReplyState,
}

/// The state of the reply of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReplyState {
    /// It was not used yet, or the slot is not in use.
    Open,
    /// It has sent the answer.
    Answered,
    /// It was dropped without an answer.
    Dropped,
    /// The caller has stopped waiting.
    Abandoned,
}

/// The position of a slot in a wheel.
pub(super) struct WheelEntry {
    pub(super) wheel: Weak<dyn SlotOwner>,
    pub(super) key: Key,
    /// The ticker looks at the slot in time for all timeouts that are to be handed over from then
    /// on.
    pub(super) from: Instant,
    /// The ticker had been polled when the slot came here, so it serves every thread of its
    /// runtime; see `RunningTicker::serves`.
    pub(super) serves_all: bool,
}

/// The timeout of a call.
pub(super) enum Timeout {
    /// No timeout is set.
    Unset,
    /// The ticker will hand the timeout over.
    Waiting(Waiting),
    /// A timer of tokio wakes the caller; `None` if there is no such timer yet, or never will be.
    /// The time is the deadline.
    HandedOver(Instant, Option<Pin<Box<Sleep>>>),
}

/// A timeout in the first half of its time.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub(super) deadline: Instant,
    /// The end of the first half.
    pub(super) hand_over_at: Instant,
}

/// What a call finds in its slot.
pub(crate) enum Polled<T> {
    /// The answer. The slot is not in use any more.
    Answered(T),
    /// The reply was dropped without an answer.
    Dropped {
        /// The ticker will look at the timeout.
        is_watched: bool,
    },
    /// There is no answer yet. The waker will be woken.
    Pending {
        /// The ticker will look at the timeout.
        is_watched: bool,
    },
}

/// What is left in a slot at the end of its call. The caller drops it under no lock.
pub(super) struct EndedCall {
    _waker: Option<Guarded<Waker>>,
    _timer: Option<Pin<Box<Sleep>>>,
    /// The slot may be used again.
    pub(super) is_reusable: bool,
}

impl WheelEntry {
    fn is_of<W: SlotOwner>(&self, wheel: &W) -> bool {
        std::ptr::addr_eq(self.wheel.as_ptr(), wheel)
    }
}

impl CallState {
    /// Hands over the timeout, if there is one in its first half. Returns its deadline, and the
    /// waker unless it has been woken.
    pub(super) fn begin_hand_over(&mut self) -> Option<(Instant, Waker)> {
        let Timeout::Waiting(Waiting { deadline, .. }) = self.timeout else { return None };
        self.timeout = Timeout::HandedOver(deadline, None);
        self.waker.take().map(|waker| (deadline, waker))
    }

    /// Stores the timer that wakes the caller of a timeout that was handed over, and the waker.
    /// Returns both if the call has ended, was polled or has an answer.
    pub(super) fn hand_over(
        &mut self,
        deadline: Instant,
        timer: Pin<Box<Sleep>>,
        waker: Waker,
    ) -> Option<(Pin<Box<Sleep>>, Waker)> {
        match &mut self.timeout {
            Timeout::HandedOver(of, place @ None)
                if *of == deadline && self.waker.is_none() && self.reply == ReplyState::Open =>
            {
                (*place, self.waker) = (Some(timer), Some(waker));
                None
            }
            _ => Some((timer, waker)),
        }
    }

    /// Sets a timeout if the ticker of this wheel looks at the slot in time for it.
    pub(super) fn set_in_time<W: SlotOwner>(&mut self, wheel: &W, timeout: Waiting) -> bool {
        let is_in_time = |entry: &WheelEntry| entry.from <= timeout.hand_over_at && entry.is_of(wheel);
        let is_set = self.entry.as_ref().is_some_and(is_in_time);
        if is_set {
            self.timeout = Timeout::Waiting(timeout);
        }
        is_set
    }

    /// Removes the timeout. Returns its timer, if it was handed over.
    #[inline]
    fn unset_timeout(&mut self) -> Option<Pin<Box<Sleep>>> {
        let timer = match &mut self.timeout {
            Timeout::HandedOver(_, timer) => timer.take(),
            _ => None,
        };
        self.timeout = Timeout::Unset;
        timer
    }

    fn is_watched(&self) -> bool {
        matches!(self.timeout, Timeout::Waiting(_))
    }

    /// Ends the call. The slot may be used again, unless the reply still exists.
    #[inline]
    fn end(&mut self) -> EndedCall {
        let reply = match self.reply {
            ReplyState::Open => ReplyState::Abandoned,
            _ => ReplyState::Open,
        };
        self.reply = reply;
        EndedCall {
            _waker: self.waker.take().map(Guarded::new),
            _timer: self.unset_timeout(),
            is_reusable: reply == ReplyState::Open,
        }
    }
}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        let call = CallState { entry: None, timeout: Timeout::Unset, waker: None, reply: ReplyState::Open };
        Self(Mutex::new(SlotState { call, answer: None }))
    }

    /// Begins a call: registers its waker, and sets its timeout if the ticker of this wheel will
    /// look at this slot in time. It does so only for the task that has used the slot before.
    /// Returns `true` if the timeout is set.
    pub(super) fn begin<W: SlotOwner>(
        &self,
        waker: Waker,
        wheel: &W,
        timeout: Waiting,
        is_known_here: bool,
    ) -> bool {
        let call = &mut self.0.lock().call;
        call.waker = Some(waker);
        let is_served = is_known_here && call.entry.as_ref().is_some_and(|entry| entry.serves_all);
        is_served && call.set_in_time(wheel, timeout)
    }

    /// Begins a call that the ticker does not look at.
    pub(super) fn begin_untimed(&self, waker: Waker) {
        self.0.lock().call.waker = Some(waker);
    }

    /// Looks for the answer. The latest waker is woken when there is one.
    pub(super) fn poll(&self, waker: &Waker) -> (Polled<T>, Option<EndedCall>) {
        let state = self.0.lock();
        let is_known = state.call.waker.as_ref().is_some_and(|known| known.will_wake(waker));
        if is_known || state.call.reply == ReplyState::Answered {
            return Self::look(state);
        }
        drop(state);
        let mut newest = Some(waker.clone());
        let mut state = self.0.lock();
        mem::swap(&mut state.call.waker, &mut newest);
        let polled = Self::look(state);
        drop(newest);
        polled
    }

    #[inline]
    fn look(mut state: MutexGuard<'_, SlotState<T>>) -> (Polled<T>, Option<EndedCall>) {
        let is_watched = state.call.is_watched();
        match (state.call.reply, state.answer.take()) {
            (_, Some(answer)) => {
                let ended = state.call.end();
                drop(state);
                (Polled::Answered(answer), Some(ended))
            }
            (ReplyState::Dropped, None) => (Polled::Dropped { is_watched }, None),
            (_, None) => (Polled::Pending { is_watched }, None),
        }
    }

    /// Removes the timeout: the call has a timer of its own.
    pub(super) fn unset_timeout(&self) {
        let timer = self.0.lock().call.unset_timeout();
        drop(timer);
    }

    /// Ends the call without an answer. Drops an answer that has come.
    pub(super) fn abandon(&self) -> EndedCall {
        let mut state = self.0.lock();
        let (ended, answer) = (state.call.end(), state.answer.take());
        drop(state);
        ignore_panic(|| drop(answer));
        ended
    }

    /// Sends the answer, and wakes the caller. Returns the answer if the caller has stopped
    /// waiting.
    pub(crate) fn answer(&self, answer: T) -> Option<T> {
        let mut state = self.0.lock();
        if state.call.reply != ReplyState::Open {
            return Some(answer);
        }
        state.call.reply = ReplyState::Answered;
        state.answer = Some(answer);
        wake(state);
        None
    }

    /// Records that the reply was dropped without an answer, and wakes the caller.
    pub(crate) fn drop_reply(&self) {
        let mut state = self.0.lock();
        if state.call.reply == ReplyState::Open {
            state.call.reply = ReplyState::Dropped;
            wake(state);
        }
    }

    /// Returns `true` if the caller has stopped waiting.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().call.reply == ReplyState::Abandoned
    }
}

/// Wakes the caller, if it has been polled since it was last woken.
fn wake<T>(mut state: MutexGuard<'_, SlotState<T>>) {
    let waker = state.call.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T: Send + 'static> AnySlot for Slot<T> {
    fn change(&self, change: &mut dyn FnMut(&mut CallState)) {
        change(&mut self.0.lock().call);
    }

    fn answers(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Runs `change` under the lock of a slot. Returns its result.
pub(super) fn with_call<R>(slot: &dyn AnySlot, change: impl FnOnce(&mut CallState) -> R) -> Option<R> {
    let (mut change, mut result) = (Some(change), None);
    slot.change(&mut |call| result = change.take().map(|change| change(call)));
    result
}

/// Removes a slot from its wheel.
#[cold]
pub(super) fn leave(slot: &dyn AnySlot) {
    let wheel = with_call(slot, |call| call.entry.as_ref().and_then(|entry| entry.wheel.upgrade()));
    if let Some(wheel) = wheel.flatten() {
        wheel.remove(slot);
    }
}
