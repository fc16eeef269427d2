//! The calls that wait for an answer, for the search of deadlocks.
//!
//! Nothing is recorded while nothing watches: a call that waits reads one number then.
//! The caller is recorded as the task that polls the call, which costs no search. The actor that
//! runs in the task is found when the waits are read.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::task;
use tokio::time::Instant;

use crate::seq_map::SeqMap;
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// The calls of one system that wait.
#[derive(Default)]
pub(crate) struct CallWaits {
    watches: AtomicUsize,
    waits: Mutex<Waits>,
}

#[derive(Default)]
struct Waits {
    /// The number of the latest wait. The first is 1, so that a call needs no more room for none.
    last: u64,
    calls: SeqMap<WaitingCall>,
}

/// A call that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitingCall {
    /// The task that polls the call.
    pub(crate) caller: task::Id,
    /// The number of the identity that is called.
    pub(crate) callee: u64,
    pub(crate) since: Instant,
}

impl CallWaits {
    /// Returns `true` if the calls are recorded.
    #[inline]
    pub(crate) fn are_watched(&self) -> bool {
        self.watches.load(Ordering::Relaxed) > 0
    }

    /// Records that the current task waits for this identity. Returns the number of the wait, or
    /// `None` outside of tasks.
    #[cold]
    pub(crate) fn begin(&self, callee: u64) -> Option<NonZeroU64> {
        let caller = task::try_id()?;
        let since = Instant::now();
        let mut waits = self.waits.lock();
        let number = waits.last.checked_add(1).and_then(NonZeroU64::new)?;
        waits.last = number.get();
        waits.calls.insert(number.get(), WaitingCall { caller, callee, since });
        Some(number)
    }

    /// Removes a wait.
    #[cold]
    pub(crate) fn end(&self, number: NonZeroU64) {
        self.waits.lock().calls.remove(number.get());
    }

    /// Records calls until [`unwatch`](Self::unwatch).
    pub(crate) fn watch(&self) {
        self.watches.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unwatch(&self) {
        self.watches.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the calls that have waited for at least this time.
    pub(crate) fn longer_than(&self, time: Duration) -> Vec<WaitingCall> {
        let now = Instant::now();
        let waits = self.waits.lock();
        let is_long = |call: &&WaitingCall| now.saturating_duration_since(call.since) >= time;
        waits.calls.values().filter(is_long).copied().collect()
    }
}
