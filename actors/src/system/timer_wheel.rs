//! The timeouts of calls. There are very many, and nearly all are cancelled because the answer
//! comes first.
//!
//! A timer of tokio takes the driver's lock when it starts and when it ends, and may wake a
//! sleeping thread: it costs more than a call. So a timeout spends the first half of its time in a
//! wheel, where it costs one reading of the clock, and usually no lock but that of its call: see
//! [`call_slot`](super::call_slot). If it is still there when that half is over, the ticker, one
//! task for all timeouts, makes a timer of tokio for the rest; see [`hand_over`](super::hand_over).
//!
//! # Guarantees
//!
//! - A timeout never elapses early, and elapses when a timer of tokio would. A delay of the ticker
//!   has no effect as long as it is shorter than half of the timeout.
//! - Waiting costs nothing: the ticker sleeps until the first half of some timeout is over, and
//!   ends when none is left. A timeout may have been cancelled meanwhile, and its slot kept.
//! - One runtime runs the ticker. A caller on another runtime is refused, and takes a timer of its
//!   own runtime. If the runtime of the ticker is shut down, every caller is woken and finds that
//!   its timeout is not watched.
//! - A waker is cloned, woken and dropped under no lock. A waker that panics does not prevent other
//!   wake-ups.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::time::{Instant, Sleep};

use super::call_slot::{AnySlot, SlotOwner, Timeout, Waiting, WheelEntry, leave, with_call};
use super::hand_over::{Due, take_due};
use super::wheel::{Tick, Wheel};
use crate::clock::{FAR, sleep_until};
use crate::error::NoTimers;
use crate::foreign::guarded;
use crate::sync::Mutex;

/// The shortest timeout that uses the wheel. Its half is many times longer than a tick, and than
/// usual delays of a ticker.
pub(super) const SHORTEST: Duration = Duration::from_secs(1);

/// The timeouts of one system.
pub(crate) struct TimerWheel(Mutex<State>);

struct State {
    wheel: Wheel<Arc<dyn AnySlot>>,
    ticker: Option<RunningTicker>,
    next_ticker: u64,
}

/// The running ticker of the wheel.
struct RunningTicker {
    id: TickerId,
    runtime: runtime::Id,
    /// The thread that spawned the ticker, until the ticker is polled for the first time.
    begins_on: Option<ThreadId>,
    /// The next check of the wheel by the ticker; `None` if it was not polled yet and will check at
    /// once.
    wakes_at: Option<Tick>,
    sleep: Arc<TickerSleep>,
}

/// The number of a ticker, with which it detects that it was replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct TickerId(u64);

/// The timer of the ticker. It is shared, so that an earlier timeout can bring it forward without
/// waking the ticker.
///
/// Lock order: this, then the wheel.
struct TickerSleep(Mutex<Pin<Box<Sleep>>>);

impl RunningTicker {
    /// Returns `true` if a waiter here can rely on the ticker.
    ///
    /// A task that a thread has just spawned cannot be run by another thread, and a thread that
    /// blocks does not run it. So until the ticker has been polled, only waiters on the same thread
    /// can rely on it: a block would stop them too.
    fn serves(&self, here: runtime::Id) -> bool {
        self.runtime == here && self.begins_on.is_none_or(|thread| thread == thread::current().id())
    }

    /// Makes the ticker check the wheel at `due`. Returns the timer to reset if it would check
    /// later.
    fn bring_forward(&mut self, due: Tick) -> Option<Arc<TickerSleep>> {
        if self.wakes_at.is_none_or(|wakes_at| wakes_at <= due) {
            return None;
        }
        self.wakes_at = Some(due);
        Some(self.sleep.clone())
    }
}

impl TickerSleep {
    fn new(wakes_at: Instant) -> Result<Self, NoTimers> {
        Ok(Self(Mutex::new(sleep_until(wakes_at)?)))
    }

    fn bring_forward(&self, wakes_at: Instant) {
        let mut sleep = self.0.lock();
        if wakes_at < sleep.deadline() {
            sleep.as_mut().reset(wakes_at);
        }
    }
}

impl TimerWheel {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { wheel: Wheel::new(), ticker: None, next_ticker: 0 }))
    }

    /// Sets a timeout and moves its slot to the tick at which the timeout is handed over. Returns
    /// `false` if the ticker does not serve this caller.
    #[cold]
    pub(super) fn register(
        self: &Arc<Self>,
        slot: &Arc<dyn AnySlot>,
        timeout: Waiting,
        now: Instant,
    ) -> bool {
        let Ok(here) = Handle::try_current() else { return false };
        if self.set_in_place(&**slot, timeout, &here) {
            return true;
        }
        leave(&**slot);
        let from = timeout.hand_over_at;
        let mut state = self.0.lock();
        let mut fresh = None;
        if state.ticker.is_none() {
            drop(state);
            let Ok(sleep) = TickerSleep::new(from) else { return false };
            fresh = Some(Arc::new(sleep));
            state = self.0.lock();
        }
        let begun = match fresh {
            Some(sleep) if state.ticker.is_none() => Some(state.begin(&here, sleep)),
            _ => None,
        };
        let State { wheel, ticker, .. } = &mut *state;
        let Some(ticker) = ticker.as_mut().filter(|ticker| ticker.serves(here.id())) else {
            drop(state);
            return false;
        };
        let (key, due) = wheel.insert(now, from.saturating_duration_since(now), slot.clone());
        let owner: Weak<Self> = Arc::downgrade(self);
        with_call(&**slot, |call| {
            call.entry = Some(WheelEntry { wheel: owner, key, from, serves_all: ticker.begins_on.is_none() });
            call.timeout = Timeout::Waiting(timeout);
        });
        let brought_forward =
            ticker.bring_forward(due).and_then(|sleep| Some((wheel.beginning(due)?, sleep)));
        drop(state);
        if let Some((wakes_at, sleep)) = brought_forward {
            sleep.bring_forward(wakes_at);
        }
        if let Some((id, sleep)) = begun {
            drop(here.spawn(Ticker { wheel: Arc::downgrade(self), id, sleep }));
        }
        true
    }

    /// Sets a timeout if its slot is in this wheel in time, and the ticker serves this caller.
    fn set_in_place(&self, slot: &dyn AnySlot, timeout: Waiting, here: &Handle) -> bool {
        let state = self.0.lock();
        let Some(ticker) = state.ticker.as_ref().filter(|ticker| ticker.serves(here.id())) else {
            return false;
        };
        let is_set = with_call(slot, |call| {
            let is_set = call.set_in_time(self, timeout);
            if let (true, Some(entry)) = (is_set, &mut call.entry) {
                entry.serves_all = ticker.begins_on.is_none();
            }
            is_set
        });
        is_set.unwrap_or_default()
    }

    /// Returns the number of slots at which the ticker will look.
    #[cfg(all(test, not(model)))]
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().wheel.waiting()
    }

    /// Returns how often the ticker has checked the wheel.
    #[cfg(all(test, not(model)))]
    pub(super) fn ticker_polls(&self) -> usize {
        self.0.lock().wheel.advances()
    }
}

impl SlotOwner for TimerWheel {
    fn remove(&self, slot: &dyn AnySlot) {
        let mut state = self.0.lock();
        let entry = with_call(slot, |call| call.entry.take()).flatten();
        let removed = entry.and_then(|entry| state.wheel.remove(entry.key));
        drop(state);
        drop(removed);
    }
}

impl Drop for TimerWheel {
    /// Ends the ticker, which would keep sleeping otherwise.
    fn drop(&mut self) {
        let ticker = self.0.lock().ticker.take();
        if let Some(ticker) = ticker {
            let mut sleep = ticker.sleep.0.lock();
            let past = sleep.deadline().checked_sub(FAR).unwrap_or_else(Instant::now);
            sleep.as_mut().reset(past);
        }
    }
}

impl State {
    fn begin(&mut self, on: &Handle, sleep: Arc<TickerSleep>) -> (TickerId, Arc<TickerSleep>) {
        let id = TickerId(self.next_ticker);
        self.next_ticker += 1;
        let (runtime, begins_on) = (on.id(), Some(thread::current().id()));
        self.ticker = Some(RunningTicker { id, runtime, begins_on, wakes_at: None, sleep: sleep.clone() });
        (id, sleep)
    }
}

/// The task that hands timeouts over to timers of tokio.
struct Ticker {
    wheel: Weak<TimerWheel>,
    id: TickerId,
    sleep: Arc<TickerSleep>,
}

impl Ticker {
    /// Takes the due timeouts and sets its sleep to the next one. Returns `false` if no timeout
    /// waits.
    fn advance(&self, wheel: &TimerWheel) -> (Vec<Due>, bool) {
        // The lock is held until the sleep is set: a timeout that is set meanwhile brings it
        // forward afterwards.
        let mut sleep = self.sleep.0.lock();
        let (due, next) = {
            let mut state = wheel.0.lock();
            let State { wheel, ticker, .. } = &mut *state;
            let (now, mut found) = (Instant::now(), Vec::new());
            wheel.advance(now, |key, slot| found.push((key, slot.clone())));
            let due = take_due(wheel, found, now);
            let next = wheel.next();
            match (next, ticker.as_mut()) {
                (Some((tick, _)), Some(ticker)) => (ticker.wakes_at, ticker.begins_on) = (Some(tick), None),
                _ => *ticker = None,
            }
            (due, next)
        };
        if let Some((_, time)) = next {
            sleep.as_mut().reset(time);
        }
        (due, next.is_some())
    }
}

impl Future for Ticker {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(wheel) = self.wheel.upgrade() else { return Poll::Ready(()) };
            let (due, goes_on) = self.advance(&wheel);
            due.into_iter().for_each(Due::hand_over);
            if !goes_on {
                return Poll::Ready(());
            }
            if self.sleep.0.lock().as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Ticker {
    /// If this is still the current ticker, its runtime is shutting down. Every waiter is woken, to
    /// use a timer of its own.
    fn drop(&mut self) {
        let Some(wheel) = self.wheel.upgrade() else { return };
        let (mut found, mut left) = (Vec::new(), Vec::new());
        {
            let mut state = wheel.0.lock();
            if state.ticker.as_ref().is_some_and(|ticker| ticker.id == self.id) {
                state.ticker = None;
                state.wheel.clear(|key, slot| found.push((key, slot.clone())));
            }
            for (key, slot) in &found {
                state.wheel.remove(*key);
                let handed_over = with_call(&**slot, |call| {
                    call.entry = None;
                    call.begin_hand_over()
                });
                left.extend(handed_over.flatten());
            }
        }
        left.into_iter().for_each(|(_, waker)| guarded(waker).wake());
    }
}
