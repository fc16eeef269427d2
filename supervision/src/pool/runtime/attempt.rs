//! One attempt at a job: the future of the worker, its limits, and what its context refers to.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, AtomicU64, OnceLock, Ordering};
use perennial_actors::host::{InPlace, add_time, ignore_panic};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::job_state::JobState;
use super::lease::{AttemptOutcome, AttemptResult, Leased};
use super::worker_actor::WorkerOf;
use crate::pool::job::AttemptError;
use crate::pool::job_context::{JobContext, Progress};
use crate::pool::job_id::JobId;
use crate::pool::worker::Work;

/// Runs an attempt, until it returns, is cancelled, or exceeds its time limit.
pub(crate) async fn attempt<W: Work + 'static>(
    worker: &mut impl WorkerOf<W>,
    leased: Leased<W>,
) -> AttemptResult<W> {
    let since = leased.since;
    let running = RunningAttempt::new(leased);
    let ctx = JobContext::new(&running);
    let (mut timeout, mut cleanup) = (None, None);
    let mut place = pin!(Some(worker.work(&running.task.job, &ctx)));
    // The values in the user's future may panic when they are dropped: with a result present, or in
    // a killed worker.
    let mut work = InPlace::new(place.as_mut());
    let attempt = poll_fn(|cx| {
        let Some(code) = work.get() else { return Poll::Ready(AttemptOutcome::Abandoned) };
        if let Poll::Ready(result) = code.poll(cx) {
            return Poll::Ready(result.map_or_else(
                |error| AttemptOutcome::Failed(AttemptError::Error(error)),
                AttemptOutcome::Done,
            ));
        }
        if running.task.poll_cancelled(cx) {
            return running.poll_cleanup(cx, &mut cleanup).map(|()| AttemptOutcome::Abandoned);
        }
        let Some(deadline) = running.info.deadline else { return Poll::Pending };
        let timeout = timeout.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timeout.as_mut().poll(cx).map(|()| AttemptOutcome::Failed(AttemptError::TimedOut))
    });
    AttemptResult { attempt: attempt.await, since }
}

/// The numbers of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptInfo {
    pub(crate) id: JobId,
    /// The number of the start; the first is 1.
    pub(crate) number: u32,
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
    fn deadlines(self) -> (Option<Instant>, Option<Instant>) {
        if self.hard.is_none() && self.soft.is_none() {
            return (None, None);
        }
        let (now, Self { hard, soft }) = (Instant::now(), self);
        let soft = soft.map(|soft| hard.map_or(soft, |hard| soft.min(hard)));
        (hard.map(|hard| add_time(now, hard)), soft.map(|soft| add_time(now, soft)))
    }
}

/// A running attempt, held by its worker.
pub(crate) struct RunningAttempt<W: Work + 'static> {
    task: Arc<JobState<W>>,
    info: AttemptInfo,
    /// What the contexts of other tasks refer to. Most jobs have none.
    owned: OnceLock<Arc<OwnedAttempt>>,
}

impl<W: Work + 'static> RunningAttempt<W> {
    fn new(leased: Leased<W>) -> Self {
        let Leased { task, number, limits, .. } = leased;
        let (deadline, soft_deadline) = limits.deadlines();
        let info = AttemptInfo { id: task.id, number, deadline, soft_deadline };
        Self { info, task, owned: OnceLock::new() }
    }

    /// Tells the job that it is cancelled. Resolves when the time to clean up that the job asked
    /// for is over.
    #[cold]
    fn poll_cleanup(&self, cx: &mut Context<'_>, cleanup: &mut Option<Pin<Box<Sleep>>>) -> Poll<()> {
        let Some(owned) = self.owned.get() else { return Poll::Ready(()) };
        owned.cancel();
        let Some(time) = owned.grace_period() else { return Poll::Ready(()) };
        cleanup.get_or_insert_with(|| Box::pin(sleep(time))).as_mut().poll(cx)
    }
}

/// The attempt is over, however it ended.
impl<W: Work + 'static> Drop for RunningAttempt<W> {
    #[inline]
    fn drop(&mut self) {
        if let Some(owned) = self.owned.get() {
            owned.cancel();
        }
    }
}

/// An attempt at a job of any type.
pub(crate) trait AnyAttempt: Send + Sync {
    fn info(&self) -> &AttemptInfo;

    fn job(&self) -> &dyn AnyJob;

    /// Returns what the contexts of other tasks refer to. Made on demand.
    fn owned(&self) -> &Arc<OwnedAttempt>;
}

impl<W: Work + 'static> AnyAttempt for RunningAttempt<W> {
    fn info(&self) -> &AttemptInfo {
        &self.info
    }

    fn job(&self) -> &dyn AnyJob {
        &*self.task
    }

    fn owned(&self) -> &Arc<OwnedAttempt> {
        self.owned.get_or_init(|| Arc::new(OwnedAttempt::new(self.info, self.task.clone())))
    }
}

/// A job of any type.
pub(crate) trait AnyJob: Send + Sync {
    /// Returns `true` if this start is the latest one, and the outcome of the job is not decided.
    fn is_current(&self, number: u32) -> bool;

    /// Records the progress of a start, unless a later one has begun.
    fn set_progress(&self, number: u32, progress: Progress);
}

/// What the contexts of an attempt in other tasks refer to.
pub(crate) struct OwnedAttempt {
    pub(crate) info: AttemptInfo,
    job: Arc<dyn AnyJob>,
    is_cancelled: AtomicBool,
    /// Notified after `is_cancelled` was set.
    cancelled: Notify,
    /// The time to clean up, in nanoseconds; 0 if none.
    grace_period: AtomicU64,
}

impl OwnedAttempt {
    fn new(info: AttemptInfo, job: Arc<dyn AnyJob>) -> Self {
        Self {
            info,
            job,
            is_cancelled: AtomicBool::new(false),
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

    fn cancel(&self) {
        if !self.is_cancelled.swap(true, Ordering::AcqRel) {
            // The wakers are foreign.
            ignore_panic(|| self.cancelled.notify_waiters());
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

    fn grace_period(&self) -> Option<Duration> {
        let nanos = self.grace_period.load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    pub(crate) fn set_grace_period(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.grace_period.store(nanos, Ordering::Relaxed);
    }
}
