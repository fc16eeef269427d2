//! The context of a job.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::job_id::JobId;
use super::runtime::{AnyAttempt, AnyJob, AttemptInfo, OwnedAttempt};

/// The context of one attempt at a job: its identity, its limits, its cancellation and its
/// progress. Each call of [`Worker::work`](super::Worker::work) gets one.
///
/// It borrows from the worker, and costs nothing until it is used. [`to_owned`](Self::to_owned)
/// makes one for another task or thread.
///
/// # Examples
///
/// ```
/// # use std::convert::Infallible;
/// # use std::time::Duration;
/// # use perennial_actors::System;
/// use perennial_supervision::pool::{JobContext, Pool};
///
/// /// Returns how many steps were done in time.
/// async fn steps(total: u64, ctx: JobContext<'static>) -> Result<u64, Infallible> {
///     for done in 0..total {
///         if ctx.should_stop() {
///             return Ok(done);
///         }
///         tokio::time::sleep(Duration::from_millis(20)).await;
///         ctx.set_progress(done + 1, total);
///     }
///     Ok(total)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::from_fn_with_context("steps", 1, |total: &u64, ctx| steps(*total, ctx))
///     .soft_time_limit(Duration::from_millis(50))
///     .time_limit(Duration::from_secs(10));
/// let jobs = pool.handle();
/// let app = pool.start(&System::new()).await?;
/// assert!(jobs.submit(1_000).await?.await? < 1_000);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub struct JobContext<'a>(Inner<'a>);

enum Inner<'a> {
    Borrowed(&'a dyn AnyAttempt),
    Owned(Arc<OwnedAttempt>),
}

/// How far a job is, as it [reported](JobContext::set_progress).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct JobProgress {
    /// The steps that are done.
    pub done: u64,
    /// All steps.
    pub total: u64,
}

impl JobProgress {
    /// Makes a progress.
    #[must_use]
    pub const fn new(done: u64, total: u64) -> Self {
        Self { done, total }
    }
}

impl fmt::Display for JobProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done, self.total)
    }
}

impl<'a> JobContext<'a> {
    pub(super) const fn new(attempt: &'a dyn AnyAttempt) -> Self {
        Self(Inner::Borrowed(attempt))
    }

    fn info(&self) -> &AttemptInfo {
        match &self.0 {
            Inner::Borrowed(attempt) => attempt.info(),
            Inner::Owned(attempt) => &attempt.info,
        }
    }

    fn job(&self) -> &dyn AnyJob {
        match &self.0 {
            Inner::Borrowed(attempt) => attempt.job(),
            Inner::Owned(attempt) => attempt.job(),
        }
    }

    fn owned(&self) -> &Arc<OwnedAttempt> {
        match &self.0 {
            Inner::Borrowed(attempt) => attempt.owned(),
            Inner::Owned(attempt) => attempt,
        }
    }

    /// Returns the number of the job, or that of its [origin](super::Submission::origin).
    #[must_use]
    pub fn id(&self) -> JobId {
        self.info().id
    }

    /// Returns the number of this start of the job; the first is 1. Every start counts, also one
    /// that uses up no [attempt](super::Pool::attempts). The attempts at the
    /// [origin](super::Submission::origin) of the job before it was submitted count too.
    ///
    #[doc = setting_example!(
        r#"let pool = Pool::from_fn_with_context("squares", 2, |n: &u64, ctx: JobContext<'_>| {
    assert_eq!(ctx.attempt(), 1);
    ready(Ok::<u64, Infallible>(n * n))
});"#
    )]
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.info().attempt
    }

    /// Returns when the [time limit](super::Pool::time_limit) of this attempt is over, or `None` if
    /// it has none. The attempt is then dropped at its next await.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.info().deadline
    }

    /// Returns the time until the [deadline](Self::deadline); zero after it.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Resolves when the [soft time limit](super::Pool::soft_time_limit) of this attempt is over;
    /// never if it has none. Celery raises `SoftTimeLimitExceeded` in the task instead.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn soft_limit(&self) {
        match self.info().soft_deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
    }

    /// Returns `true` if the outcome of this attempt is not wanted any more. That is the case when
    ///
    /// - the job was cancelled or dropped,
    /// - the attempt is over: it returned, exceeded its time limit, or its worker ended, or
    /// - the pool was stopped with [`Abort`](super::PoolShutdown::Abort), or its worker did not
    ///   stop in time and was killed.
    ///
    /// A blocking function, and a task that the job spawned, should return then. The soft time
    /// limit is no end of the attempt: see [`should_stop`](Self::should_stop). The call takes no
    /// lock and never waits.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match &self.0 {
            Inner::Borrowed(attempt) => !attempt.job().is_current(attempt.info().number),
            Inner::Owned(attempt) => attempt.is_cancelled(),
        }
    }

    /// Resolves when the attempt is [cancelled](Self::is_cancelled) or over.
    ///
    /// It is meant for tasks that the job spawned. The future of the job itself is dropped at its
    /// next await, unless it has asked for a [grace period](Self::set_grace_period).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn cancelled(&self) {
        self.owned().cancelled().await;
    }

    /// Asks for time to clean up when the job is cancelled, as the termination grace period of
    /// Kubernetes. The future of the job is then dropped only when this time is over. Its worker
    /// takes no other job until then.
    ///
    /// The result of a cancelled job is [`Cancelled`](super::JobError::Cancelled) at once, whatever
    /// it returns later. A kill of the worker, a stop with
    /// [`Abort`](super::PoolShutdown::Abort) and a time limit leave no time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use std::time::Duration;
    /// # use perennial_actors::System;
    /// # use perennial_supervision::pool::{JobContext, Pool};
    /// async fn transfer(ctx: JobContext<'static>) -> Result<(), Infallible> {
    ///     ctx.set_grace_period(Duration::from_secs(5));
    ///     tokio::select! {
    ///         () = tokio::time::sleep(Duration::from_secs(60)) => {}
    ///         () = ctx.cancelled() => roll_back().await,
    ///     }
    ///     Ok(())
    /// }
    /// # async fn roll_back() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = Pool::from_fn_with_context("transfers", 1, |(): &(), ctx| transfer(ctx));
    /// # let transfers = pool.handle();
    /// # let app = pool.start(&System::new()).await?;
    /// let job = transfers.submit(()).await?;
    /// assert!(job.cancel());
    /// # transfers.drain().await;
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_grace_period(&self, time: Duration) {
        self.owned().set_grace_period(time);
    }

    /// Returns `true` if the job should return soon: it is [cancelled](Self::is_cancelled), or its
    /// soft time limit or its time limit is over. A function that blocks has no other way to be
    /// told of its soft limit.
    #[must_use]
    pub fn should_stop(&self) -> bool {
        let AttemptInfo { deadline, soft_deadline, .. } = self.info();
        let first = soft_deadline.or(*deadline);
        self.is_cancelled() || first.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Reports how far the job is: see [`JobHandle::progress`](super::JobHandle::progress). It also
    /// [pings](Self::ping) the watchdog. Celery calls this `update_state`.
    pub fn set_progress(&self, done: u64, total: u64) {
        self.ping();
        self.job().set_progress(self.info().number, JobProgress { done, total });
    }

    /// Returns how far the job was when it [reported](Self::set_progress) last, in this attempt or
    /// in an earlier one. So a job that is retried can go on where it was.
    ///
    #[doc = setting_example!(
        r#"let pool = Pool::from_fn_with_context("squares", 2, |n: &u64, ctx: JobContext<'_>| {
    let done = ctx.progress().map_or(0, |progress| progress.done);
    ready(Ok::<u64, Infallible>(n * n - done))
});"#
    )]
    #[must_use]
    pub fn progress(&self) -> Option<JobProgress> {
        self.job().last_progress()
    }

    /// Returns the trace that the job belongs to, as a W3C `traceparent`, if it was submitted with
    /// one: a durable job may. The span of the job has it as a field. The library does not read it.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.job().traceparent()
    }

    /// Pings the [watchdog](super::Pool::watchdog) of the worker: the job makes progress. systemd's
    /// `sd_notify` with `WATCHDOG=1`. It has no effect once the attempt is over.
    ///
    #[doc = setting_example!(
        r#"let pool = Pool::from_fn_with_context("squares", 2, |n: &u64, ctx: JobContext<'static>| {
    let n = *n;
    async move {
        let mut sum = 0;
        for _ in 0..n {
            sum += n;
            ctx.ping();
            tokio::task::yield_now().await;
        }
        Ok::<u64, Infallible>(sum)
    }
});
let pool = pool.watchdog(Duration::from_secs(30));"#
    )]
    pub fn ping(&self) {
        match &self.0 {
            Inner::Borrowed(attempt) => attempt.ping(),
            Inner::Owned(attempt) => attempt.ping(),
        }
    }

    /// Returns a context of the same attempt for another task or thread. It allocates once per
    /// attempt.
    #[must_use]
    pub fn to_owned(&self) -> JobContext<'static> {
        JobContext(Inner::Owned(self.owned().clone()))
    }
}

impl fmt::Debug for JobContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AttemptInfo { id, attempt, deadline, .. } = self.info();
        let mut fields = f.debug_struct("JobContext");
        fields.field("id", id).field("attempt", attempt).field("deadline", deadline).finish_non_exhaustive()
    }
}
