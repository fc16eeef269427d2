//! One attempt at a job: the future of the worker, and its ends.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_actors::System;
use perennial_actors::host::InPlace;
use perennial_actors::host::sync::OnceLock;
use tokio::time::{Sleep, sleep, sleep_until};

use super::any_attempt::{AnyAttempt, AnyJob, AttemptInfo, OwnedAttempt};
use super::failures::FailedAttempt;
use super::job_state::JobState;
use super::lease::{AttemptOutcome, AttemptResult, Leased};
use super::shared::Shared;
use crate::log;
use crate::pool::job::AttemptError;
use crate::pool::job_context::JobContext;
use crate::pool::retry::Retry;
use crate::pool::worker::{Work, Worker, WorkerContext};

/// A worker that runs the jobs of pools of `W`.
pub(crate) trait WorkerOf<W: Work + 'static>:
    Worker<Job = W::Job, Output = W::Output, Error = W::Error>
{
}

impl<W: Work + 'static, R: Worker<Job = W::Job, Output = W::Output, Error = W::Error>> WorkerOf<W> for R {}

/// Runs an attempt, until it returns, is cancelled, or exceeds its time limit.
pub(crate) async fn attempt<W: Work + 'static>(
    worker: &mut impl WorkerOf<W>,
    pool: &Shared<W>,
    leased: Leased<W>,
    (name, at): (&str, &WorkerContext),
) -> AttemptResult<W> {
    let (since, system) = (leased.since, &at.system);
    let running = RunningAttempt::new(leased, at);
    let ctx = JobContext::new(&running);
    let (mut timeout, mut cleanup) = (None, None);
    let span = log::job_span(name, running.info.id, running.info.attempt, || running.task.traceparent());
    let work = log::in_span(span.as_ref(), || worker.work(&running.task.job, &ctx));
    let mut place = pin!(Some(work));
    // The values in the user's future may panic when they are dropped: with a result present, or in
    // a killed worker.
    let mut work = InPlace::new(place.as_mut());
    let attempt = poll_fn(|cx| {
        let Some(code) = work.get() else { return Poll::Ready(AttemptOutcome::Abandoned) };
        if let Poll::Ready(result) = log::in_span(span.as_ref(), || code.poll(cx)) {
            return Poll::Ready(result.map_or_else(
                |error| {
                    AttemptOutcome::Failed(Box::new(decide_on(error, &running.task, pool, (name, system))))
                },
                AttemptOutcome::Done,
            ));
        }
        if running.task.poll_cancelled(cx) {
            return running.poll_cleanup(cx, &mut cleanup).map(|()| AttemptOutcome::Abandoned);
        }
        let Some(deadline) = running.info.deadline else { return Poll::Pending };
        let timeout = timeout.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        let timed_out = || AttemptOutcome::Failed(Box::new(FailedAttempt::new(AttemptError::TimedOut)));
        timeout.as_mut().poll(cx).map(|()| timed_out())
    });
    AttemptResult { attempt: attempt.await, since }
}

/// Decides whether a job is retried after an error. May run users' code, under a guard.
#[cold]
fn decide_on<W: Work + 'static>(
    error: W::Error,
    job: &JobState<W>,
    pool: &Shared<W>,
    (name, system): (&str, &System),
) -> FailedAttempt<W::Error> {
    let decided = job
        .retry_rule()
        .or_else(|| pool.retry.get())
        .map_or(Ok(Retry::Never), |rule| rule.decide(&error, system));
    let retry = decided.unwrap_or_else(|reason| {
        log::retry_closure_failed(system, name, reason);
        Retry::Never
    });
    FailedAttempt { error: AttemptError::Error(error), retry }
}

/// A running attempt, held by its worker.
pub(crate) struct RunningAttempt<'a, W: Work + 'static> {
    task: Arc<JobState<W>>,
    info: AttemptInfo,
    at: &'a WorkerContext,
    /// What the contexts of other tasks refer to. Most jobs have none.
    owned: OnceLock<Arc<OwnedAttempt>>,
}

impl<'a, W: Work + 'static> RunningAttempt<'a, W> {
    fn new(leased: Leased<W>, at: &'a WorkerContext) -> Self {
        let Leased { task, number, limits, .. } = leased;
        let (deadline, soft_deadline) = limits.deadlines();
        let (id, attempt) = task.identity(number);
        let info = AttemptInfo { id, number, attempt, deadline, soft_deadline };
        Self { info, task, at, owned: OnceLock::new() }
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
impl<W: Work + 'static> Drop for RunningAttempt<'_, W> {
    #[inline]
    fn drop(&mut self) {
        if let Some(owned) = self.owned.get() {
            owned.end();
        }
    }
}

impl<W: Work + 'static> AnyAttempt for RunningAttempt<'_, W> {
    fn info(&self) -> &AttemptInfo {
        &self.info
    }

    fn job(&self) -> &dyn AnyJob {
        &*self.task
    }

    fn ping(&self) {
        self.at.handle.ping_watchdog(self.at.pid);
    }

    fn owned(&self) -> &Arc<OwnedAttempt> {
        let worker = || (self.at.handle.clone(), self.at.pid);
        self.owned.get_or_init(|| Arc::new(OwnedAttempt::new(self.info, self.task.clone(), worker())))
    }
}
