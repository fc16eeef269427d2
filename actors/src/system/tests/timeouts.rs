//! Calls of which only the timeout matters.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::Mutex;
use crate::system::timer_wheel::TimerWheel;
use crate::system::{CallWaiter, Polled, Slot};

/// A call that waits, with a timeout in the wheel.
pub(super) struct TimeoutId {
    waiter: Mutex<CallWaiter<()>>,
    reply: Arc<Slot<()>>,
    deadline: Instant,
}

impl TimeoutId {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// The state of a timeout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TimeoutState {
    /// Not elapsed. The waker will be woken when it elapses.
    Pending,
    /// Elapsed.
    Elapsed,
    /// The wheel will not wake this waker: the waiter needs a timer of its own for the remaining
    /// time.
    Detached,
}

/// The timeouts of calls, without the calls.
pub(super) trait Timeouts {
    fn set(&self, after: Duration, waker: &Waker) -> Option<TimeoutId>;
    fn poll(&self, id: &TimeoutId, waker: &Waker) -> TimeoutState;
    /// Stops waiting. The slot is not used again, because its reply still exists.
    fn cancel(&self, id: TimeoutId);
    /// Answers the call, and takes the answer. The slot is kept.
    fn answer(&self, id: TimeoutId);
}

impl Timeouts for Arc<TimerWheel> {
    fn set(&self, after: Duration, waker: &Waker) -> Option<TimeoutId> {
        let (mut waiter, reply) = CallWaiter::new();
        let deadline = waiter.begin(Some((self, after)), waker)?;
        Some(TimeoutId { waiter: Mutex::new(waiter), reply, deadline })
    }

    fn poll(&self, id: &TimeoutId, waker: &Waker) -> TimeoutState {
        match id.waiter.lock().poll(waker) {
            _ if Instant::now() >= id.deadline => TimeoutState::Elapsed,
            Polled::Pending { is_watched: true } => TimeoutState::Pending,
            _ => TimeoutState::Detached,
        }
    }

    fn cancel(&self, id: TimeoutId) {
        drop(id.waiter);
    }

    fn answer(&self, id: TimeoutId) {
        let mut waiter = id.waiter.lock();
        // So that the answer wakes no task.
        assert!(!matches!(waiter.poll(Waker::noop()), Polled::Answered(())));
        assert!(id.reply.answer(()).is_none(), "the caller waits");
        assert!(matches!(waiter.poll(Waker::noop()), Polled::Answered(())));
    }
}
