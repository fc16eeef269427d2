//! The handle of a pool: submits jobs and manages the pool.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};

use perennial_actors::Subscription;

use super::event::JobEvent;
use super::runtime::{OnDrop, Shared};
use super::stats::PoolStats;
use super::submission::{ManyJobs, OneJob, Submission};
use super::worker::Work;
use crate::error::ChildError;
use crate::supervisor::{SupervisorHandle, WeakSupervisorHandle};

/// A handle that submits jobs to a pool and manages it, whichever incarnations of its workers run.
/// Clones refer to the same pool.
pub struct PoolHandle<W: Work + 'static> {
    pub(super) shared: Arc<Shared<W>>,
    supervisor: SupervisorHandle,
    /// Shared by all handles of a pool that closes when the last of them is dropped.
    on_last_drop: Option<Arc<OnDrop>>,
}

/// A handle that does not keep the pool alive, for values that the pool itself owns, such as the
/// `Args` of its workers. It does not count for
/// [`close_on_last_handle`](super::Pool::close_on_last_handle).
pub struct WeakPoolHandle<W: Work + 'static> {
    shared: Weak<Shared<W>>,
    supervisor: WeakSupervisorHandle,
    on_last_drop: Option<Weak<OnDrop>>,
}

impl<W: Work + 'static> WeakPoolHandle<W> {
    /// Returns the handle, or `None` if the pool is gone.
    ///
    #[doc = pool_example!("let weak = squares.downgrade();\nassert!(weak.upgrade().is_some());")]
    #[must_use]
    pub fn upgrade(&self) -> Option<PoolHandle<W>> {
        let on_last_drop = self.on_last_drop.as_ref().and_then(Weak::upgrade);
        Some(PoolHandle {
            shared: self.shared.upgrade()?,
            supervisor: self.supervisor.upgrade()?,
            on_last_drop,
        })
    }

    /// Returns a future that resolves when the pool has ended: its tree has ended or
    /// stopped the pool for good, or no tree will start it. Its workers and its supervisor have
    /// ended then, and no job is left. A restart of the pool is no end.
    ///
    /// The future does not keep the pool alive, so it also waits for a pool that
    /// [closes on its last handle](super::Pool::close_on_last_handle), as `join` waits for threads
    /// whose channel is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future has no effect on the pool.
    ///
    #[doc = pool_example!(r"let ended = squares.downgrade().ended();
app.handle().stop(perennial_actors::ExitReason::shutdown())?;
ended.await;")]
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<W> {
        Shared::ended(self.shared.clone())
    }
}

impl<W: Work + 'static> Clone for WeakPoolHandle<W> {
    fn clone(&self) -> Self {
        let Self { shared, supervisor, on_last_drop } = self;
        Self { shared: shared.clone(), supervisor: supervisor.clone(), on_last_drop: on_last_drop.clone() }
    }
}

impl<W: Work + 'static> fmt::Debug for WeakPoolHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakPoolHandle").field(&self.upgrade()).finish()
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    pub(super) const fn new(shared: Arc<Shared<W>>, supervisor: SupervisorHandle) -> Self {
        Self { shared, supervisor, on_last_drop: None }
    }

    /// Returns a handle that runs `end` when it and all its clones are dropped.
    pub(super) fn with_last_drop(&self, end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { on_last_drop: Some(Arc::new(OnDrop::new(end))), ..self.clone() }
    }

    /// Returns the handle of a pool, or `None` if its tree is gone.
    pub(super) fn of(shared: &Arc<Shared<W>>) -> Option<Self> {
        let supervisor = shared.supervisor.upgrade()?;
        Some(Self::new(shared.clone(), supervisor))
    }

    /// Returns a future that resolves with the exit reason when the current incarnation of the
    /// pool's supervisor ends: see [`Monitor`](perennial_actors::Monitor).
    ///
    #[doc = pool_example!(
        r#"let mut exit = squares.monitor();
let now = tokio::time::timeout(Duration::ZERO, &mut exit).await;
assert!(now.is_err(), "the pool runs");"#
    )]
    pub fn monitor(&self) -> perennial_actors::Monitor {
        self.supervisor.monitor()
    }

    /// Returns a handle that does not keep the pool alive.
    ///
    #[doc = pool_example!("let weak = squares.downgrade();\nassert!(weak.upgrade().is_some());")]
    #[must_use]
    pub fn downgrade(&self) -> WeakPoolHandle<W> {
        WeakPoolHandle {
            shared: Arc::downgrade(&self.shared),
            supervisor: self.supervisor.downgrade(),
            on_last_drop: self.on_last_drop.as_ref().map(Arc::downgrade),
        }
    }

    /// Prepares the submission of a job. Await it to submit the job when there is room, or use
    /// [`try_submit`](Submission::try_submit) to submit it only if there is room now. Set the
    /// options of the job first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use perennial_actors::System;
    /// use perennial_supervision::pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::from_fn("squares", 2, |n: &u64| {
    ///     let n = *n;
    ///     async move { Ok::<u64, std::io::Error>(n * n) }
    /// });
    /// let squares = pool.handle();
    /// let app = pool.start(&System::new()).await?;
    ///
    /// let job = squares.submit(7).priority(1).time_limit(Duration::from_secs(1)).await?;
    /// assert_eq!(job.await?, 49);
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit(&self, job: W::Job) -> Submission<W> {
        Submission::new(self.shared.clone(), OneJob(job))
    }

    /// Prepares the submission of many jobs, as a group of Celery. Await it to submit them in order
    /// as room becomes available: it resolves with their [`Batch`](super::Batch) when all jobs are
    /// queued. Set the options of the jobs first; each option holds for each job.
    ///
    /// The jobs are collected before the first is submitted: submit the jobs of an endless stream
    /// one by one.
    ///
    /// # Errors
    ///
    /// The future resolves with [`SubmitError::Closed`](super::SubmitError::Closed) and the first
    /// job that the closed pool did not accept. The jobs after it are dropped. The jobs before it
    /// run, and their results are lost.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the submitted jobs run, their results are lost, and the remaining
    /// jobs are dropped.
    ///
    #[doc = pool_example!(r"let batch = squares.submit_many([1, 2, 3]).priority(9).await?;
let results = batch.join_all().await;
assert!(matches!(results[..], [Ok(1), Ok(4), Ok(9)]));")]
    pub fn submit_many(&self, jobs: impl IntoIterator<Item = W::Job>) -> Submission<W, ManyJobs<W::Job>> {
        Submission::new(self.shared.clone(), ManyJobs::new(jobs))
    }

    /// Pauses the pool: no job starts until [`resume`](Self::resume). Running jobs finish.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert_eq!(squares.stats().queued, 1);
squares.resume();
assert_eq!(job.await?, 49);")]
    pub fn pause(&self) {
        self.shared.reschedule(|scheduler| scheduler.pause(true));
    }

    /// Returns `true` if the pool is [paused](Self::pause).
    ///
    #[doc = pool_example!(r"squares.pause();
assert!(squares.is_paused());
squares.resume();
assert!(!squares.is_paused());")]
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.lock_state().scheduler.is_paused()
    }

    /// Resumes a paused pool: jobs start again.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
squares.resume();
assert_eq!(job.await?, 49);")]
    pub fn resume(&self) {
        self.shared.reschedule(|scheduler| scheduler.pause(false));
    }

    /// Waits until no job is queued and none runs. Jobs that are submitted meanwhile are waited for
    /// too, and so is every call of a [blocking function](super::Pool::from_blocking_fn), also if
    /// its job has a result already.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future has no effect on the pool.
    ///
    #[doc = pool_example!(r"squares.submit(7).detach().await?;
squares.drain().await;
assert_eq!(squares.stats().completed, 1);")]
    pub async fn drain(&self) {
        self.shared.calls_returned().await;
    }

    /// Drops all queued jobs and returns their number. Their results are
    /// [`Dropped`](super::JobError::Dropped).
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert_eq!(squares.clear(), 1);
assert!(matches!(job.await, Err(JobError::Dropped(_))));")]
    pub fn clear(&self) -> usize {
        self.shared.with_queue(|queue| queue.clear())
    }

    /// Returns the statistics of the pool.
    ///
    #[doc = pool_example!(r"squares.submit(7).await?.await?;
let stats = squares.stats();
assert_eq!((stats.submitted, stats.completed, stats.queued), (1, 1, 0));")]
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    /// Subscribes to the events of the pool's jobs from now on.
    ///
    #[doc = pool_example!(r"let mut events = squares.subscribe();
let job = squares.submit(7).await?;
assert_eq!(events.next().await, Some(JobEvent::Submitted(job.id())));")]
    #[must_use]
    pub fn subscribe(&self) -> Subscription<JobEvent> {
        self.shared.events.subscribe()
    }

    /// Returns the handle of the supervisor of the workers. The id of each worker is its slot
    /// number.
    ///
    #[doc = pool_example!(r"let counts = squares.supervisor().count_children().await?;
assert!(counts.active >= 2);")]
    #[must_use]
    pub fn supervisor(&self) -> &SupervisorHandle {
        &self.supervisor
    }
}

impl<W: Work + 'static> Clone for PoolHandle<W> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            supervisor: self.supervisor.clone(),
            on_last_drop: self.on_last_drop.clone(),
        }
    }
}

impl<W: Work + 'static> fmt::Debug for PoolHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolHandle").field("supervisor", &self.supervisor).finish_non_exhaustive()
    }
}

/// The reason why a change of a pool's workers failed, completely or partly.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// More workers were requested than the maximum of the pool.
    #[error("the maximum is {max} workers")]
    TooMany {
        /// The maximum.
        max: usize,
    },
    /// Fewer workers were requested than the minimum of the pool.
    #[error("the minimum is {min} workers")]
    TooFew {
        /// The minimum.
        min: usize,
    },
    /// The pool has stopped, or is not part of a tree yet.
    #[error("the pool has stopped")]
    Stopped,
    /// A worker was not ready in time after its restart.
    #[error("worker {slot} was not ready in time")]
    NotReady {
        /// The slot of the worker.
        slot: usize,
    },
    /// A restart of the workers was [undone](PoolHandle::undo_rollout).
    #[error("the restart was undone")]
    Undone,
    /// A worker declined to start.
    #[error("worker {slot} declined to start")]
    Declined {
        /// The slot of the worker.
        slot: usize,
    },
    /// A worker did not start, or was not stopped.
    #[error(fmt = worker_failed)]
    Worker {
        /// The slot of the worker.
        slot: usize,
        /// The error of the supervisor.
        error: ChildError,
    },
}

fn worker_failed(slot: &usize, error: &ChildError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "worker {slot}: ")?;
    fmt::Display::fmt(error, f)
}
