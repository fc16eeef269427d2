//! The exits of the incarnations in one slot: which one was stopped by its supervisor and why, and
//! how many ended without a job.

use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, AtomicU32, Mutex, Ordering};
use perennial_actors::{ExitReason, Pid};

use crate::policy::Backoff;
use crate::report::LivenessFailure;

/// The delays of a slot whose incarnations keep ending without a job. None of these exits counts
/// for the intensity of the pool, so without a delay the restarts would form a busy loop.
const IDLE_EXIT_BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

/// The number of consecutive exits without a job from which on delays follow.
const DELAYED_FROM: u32 = 2;

/// How an incarnation ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WorkerEnd {
    /// Its supervisor stopped it, and not because it hung: its job has used no attempt.
    Dismissed,
    /// Its supervisor stopped or abandoned it, because it failed this check.
    Unresponsive(LivenessFailure),
    /// It ended in order, to be renewed.
    Renewed,
    /// It ended by itself, or was killed.
    Lost,
}

/// The exits of the incarnations in one slot.
#[derive(Debug)]
pub(crate) struct ExitHistory {
    /// The longest delay. It is limited because the delay is a part of the start, which has a
    /// timeout.
    max_delay: Duration,
    /// The incarnation that its supervisor stopped, and not because it hung; 0 if none.
    dismissed: AtomicU32,
    /// The incarnation that ends because it is renewed; 0 if none.
    recycled: AtomicU32,
    /// The incarnation that its supervisor stops because it failed a check, and the check.
    unresponsive: Mutex<Option<(u32, LivenessFailure)>>,
    /// `true` if the current incarnation has started a job.
    has_worked: AtomicBool,
    /// The number of consecutive incarnations that ended by themselves without a job.
    idle_exits: AtomicU32,
}

impl ExitHistory {
    /// Returns an empty history. The delays fit into this start timeout.
    pub(crate) fn new(start_timeout: Duration) -> Self {
        Self {
            max_delay: start_timeout / 2,
            dismissed: AtomicU32::new(0),
            recycled: AtomicU32::new(0),
            unresponsive: Mutex::new(None),
            has_worked: AtomicBool::new(false),
            idle_exits: AtomicU32::new(0),
        }
    }

    /// Records that the supervisor stops this incarnation, and not because it hangs.
    pub(crate) fn mark_dismissed(&self, pid: Pid) {
        self.dismissed.store(pid.incarnation(), Ordering::Release);
    }

    /// Returns `true` if the supervisor stopped this incarnation.
    pub(crate) fn is_dismissed(&self, pid: Pid) -> bool {
        self.dismissed.load(Ordering::Acquire) == pid.incarnation()
    }

    /// Records that the supervisor stops this incarnation because it failed a check.
    pub(crate) fn mark_unresponsive(&self, pid: Pid, failure: LivenessFailure) {
        *self.unresponsive.lock() = Some((pid.incarnation(), failure));
    }

    /// Returns how an incarnation ended, given its exit reason.
    pub(crate) fn end_of(&self, pid: Pid, reason: &ExitReason) -> WorkerEnd {
        let is_stopped = matches!(reason, ExitReason::Killed | ExitReason::Unresponsive);
        let unresponsive =
            self.unresponsive.lock().filter(|(incarnation, _)| *incarnation == pid.incarnation());
        // An incarnation that panics or fails while it stops has used an attempt.
        let is_interrupted = matches!(reason, ExitReason::Killed) || !reason.is_abnormal();
        match unresponsive {
            _ if is_interrupted && self.is_dismissed(pid) => WorkerEnd::Dismissed,
            Some((_, failure)) if is_stopped => WorkerEnd::Unresponsive(failure),
            _ if matches!(reason, ExitReason::Normal) && self.is_recycled(pid) => WorkerEnd::Renewed,
            _ => WorkerEnd::Lost,
        }
    }

    fn is_recycled(&self, pid: Pid) -> bool {
        self.recycled.load(Ordering::Relaxed) == pid.incarnation()
    }

    /// Records that this incarnation ends because it is renewed: its end forms no loop.
    pub(crate) fn mark_recycled(&self, pid: Pid) {
        self.recycled.store(pid.incarnation(), Ordering::Relaxed);
    }

    /// Records that the incarnation starts its first job.
    pub(crate) fn record_job(&self) {
        self.has_worked.store(true, Ordering::Relaxed);
    }

    /// Records the exit of an incarnation.
    pub(crate) fn record_exit(&self, pid: Pid, reason: &ExitReason) {
        let has_worked = self.has_worked.swap(false, Ordering::Relaxed);
        // A kill is external, so it never forms a loop of its own.
        let is_killed = matches!(reason, ExitReason::Killed);
        let by_itself = !is_killed && !self.is_dismissed(pid) && !self.is_recycled(pid);
        if has_worked || !by_itself {
            self.idle_exits.store(0, Ordering::Relaxed);
        } else {
            let idle_exits = self.idle_exits.load(Ordering::Relaxed);
            self.idle_exits.store(idle_exits.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Returns the delay of the next incarnation.
    pub(crate) fn delay(&self) -> Duration {
        let delay = |failures| IDLE_EXIT_BACKOFF.delay(failures, 0.0).min(self.max_delay);
        self.idle_exits.load(Ordering::Relaxed).checked_sub(DELAYED_FROM).map_or(Duration::ZERO, delay)
    }
}
