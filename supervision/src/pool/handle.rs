//! Handing jobs to a pool, and managing it.

use std::fmt;
use std::sync::{Arc, Weak};

use perennial_actors::Subscription;
use perennial_actors::host::Each;
use tokio::sync::mpsc;

use super::batch::Batch;
use super::event::JobEvent;
use super::job::DeadJob;
use super::job_state::ResultSink;
use super::shared::Shared;
use super::stats::PoolStats;
use super::submit::{Submission, SubmitError};
use crate::error::ChildError;
use crate::supervisor::{SupervisorHandle, WeakSupervisorHandle};

/// The means to hand jobs to a pool and to manage it, whichever incarnations of its workers live. Clones are of the same pool.
pub struct PoolHandle<J, T, E> {
    shared: Arc<Shared<J, T, E>>,
    supervisor: SupervisorHandle,
    /// Of those who end the pool by all being dropped.
    share: Option<Arc<OnLastDrop>>,
}

/// A handle that does not keep the pool: for values that the pool keeps itself, as the `Args` of its workers. It does not count
/// for [`close_on_last_handle`](super::Pool::close_on_last_handle).
pub struct WeakPoolHandle<J, T, E> {
    shared: Weak<Shared<J, T, E>>,
    supervisor: WeakSupervisorHandle,
    share: Option<Weak<OnLastDrop>>,
}

impl<J, T, E> WeakPoolHandle<J, T, E> {
    /// Returns the handle, or `None` if the pool is gone.
    ///
    #[doc = pool_example!("let weak = squares.downgrade();\nassert!(weak.upgrade().is_some());")]
    #[must_use]
    pub fn upgrade(&self) -> Option<PoolHandle<J, T, E>> {
        let share = self.share.as_ref().and_then(Weak::upgrade);
        Some(PoolHandle { shared: self.shared.upgrade()?, supervisor: self.supervisor.upgrade()?, share })
    }
}

impl<J, T, E> Clone for WeakPoolHandle<J, T, E> {
    fn clone(&self) -> Self {
        let Self { shared, supervisor, share } = self;
        Self { shared: shared.clone(), supervisor: supervisor.clone(), share: share.clone() }
    }
}

impl<J, T, E> fmt::Debug for WeakPoolHandle<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakPoolHandle").field(&self.upgrade()).finish()
    }
}

/// What all handles of a pool have in common that ends with them.
struct OnLastDrop(Box<dyn Fn() + Send + Sync>);

impl Drop for OnLastDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<J, T, E> PoolHandle<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pub(super) const fn new(shared: Arc<Shared<J, T, E>>, supervisor: SupervisorHandle) -> Self {
        Self { shared, supervisor, share: None }
    }

    /// A handle that does this when it and all its clones are gone.
    pub(super) fn ending(&self, end: impl Fn() + Send + Sync + 'static) -> Self {
        Self { share: Some(Arc::new(OnLastDrop(Box::new(end)))), ..self.clone() }
    }

    /// The handle of a pool whose tree is there.
    pub(super) fn of(shared: &Arc<Shared<J, T, E>>) -> Option<Self> {
        let supervisor = shared.supervisor.upgrade()?;
        Some(Self::new(shared.clone(), supervisor))
    }

    /// Returns a future that resolves when the incarnation of the supervisor of the pool that lives has
    /// ended, to the reason: see [`Monitor`](perennial_actors::Monitor).
    pub fn monitor(&self) -> perennial_actors::Monitor {
        self.supervisor.monitor()
    }

    /// Returns a handle that does not keep the pool.
    ///
    #[doc = pool_example!("let weak = squares.downgrade();\nassert!(weak.upgrade().is_some());")]
    #[must_use]
    pub fn downgrade(&self) -> WeakPoolHandle<J, T, E> {
        WeakPoolHandle {
            shared: Arc::downgrade(&self.shared),
            supervisor: self.supervisor.downgrade(),
            share: self.share.as_ref().map(Arc::downgrade),
        }
    }

    pub(super) const fn shared(&self) -> &Arc<Shared<J, T, E>> {
        &self.shared
    }

    /// Submits a job: await it to wait for room, or take it [now](Submission::try_submit) or not at all. Say how it is to be treated first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use perennial_actors::System;
    /// use perennial_supervision::pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::of("squares", 2, |n: &u64| {
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
    pub fn submit(&self, job: J) -> Submission<J, T, E> {
        Submission::new(self.shared.clone(), job)
    }

    /// Submits jobs in order, as there is room; their results as one. They are all there before the first goes in: for a stream without end, submit
    /// one by one.
    ///
    /// # Errors
    ///
    /// The pool takes none in any more: the first job that it did not take; those after it are dropped. Those before it were taken in, and nobody
    /// hears what becomes of them. The same if the future is dropped.
    ///
    #[doc = pool_example!(r"let batch = squares.submit_many([1, 2, 3]).await?;
let results = batch.all().await;
assert!(matches!(results[..], [Ok(1), Ok(4), Ok(9)]));")]
    pub async fn submit_many(
        &self,
        jobs: impl IntoIterator<Item = J> + Send,
    ) -> Result<Batch<T, E>, SubmitError<J>>
    where
        J: Send,
    {
        let (sender, results) = mpsc::unbounded_channel();
        let mut jobs: Vec<J> = jobs.into_iter().collect();
        let len = jobs.len();
        jobs.reverse();
        // Those that are left are dropped one by one if this is.
        let mut jobs = Each::new(jobs);
        while let Some(job) = jobs.pop() {
            let index = len - jobs.len() - 1;
            self.submit(job).put(ResultSink::Batch(index, sender.clone())).await?;
        }
        Ok(Batch::new(results, len))
    }

    /// Hands out no more jobs, until it [goes on](Self::resume). What has been begun is finished.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert_eq!(squares.stats().queued, 1);
squares.resume();
assert_eq!(job.await?, 49);")]
    pub fn pause(&self) {
        self.shared.change(|state| state.board.pause(true));
    }

    /// Hands out jobs again.
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
squares.resume();
assert_eq!(job.await?, 49);")]
    pub fn resume(&self) {
        self.shared.change(|state| state.board.pause(false));
    }

    /// Waits until nothing waits and nothing is worked at. Jobs that come meanwhile are waited for too.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    ///
    #[doc = pool_example!(r"squares.submit(7).forget().await?;
squares.drain().await;
assert_eq!(squares.stats().done, 1);")]
    pub async fn drain(&self) {
        self.shared.emptied().await;
    }

    /// Drops all jobs that wait; how many. Their results are [`Dropped`](super::JobError::Dropped).
    ///
    #[doc = pool_example!(r"squares.pause();
let job = squares.submit(7).await?;
assert_eq!(squares.clear(), 1);
assert!(matches!(job.await, Err(JobError::Dropped)));")]
    pub fn clear(&self) -> usize {
        let mut session = self.shared.lock_synced();
        let count = session.clear();
        session.end();
        count
    }

    /// The jobs that failed for good, oldest first. They are given away; the pool keeps the last 1,000 unless set
    /// otherwise.
    ///
    #[doc = pool_example!("assert!(squares.take_dead().is_empty());")]
    #[must_use]
    pub fn drain_dead_jobs(&self) -> Vec<DeadJob<J, E>> {
        self.shared.drain_dead_jobs()
    }

    /// What it has done up to now.
    ///
    #[doc = pool_example!(r"squares.submit(7).await?.await?;
let stats = squares.stats();
assert_eq!((stats.submitted, stats.done, stats.queued), (1, 1, 0));")]
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    /// What happens to its jobs from now on.
    ///
    #[doc = pool_example!(r"let mut events = squares.subscribe();
let job = squares.submit(7).await?;
assert_eq!(events.next().await, Some(JobEvent::Submitted(job.id())));")]
    #[must_use]
    pub fn subscribe(&self) -> Subscription<JobEvent> {
        self.shared.events.subscribe()
    }

    /// The means to look at the supervisor of its workers, whose ids are their numbers.
    ///
    #[doc = pool_example!(r"let counts = squares.supervisor().count_children().await?;
assert!(counts.active >= 2);")]
    #[must_use]
    pub fn supervisor(&self) -> &SupervisorHandle {
        &self.supervisor
    }
}

impl<J, T, E> Clone for PoolHandle<J, T, E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), supervisor: self.supervisor.clone(), share: self.share.clone() }
    }
}

impl<J, T, E> fmt::Debug for PoolHandle<J, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolHandle").field("supervisor", &self.supervisor).finish_non_exhaustive()
    }
}

/// Why the workers of a pool were not changed, or not all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// There are to be more than the pool was made for.
    #[error("the maximum is {max} workers")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// The pool has stopped.
    #[error("the pool has stopped")]
    Stopped,
    /// A worker declined to start.
    #[error("worker {slot} declined to start")]
    Declined {
        /// Which one.
        slot: usize,
    },
    /// A worker did not start, or was not stopped.
    #[error(fmt = worker_failed)]
    Worker {
        /// Which one.
        slot: usize,
        /// Why.
        error: ChildError,
    },
}

fn worker_failed(slot: &usize, error: &ChildError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "worker {slot}: ")?;
    fmt::Display::fmt(error, f)
}
