//! How the incarnations in one slot have ended: which one was stopped in order, and how many ended themselves without a job.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, Pid};

use crate::policy::Backoff;

/// How long the next incarnation waits when the last ones have ended in order without a job: none is counted as a crash, and without a
/// delay they would follow each other all the time.
const BRAKE: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

/// How the incarnations in one slot have ended.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The incarnation that its supervisor told to stop, and not because it hung; 0 if there was none.
    dismissed: AtomicU32,
    /// Whether the last incarnation has begun a job.
    has_worked: AtomicBool,
    /// How many in a row have ended themselves without a job, in order.
    idle_ends: AtomicU32,
}

impl Ends {
    /// An incarnation is about to be stopped, and not because it hangs.
    pub(super) fn release_worker(&self, pid: Pid) {
        self.dismissed.store(pid.incarnation(), Ordering::Release);
    }

    /// Returns `true` if this incarnation was stopped in order.
    pub(super) fn is_dismissed(&self, pid: Pid) -> bool {
        self.dismissed.load(Ordering::Acquire) == pid.incarnation()
    }

    /// The incarnation begins a job.
    pub(super) fn work(&self) {
        if !self.has_worked.load(Ordering::Relaxed) {
            self.has_worked.store(true, Ordering::Relaxed);
        }
    }

    /// An incarnation has ended.
    pub(super) fn end(&self, pid: Pid, reason: &ExitReason) {
        let has_worked = self.has_worked.swap(false, Ordering::Relaxed);
        if has_worked || reason.is_abnormal() || self.is_dismissed(pid) {
            self.idle_ends.store(0, Ordering::Relaxed);
        } else {
            let idle_ends = self.idle_ends.load(Ordering::Relaxed);
            self.idle_ends.store(idle_ends.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Returns how long the next incarnation has to wait.
    pub(super) fn delay(&self) -> Duration {
        let delay = |failures| BRAKE.delay(failures, 0.0);
        self.idle_ends.load(Ordering::Relaxed).checked_sub(2).map_or(Duration::ZERO, delay)
    }
}
