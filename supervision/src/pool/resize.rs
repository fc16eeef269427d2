//! Changing the workers of a pool: how many there are, and restarting all of them.

use super::handle::{PoolError, PoolHandle};
use super::scheduler::Phase;
use crate::error::ChildError;
use crate::supervisor::run_to_completion;
use crate::tree::ChildStart;

impl<J, T, E> PoolHandle<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
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
    ///
    #[doc = pool_example!("squares.resize(1).await?;\nassert_eq!(squares.stats().workers, 1);")]
    pub async fn resize(&self, workers: usize) -> Result<(), PoolError> {
        let pool = self.clone();
        run_to_completion(async move { pool.set_size(workers).await })
            .await
            .unwrap_or(Err(PoolError::Stopped))
    }

    async fn set_size(&self, workers: usize) -> Result<(), PoolError> {
        let max = self.shared().workers().len();
        if workers > max {
            return Err(PoolError::TooMany { max });
        }
        let _one_at_a_time = self.shared().changing.lock().await;
        if self.is_stopped() {
            return Err(PoolError::Stopped);
        }
        let before = self.shared().wanted();
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
            self.shared().change(|state| state.board.set_open(slot, false));
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
        let state = self.shared().lock_state();
        if state.board.phase() == Phase::Closed {
            return Err(PoolError::Stopped);
        }
        self.shared().want(workers);
        drop(state);
        // It may have something to watch now.
        self.shared().call_foreman();
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
    ///
    #[doc = pool_example!(r"squares.rolling_restart().await?;
assert_eq!(squares.stats().workers, 2);")]
    pub async fn rolling_restart(&self) -> Result<(), PoolError> {
        let pool = self.clone();
        run_to_completion(async move { pool.restart_each().await }).await.unwrap_or(Err(PoolError::Stopped))
    }

    async fn restart_each(&self) -> Result<(), PoolError> {
        let _one_at_a_time = self.shared().changing.lock().await;
        for slot in 0..self.shared().wanted() {
            if self.is_stopped() {
                break;
            }
            self.shut(slot).await?;
            self.open(slot).await?;
        }
        if self.is_stopped() { Err(PoolError::Stopped) } else { Ok(()) }
    }

    pub(super) async fn open(&self, slot: usize) -> Result<(), PoolError> {
        let started = self.supervisor().restart_child(slot.to_string()).await;
        let started = match started {
            Ok(ChildStart::Started(_)) | Err(ChildError::Running | ChildError::Restarting) => Ok(()),
            // It does so by itself if it is not wanted any more.
            Ok(ChildStart::Ignored) if self.is_stopped() => Err(PoolError::Stopped),
            Ok(ChildStart::Ignored) => Err(PoolError::Declined { slot }),
            Err(error) => Err(PoolError::Worker { slot, error }),
        };
        // If it is not there, what only that one may have goes to all. It may be, as others start it too.
        self.shared().change(|state| {
            let is_due = started.is_ok() || state.board.is_present(slot);
            state.board.set_open(slot, is_due && slot < self.shared().wanted())
        });
        started
    }

    pub(super) async fn shut(&self, slot: usize) -> Result<(), PoolError> {
        let stopped = self.supervisor().terminate_child(slot.to_string()).await;
        stopped.map_err(|error| PoolError::Worker { slot, error })
    }

    fn is_stopped(&self) -> bool {
        self.shared().lock_state().board.phase() == Phase::Closed
    }
}
