//! The settings of retries: which failures are retried, how often, and after which delay, for all
//! jobs of a pool or for those of one submission.

use super::builder::Pool;
use super::retry::{Retry, RetryRule};
use super::submission::Submission;
use super::worker::Work;
use crate::policy::Backoff;

impl<W: Work + 'static> Pool<W> {
    /// Sets the number of attempts of a job, the first included; 3 by default, and at least 1.
    ///
    /// Attempts that returned an error or exceeded their time limit are counted, and so are, apart
    /// from these, attempts that [lost their worker](Self::lost_workers). The job is dead when one
    /// of the counts reaches its limit. An attempt that a supervisor interrupts does not count. An
    /// error that a job returns is its result, unless [`retry_errors`](Self::retry_errors) or
    /// [`retry_if`](Self::retry_if) is set.
    ///
    #[doc = setting_example!("let pool = pool.attempts(5);")]
    pub fn attempts(self, attempts: u32) -> Self {
        self.handle.shared.set_options(|options| options.attempts = attempts.max(1));
        self
    }

    /// Sets how many workers a job may lose before it is dead, the last included; by default as
    /// many as it has [attempts](Self::attempts), and at least 1. A worker is lost if it crashed,
    /// was killed, or hung and was abandoned.
    ///
    /// The job is then a poison pill, which Sidekiq detects at the third lost process. A worker
    /// that its supervisor stops is not lost: a rolling restart, a resize, a terminate and a
    /// restart of the pool use up nothing, as a disruption of a Kubernetes pod that the failure
    /// policy of its job ignores.
    ///
    #[doc = setting_example!("let pool = pool.attempts(5).lost_workers(1);")]
    pub fn lost_workers(self, workers: u32) -> Self {
        self.handle.shared.set_options(|options| options.lost_workers = Some(workers.max(1)));
        self
    }

    /// Sets whether an attempt that returns an error is retried, as long as the job has
    /// [attempts](Self::attempts) left; `false` by default: the error is the result of the job.
    /// `retry_errors(true)` is short for `retry_if(|_| true)`.
    ///
    #[doc = setting_example!("let pool = pool.retry_errors(true).attempts(5);")]
    pub fn retry_errors(mut self, retry: bool) -> Self {
        self.retry = RetryRule::always_if(retry);
        self
    }

    /// Sets which errors are retried, as long as the job has [attempts](Self::attempts) left, and
    /// when. An error that is not retried is the result of the job, which is dead at once, as with
    /// `autoretry_for` and `dont_autoretry_for` of Celery.
    ///
    /// The closure returns a [`Retry`], or a `bool`. It runs in the task of the worker. If it
    /// panics, the error is not retried.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use perennial_actors::System;
    /// # use perennial_supervision::pool::{JobError, Pool, Retry};
    /// #[derive(Clone, Debug)]
    /// enum Failure { Busy(Duration), Offline, NotFound }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let fetch = |failure: &Failure| std::future::ready(Err::<(), _>(failure.clone()));
    /// let pool = Pool::from_fn("fetches", 2, fetch).retry_if(|failure| match failure {
    ///     Failure::Busy(time) => Retry::After(*time),
    ///     Failure::Offline => Retry::Backoff,
    ///     Failure::NotFound => Retry::Never,
    /// });
    /// let fetches = pool.handle();
    /// let app = pool.start(&System::new()).await?;
    ///
    /// let attempts = async |failure| match fetches.submit(failure).await?.await {
    ///     Err(JobError::Failed(failures)) => Ok::<_, Box<dyn std::error::Error>>(failures.len()),
    ///     other => panic!("{other:?}"),
    /// };
    /// assert_eq!(attempts(Failure::NotFound).await?, 1);
    /// assert_eq!(attempts(Failure::Offline).await?, 3);
    /// assert_eq!(attempts(Failure::Busy(Duration::from_millis(5))).await?, 3);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_if<R: Into<Retry>>(
        mut self,
        decide: impl Fn(&W::Error) -> R + Send + Sync + 'static,
    ) -> Self {
        self.retry = RetryRule::of(decide);
        self
    }

    /// Sets the delay after a failed attempt, which grows with each failure of the job; none by
    /// default. An error may [ask for another](super::Retry::After).
    ///
    /// `Backoff::new(Duration::from_secs(1), Duration::from_secs(600)).full_jitter()` is Celery's
    /// `retry_backoff`, with its `retry_backoff_max` and `retry_jitter`.
    ///
    #[doc = setting_example!(
        r"let pool = pool.retry_after(Backoff::new(Duration::from_secs(1), Duration::from_secs(60)));"
    )]
    pub fn retry_after(self, backoff: Backoff) -> Self {
        self.handle.shared.set_options(|options| options.backoff = Some(backoff));
        self
    }
}

impl<W: Work + 'static, J> Submission<W, J> {
    /// Sets the number of attempts, the first included: see [`Pool::attempts`].
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).attempts(5).await?;
assert_eq!(job.await?, 49);")]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.options().attempts = attempts.max(1);
        self
    }

    /// Sets how many workers the job may cost before it is dead: see [`Pool::lost_workers`].
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).lost_workers(1).await?;
assert_eq!(job.await?, 49);")]
    pub fn lost_workers(mut self, workers: u32) -> Self {
        self.options().lost_workers = Some(workers.max(1));
        self
    }

    /// Sets whether an attempt that returns an error is retried: see [`Pool::retry_errors`].
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).retry_errors(true).await?;
assert_eq!(job.await?, 49);")]
    pub fn retry_errors(mut self, retry: bool) -> Self {
        self.own_options().retry = Some(RetryRule::always_if(retry));
        self
    }

    /// Sets which errors are retried, and when: see [`Pool::retry_if`].
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).retry_if(|_| false).await?;
assert_eq!(job.await?, 49);")]
    pub fn retry_if<R: Into<Retry>>(
        mut self,
        decide: impl Fn(&W::Error) -> R + Send + Sync + 'static,
    ) -> Self {
        self.own_options().retry = Some(RetryRule::of(decide));
        self
    }

    /// Sets the delay after a failed attempt: see [`Pool::retry_after`].
    ///
    #[doc = pool_example!(
        r"let backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
let job = squares.submit(7).backoff(backoff).await?;
assert_eq!(job.await?, 49);"
    )]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options().backoff = Some(backoff);
        self
    }

    /// Limits the job to one start, whatever its other limits: it never starts twice. If its
    /// attempt fails, or if its worker ends during that attempt for whichever reason, the job is
    /// dead. A rolling restart or a resize that interrupts it therefore ends it: such a worker
    /// needs a [shutdown time](super::Pool::shutdown) in which it finishes its job.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).at_most_once().await?;
assert_eq!(job.await?, 49);")]
    pub fn at_most_once(mut self) -> Self {
        self.options().is_tried_once = true;
        self
    }
}
