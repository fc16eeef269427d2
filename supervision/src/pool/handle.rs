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
use super::scheduler::Phase;
use super::shared::Shared;
use super::stats::PoolStats;
use super::submit::{Submission, SubmitError};
use crate::error::ChildError;
use crate::supervisor::{SupervisorHandle, WeakSupervisorHandle, carry_through};
use crate::tree::ChildStart;

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

    /// Returns a handle that does not keep the pool.
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
    pub fn pause(&self) {
        self.shared.change(|state| state.board.pause(true));
    }

    /// Hands out jobs again.
    pub fn resume(&self) {
        self.shared.change(|state| state.board.pause(false));
    }

    /// Waits until nothing waits and nothing is worked at. Jobs that come meanwhile are waited for too.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn drain(&self) {
        self.shared.emptied().await;
    }

    /// Drops all jobs that wait; how many. Their results are [`Dropped`](super::JobError::Dropped).
    pub fn clear(&self) -> usize {
        let mut session = self.shared.lock_synced();
        let count = session.clear();
        session.end();
        count
    }

    /// The jobs that have had all their attempts, oldest first. They are given away; the pool keeps the last 1,000 unless set
    /// otherwise.
    #[must_use]
    pub fn drain_dead_jobs(&self) -> Vec<DeadJob<J, E>> {
        self.shared.drain_dead_jobs()
    }

    /// What it has done up to now.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    /// What happens to its jobs from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<JobEvent> {
        self.shared.events.subscribe()
    }

    /// The means to look at the supervisor of its workers, whose ids are their numbers.
    #[must_use]
    pub fn supervisor(&self) -> &SupervisorHandle {
        &self.supervisor
    }

    /// Changes how many workers there are. Those that are too many finish the job that they have, if it does not take longer than
    /// they have to stop. No job is lost.
    ///
    /// # Errors
    ///
    /// If there are to be more than the pool was made for, if one does not start, declines to start
    /// or does not stop, or if the pool has stopped. If one does not start, there are to be as many
    /// as before it. One that is wanted and does not run is started again, with growing delays.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is carried through all the same.
    pub async fn resize(&self, workers: usize) -> Result<(), PoolError> {
        let pool = self.clone();
        carry_through(async move { pool.set_size(workers).await }).await.unwrap_or(Err(PoolError::Stopped))
    }

    async fn set_size(&self, workers: usize) -> Result<(), PoolError> {
        let max = self.shared.workers().len();
        if workers > max {
            return Err(PoolError::TooMany { max });
        }
        let _one_at_a_time = self.shared.changing.lock().await;
        if self.is_stopped() {
            return Err(PoolError::Stopped);
        }
        let before = self.shared.wanted();
        for slot in 0..workers {
            // No more are wanted than have started: a restart of the pool would have to start them.
            if slot >= before {
                self.want(slot + 1)?;
            }
            if let Err(error) = self.open(slot).await {
                self.want(slot.max(before))?;
                return Err(error);
            }
        }
        self.want(workers)?;
        // None of them begins with another job while it is not its turn to stop.
        for slot in workers..max {
            self.shared.change(|state| state.board.set_open(slot, false));
        }
        let mut stopped = Ok(());
        for slot in (workers..max).rev() {
            // What one does not, the others do all the same.
            stopped = self.shut(slot).await.and(stopped);
        }
        stopped
    }

    /// Sets how many there are to be.
    fn want(&self, workers: usize) -> Result<(), PoolError> {
        // Under the lock, so that a pool that is stopped meanwhile wants none in the end.
        let state = self.shared.lock_state();
        if state.board.phase() == Phase::Closed {
            return Err(PoolError::Stopped);
        }
        self.shared.want(workers);
        drop(state);
        // It may have something to watch now.
        self.shared.call_foreman();
        Ok(())
    }

    /// Restarts all workers, one after the other: each finishes the job that it has, if it does not take longer than it has to stop. No job is
    /// lost, and it counts for no intensity. A job that is interrupted goes back, without a loss of an attempt, unless it has only one.
    ///
    /// # Errors
    ///
    /// If one does not start or stop, or the pool has stopped. Those after it are left as they are. One that did not start is started again
    /// later, with growing delays.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is carried through all the same.
    pub async fn rolling_restart(&self) -> Result<(), PoolError> {
        let pool = self.clone();
        carry_through(async move { pool.restart_each().await }).await.unwrap_or(Err(PoolError::Stopped))
    }

    async fn restart_each(&self) -> Result<(), PoolError> {
        let _one_at_a_time = self.shared.changing.lock().await;
        for slot in 0..self.shared.wanted() {
            if self.is_stopped() {
                break;
            }
            self.shut(slot).await?;
            self.open(slot).await?;
        }
        if self.is_stopped() { Err(PoolError::Stopped) } else { Ok(()) }
    }

    pub(super) async fn open(&self, slot: usize) -> Result<(), PoolError> {
        let started = self.supervisor.restart_child(slot.to_string()).await;
        let started = match started {
            Ok(ChildStart::Started(_)) | Err(ChildError::Running | ChildError::Restarting) => Ok(()),
            // It does so by itself if it is not wanted any more.
            Ok(ChildStart::Ignored) if self.is_stopped() => Err(PoolError::Stopped),
            Ok(ChildStart::Ignored) => Err(PoolError::Declined { slot }),
            Err(error) => Err(PoolError::Worker { slot, error }),
        };
        // If it is not there, what only that one may have goes to all. It may be, as others start it too.
        self.shared.change(|state| {
            let is_due = started.is_ok() || state.board.is_present(slot);
            state.board.set_open(slot, is_due && slot < self.shared.wanted())
        });
        started
    }

    pub(super) async fn shut(&self, slot: usize) -> Result<(), PoolError> {
        let stopped = self.supervisor.terminate_child(slot.to_string()).await;
        stopped.map_err(|error| PoolError::Worker { slot, error })
    }

    fn is_stopped(&self) -> bool {
        self.shared.lock_state().board.phase() == Phase::Closed
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
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// There are to be more than the pool was made for.
    #[error("there may be {max} workers at most")]
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
    #[error("worker {slot}: {error}")]
    Worker {
        /// Which one.
        slot: usize,
        /// Why.
        error: ChildError,
    },
}
