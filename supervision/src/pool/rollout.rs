//! Rollouts: all workers of a pool are replaced while it runs.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use perennial_actors::host::Foreign;

use super::handle::{PoolError, PoolHandle};
use super::rollout_report::{RolloutError, RolloutReport};
use super::runtime::{RevisionControl, Revisions, RolloutPlan, Stage};
use super::scheduler::{RolloutLimit, RolloutLimits};
use super::worker::{Work, Worker};
use crate::supervisor::run_to_completion;

/// The time that a worker has to finish its job: `terminationGracePeriodSeconds` of Kubernetes.
const GRACE: Duration = Duration::from_secs(30);

/// How long a new worker may be unavailable: `progressDeadlineSeconds` of Kubernetes.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(600);

/// A rollout: replaces all workers of a pool, on the model of a Deployment of Kubernetes. Await it
/// to run it.
///
/// A worker that is replaced finishes its job and takes no other one. Its queued jobs go to all
/// workers, but jobs of its [keys](super::Submission::key) wait for its next incarnation. A job
/// that is interrupted because the [grace](Self::grace) is over is queued again without losing an
/// attempt, unless it may run [at most once](super::Submission::at_most_once). No restart counts
/// for the intensity.
///
/// If a new worker does not start or is not ready in time, the rollout goes back: the workers that
/// were replaced are replaced again, from the old arguments and by the same limits. A rollout
/// without [new arguments](Self::args) halts instead, because there is nothing to go back to.
///
/// A [resize](PoolHandle::resize) takes effect at once, also while the rollout is
/// [paused](PoolHandle::pause_rollout): `kubectl scale`. The added workers start from the arguments
/// to which the rollout goes. Another rollout waits until this one is over.
///
/// What counts is what is wanted, as for a controller of Kubernetes. If the supervisor of the pool
/// is killed or restarted meanwhile, the rollout goes on when the pool has started again. It waits
/// for that no longer than the [progress deadline](Self::progress_deadline), and then has failed.
/// Workers that the rollout had not replaced start from the old arguments. If the pool waits for
/// its first start or a restart, a rollout that begins or goes back sets the arguments and ends at
/// once: all workers start from them, and are [unavailable](RolloutReport::unavailable) in the
/// report. A paused one waits.
///
/// # Cancel safety
///
/// If the future is dropped after its first poll, the rollout continues.
///
/// # Examples
///
/// ```
/// # use perennial_actors::{ExitReason, System};
/// # use perennial_supervision::pool::{JobContext, Pool, Worker, WorkerContext};
/// struct Multiplier(u64);
///
/// impl Worker for Multiplier {
///     type Job = u64;
///     type Output = u64;
///     type Error = std::convert::Infallible;
///     type Args = u64;
///     async fn init(factor: &u64, _: &WorkerContext) -> Result<Self, ExitReason> {
///         match *factor {
///             0 => Err(ExitReason::failed("a product of zero tells nothing")),
///             factor => Ok(Self(factor)),
///         }
///     }
///     async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, Self::Error> {
///         Ok(job * self.0)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::<Multiplier>::new("multipliers", 4, 6);
/// let multipliers = pool.handle();
/// let app = pool.start(&System::new()).await?;
/// assert_eq!(multipliers.submit(7).await?.await?, 42);
///
/// let report = multipliers.rollout().args(10).max_unavailable(2).await?;
/// assert_eq!((report.revision, report.replaced.len()), (2, 4));
/// assert_eq!(multipliers.submit(7).await?.await?, 70);
///
/// let error = multipliers.rollout().args(0).await.expect_err("no worker starts");
/// assert!(error.to_string().contains("a product of zero tells nothing"));
/// assert_eq!(multipliers.submit(7).await?.await?, 70);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[must_use = "a rollout does nothing until it is awaited"]
pub struct Rollout<W: Work + 'static> {
    pool: PoolHandle<W>,
    limits: RolloutLimits,
    grace: Option<Duration>,
    stage: Option<Stage>,
}

impl<W: Worker> Rollout<W> {
    /// Sets the arguments from which the new workers start. After the rollout, every later start of
    /// every worker uses them, also of workers that are added. While it is under way, a worker that
    /// was not replaced yet is restarted from the old ones.
    ///
    /// The old arguments are dropped at the end, or the new ones if it goes back.
    pub fn args(mut self, args: W::Args) -> Self {
        let args = Arc::new(Foreign::new(args));
        self.stage = Some(Box::new(move |revisions: Arc<dyn RevisionControl>| {
            // The workers of a pool of `W` are `W` workers.
            if let Ok(revisions) = revisions.into_any().downcast::<Revisions<W::Args>>() {
                revisions.stage(args);
            }
        }));
        self
    }
}

impl<W: Work + 'static> Rollout<W> {
    /// Sets how many of the wanted workers may be unavailable at once, as a number or as a
    /// [percentage](RolloutLimit::percent), which is rounded down: `maxUnavailable` of Kubernetes;
    /// 1 by default. Kubernetes has 25 %.
    ///
    /// More than 100 % is [an error](RolloutError::MoreThanAll), and so is zero if
    /// [`max_surge`](Self::max_surge) is zero too.
    ///
    #[doc = pool_example!(r"let report = squares.rollout().max_unavailable(2).await?;
assert_eq!(report.replaced, [0, 1]);")]
    pub fn max_unavailable(mut self, workers: impl Into<RolloutLimit>) -> Self {
        self.limits.max_unavailable = workers.into();
        self
    }

    /// Sets how many workers may run in addition to the wanted ones, as a number or as a
    /// [percentage](RolloutLimit::percent), which is rounded up: `maxSurge` of Kubernetes; none by
    /// default. Kubernetes has 25 %. They start first and end last, in slots after those of the
    /// pool.
    ///
    #[doc = pool_example!(r"let quarter = RolloutLimit::percent(25);
let report = squares.rollout().max_unavailable(quarter).max_surge(quarter).await?;
assert_eq!(report.replaced, [0, 1]);")]
    pub fn max_surge(mut self, workers: impl Into<RolloutLimit>) -> Self {
        self.limits.max_surge = workers.into();
        self
    }

    /// Sets how long a worker has to be ready without a break before it counts as available:
    /// `minReadySeconds` of Kubernetes; zero by default. A worker is ready when it has started,
    /// unless it has [other conditions](super::WorkerContext::set_ready).
    ///
    /// A crash, a kill and a stop begin the time anew, as a restart of a container does in
    /// Kubernetes. A renewal of the pool does not: [`max_jobs`](super::Pool::max_jobs),
    /// [`max_age`](super::Pool::max_age) and
    /// [`restart_after_timeout`](super::Pool::restart_after_timeout). It lasts until the next
    /// incarnation is ready, or fails, which breaks the time. Meanwhile the worker is not
    /// available, so that no other is stopped. Kubernetes has no renewals of its own.
    pub const fn min_ready(mut self, time: Duration) -> Self {
        self.limits.min_ready = time;
        self
    }

    /// Sets how long a new worker may be unavailable before the rollout has failed:
    /// `progressDeadlineSeconds` of Kubernetes; 600 seconds by default. It includes
    /// [`min_ready`](Self::min_ready) and the start.
    pub const fn progress_deadline(mut self, deadline: Duration) -> Self {
        self.limits.progress_deadline = deadline;
        self
    }

    /// Sets how long a worker may take to finish its job before it is killed:
    /// `terminationGracePeriodSeconds` of Kubernetes; 30 seconds by default. It includes the
    /// [shutdown time](super::Pool::shutdown) of the pool.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Checks the settings and runs the rollout.
    async fn run(self) -> Result<RolloutReport, RolloutError> {
        let Self { pool, limits, grace, stage } = self;
        if limits.are_zero() {
            return Err(RolloutError::NoRoom);
        }
        if limits.exceed_all() {
            return Err(RolloutError::MoreThanAll);
        }
        if limits.progress_deadline <= limits.min_ready {
            return Err(RolloutError::DeadlineTooShort);
        }
        let rollout = pool.roll_out(RolloutPlan { limits, grace, stage });
        run_to_completion(rollout).await.unwrap_or(Err(RolloutError::Stopped))
    }
}

impl<W: Work + 'static> IntoFuture for Rollout<W> {
    type Output = Result<RolloutReport, RolloutError>;
    type IntoFuture = RolloutFuture;

    fn into_future(self) -> RolloutFuture {
        RolloutFuture(Box::pin(self.run()))
    }
}

impl<W: Work + 'static> fmt::Debug for Rollout<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rollout")
            .field("pool", &self.pool)
            .field("limits", &self.limits)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// A rollout that runs. Resolves with its report.
#[must_use = "futures do nothing unless polled"]
pub struct RolloutFuture(Pin<Box<dyn Future<Output = Result<RolloutReport, RolloutError>> + Send>>);

impl Future for RolloutFuture {
    type Output = Result<RolloutReport, RolloutError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for RolloutFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RolloutFuture").finish_non_exhaustive()
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Prepares a rollout: all workers are replaced, some at a time. Await it to run it. Set its
    /// limits and the new arguments first.
    ///
    #[doc = pool_example!(r"let report = squares.rollout().max_unavailable(2).await?;
assert_eq!(report.replaced, [0, 1]);")]
    pub fn rollout(&self) -> Rollout<W> {
        let limits = RolloutLimits {
            max_unavailable: 1.into(),
            max_surge: 0.into(),
            min_ready: Duration::ZERO,
            progress_deadline: PROGRESS_DEADLINE,
        };
        Rollout { pool: self.clone(), limits, grace: Some(GRACE), stage: None }
    }

    /// Pauses the rollouts of the pool, like `kubectl rollout pause`: a rollout finishes the
    /// replacements that it has begun and begins no other until it is
    /// [resumed](Self::resume_rollout). A new worker that fails meanwhile still makes it go back.
    ///
    /// The pause belongs to the pool, as `spec.paused` belongs to a Deployment: it lasts until it
    /// is resumed, also if there is no rollout, or the rollout ends or is undone. It then holds for
    /// the next one. [`PoolStats::rollout`](super::PoolStats::rollout) tells it.
    ///
    #[doc = pool_example!(r"squares.pause_rollout();
let rollout = tokio::spawn(squares.rollout().into_future());
squares.resume_rollout();
assert_eq!(rollout.await??.replaced, [0, 1]);")]
    pub fn pause_rollout(&self) {
        self.shared.rollout.pause(true);
    }

    /// Resumes paused rollouts, like `kubectl rollout resume`.
    ///
    #[doc = pool_example!(r"squares.pause_rollout();
squares.resume_rollout();
assert_eq!(squares.rollout().await?.replaced, [0, 1]);")]
    pub fn resume_rollout(&self) {
        self.shared.rollout.pause(false);
    }

    /// Makes the rollout that is under way go back, like `kubectl rollout undo`, as if a new worker
    /// had failed. A rollout without new arguments halts. It has no effect if there is none.
    ///
    /// A paused rollout goes back too, and the pool stays paused for the next one. Kubernetes
    /// refuses to undo while a Deployment is paused.
    ///
    #[doc = pool_example!("squares.undo_rollout();\nassert!(squares.rollout().await.is_ok());")]
    pub fn undo_rollout(&self) {
        self.shared.rollout.undo();
    }

    /// Restarts all workers, one after the other: a [rollout](Self::rollout) of the same arguments.
    /// Resolves when the last has been restarted. Each worker finishes its current job, if that
    /// does not exceed the shutdown time. No job is lost, and no restart counts for the intensity.
    /// An interrupted job is queued again without losing an attempt, unless it may run [at most
    /// once](super::Submission::at_most_once).
    ///
    /// # Errors
    ///
    /// Returns an error if a worker does not start or stop, is not ready within 600 seconds, or if
    /// the pool has stopped. The workers after it are not restarted. A worker that did not start is
    /// started again later, with growing delays.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the restart continues.
    ///
    #[doc = pool_example!(r"squares.rolling_restart().await?;
assert_eq!(squares.stats().workers.running, 2);")]
    pub async fn rolling_restart(&self) -> Result<(), PoolError> {
        // The job has as long as the shutdown takes.
        let rollout = Rollout { grace: None, ..self.rollout() };
        rollout.await.map(drop).map_err(PoolError::from)
    }
}
