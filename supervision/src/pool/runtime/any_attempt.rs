//! What the context of an attempt refers to: its numbers, its limits and its cancellation. Nothing
//! here depends on the types of the jobs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, AtomicU64, Ordering};
use perennial_actors::host::{add_time, ignore_panic};
use perennial_actors::{ActorHandle, Pid};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::pool::job_context::JobProgress;
use crate::pool::job_id::JobId;

/// The numbers of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptInfo {
    /// The number of the job in the queue that it comes from.
    pub(crate) id: JobId,
    /// The number of the start; the first is 1.
    pub(crate) number: u32,
    /// The number of the attempt in the queue that the job comes from; else that of the start.
    pub(crate) attempt: u32,
    /// When its time limit is over.
    pub(crate) deadline: Option<Instant>,
    /// When its soft time limit is over, at most the deadline.
    pub(crate) soft_deadline: Option<Instant>,
}

/// The limits of an attempt; none by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimits {
    pub(crate) hard: Option<Duration>,
    pub(crate) soft: Option<Duration>,
}

impl TimeLimits {
    /// Returns `true` if the soft limit is never over before the hard one.
    pub(crate) fn is_soft_too_late(self) -> bool {
        self.hard.zip(self.soft).is_some_and(|(hard, soft)| soft >= hard)
    }

    /// Returns the ends of both limits of an attempt that starts now. The clock is read only if
    /// there is a limit.
    #[inline]
    pub(crate) fn deadlines(self) -> (Option<Instant>, Option<Instant>) {
        if self.hard.is_none() && self.soft.is_none() {
            return (None, None);
        }
        let (now, Self { hard, soft }) = (Instant::now(), self);
        let soft = soft.map(|soft| hard.map_or(soft, |hard| soft.min(hard)));
        (hard.map(|hard| add_time(now, hard)), soft.map(|soft| add_time(now, soft)))
    }
}

/// An attempt at a job of any type.
pub(crate) trait AnyAttempt: Send + Sync {
    fn info(&self) -> &AttemptInfo;

    fn job(&self) -> &dyn AnyJob;

    /// Pings the watchdog of its worker.
    fn ping(&self);

    /// Returns what the contexts of other tasks refer to. Made on demand.
    fn owned(&self) -> &Arc<OwnedAttempt>;
}

/// A job of any type.
pub(crate) trait AnyJob: Send + Sync {
    /// Returns `true` if this start is the latest one, and the outcome of the job is not decided.
    fn is_current(&self, number: u32) -> bool;

    /// Records the progress of a start, unless a later one has begun.
    fn set_progress(&self, number: u32, progress: JobProgress);

    /// Returns what this or an earlier start has reported last.
    fn last_progress(&self) -> Option<JobProgress>;

    /// Returns the trace that the job belongs to.
    fn traceparent(&self) -> Option<&str>;
}

/// What the contexts of an attempt in other tasks refer to.
pub(crate) struct OwnedAttempt {
    pub(crate) info: AttemptInfo,
    job: Arc<dyn AnyJob>,
    /// The worker that runs it.
    worker: (ActorHandle, Pid),
    is_cancelled: AtomicBool,
    is_over: AtomicBool,
    /// Notified after `is_cancelled` was set.
    cancelled: Notify,
    /// The time to clean up, in nanoseconds; 0 if none.
    grace_period: AtomicU64,
}

impl OwnedAttempt {
    pub(crate) fn new(info: AttemptInfo, job: Arc<dyn AnyJob>, worker: (ActorHandle, Pid)) -> Self {
        Self {
            info,
            job,
            worker,
            is_cancelled: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            cancelled: Notify::new(),
            grace_period: AtomicU64::new(0),
        }
    }

    pub(crate) fn job(&self) -> &dyn AnyJob {
        &*self.job
    }

    /// Returns `true` if the attempt is cancelled or over.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire) || !self.job.is_current(self.info.number)
    }

    /// Tells the tasks of the attempt that it is cancelled or over.
    pub(crate) fn cancel(&self) {
        if !self.is_cancelled.swap(true, Ordering::AcqRel) {
            // The wakers are foreign.
            ignore_panic(|| self.cancelled.notify_waiters());
        }
    }

    /// Records that the attempt is over, and tells its tasks.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.cancel();
    }

    /// Pings the watchdog of the worker, unless the attempt is over: the worker may run another job
    /// by now, which has to ping for itself.
    pub(crate) fn ping(&self) {
        if !self.is_over.load(Ordering::Acquire) {
            let (handle, pid) = &self.worker;
            handle.ping_watchdog(*pid);
        }
    }

    /// Resolves when the attempt is cancelled or over.
    pub(crate) async fn cancelled(&self) {
        let mut cancelled = pin!(self.cancelled.notified());
        // Registered before the flag is read; the flag is set before the notification.
        cancelled.as_mut().enable();
        if !self.is_cancelled.load(Ordering::Acquire) {
            cancelled.await;
        }
    }

    pub(crate) fn grace_period(&self) -> Option<Duration> {
        let nanos = self.grace_period.load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    pub(crate) fn set_grace_period(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.grace_period.store(nanos, Ordering::Relaxed);
    }
}
