//! How the incarnations in one slot have ended: which one was stopped in order, and how many ended without a job.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, Pid};

use crate::policy::Backoff;

/// The delays of a slot whose incarnations keep ending without a job. None of these ends counts for
/// the intensity of the pool, so without a delay they would follow each other all the time.
const IDLE_EXIT_BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

/// The number of ends without a job in a row that no delay follows.
const UNDELAYED_EXITS: u32 = 2;

/// How the incarnations in one slot have ended.
#[derive(Debug)]
pub(super) struct ExitHistory {
    /// The longest delay: it is a part of the start, which has a timeout.
    max_delay: Duration,
    /// The incarnation that its supervisor told to stop, and not because it hung; 0 if there was none.
    dismissed: AtomicU32,
    /// Whether the last incarnation has begun a job.
    has_worked: AtomicBool,
    /// How many in a row have ended by themselves without a job.
    idle_exits: AtomicU32,
}

impl ExitHistory {
    /// Returns the ends of a slot in which none has ended yet, whose starts may take this long.
    pub(super) fn new(start_timeout: Duration) -> Self {
        Self {
            max_delay: start_timeout / 2,
            dismissed: AtomicU32::new(0),
            has_worked: AtomicBool::new(false),
            idle_exits: AtomicU32::new(0),
        }
    }

    /// An incarnation is about to be stopped, and not because it hangs.
    pub(super) fn mark_dismissed(&self, pid: Pid) {
        self.dismissed.store(pid.incarnation(), Ordering::Release);
    }

    /// Returns `true` if this incarnation was stopped in order.
    pub(super) fn is_dismissed(&self, pid: Pid) -> bool {
        self.dismissed.load(Ordering::Acquire) == pid.incarnation()
    }

    /// The incarnation begins a job.
    pub(super) fn record_job(&self) {
        if !self.has_worked.load(Ordering::Relaxed) {
            self.has_worked.store(true, Ordering::Relaxed);
        }
    }

    /// An incarnation has ended.
    pub(super) fn record_exit(&self, pid: Pid, reason: &ExitReason) {
        let has_worked = self.has_worked.swap(false, Ordering::Relaxed);
        // A kill comes from outside, as often as something asks for it.
        let by_itself = !matches!(reason, ExitReason::Killed) && !self.is_dismissed(pid);
        if has_worked || !by_itself {
            self.idle_exits.store(0, Ordering::Relaxed);
        } else {
            let idle_exits = self.idle_exits.load(Ordering::Relaxed);
            self.idle_exits.store(idle_exits.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Returns how long the next incarnation has to wait.
    pub(super) fn delay(&self) -> Duration {
        let delay = |failures| IDLE_EXIT_BACKOFF.delay(failures, 0.0).min(self.max_delay);
        self.idle_exits.load(Ordering::Relaxed).checked_sub(UNDELAYED_EXITS).map_or(Duration::ZERO, delay)
    }
}
