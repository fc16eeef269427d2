//! Bringing a pool to its end.

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::handle::PoolHandle;
use super::scheduler::Phase;
use super::stats::PoolStats;
use crate::supervisor::run_to_completion;

/// How a pool stops. In every case it takes no job in any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PoolShutdown {
    /// Everything that it has is finished.
    Drain,
    /// What was begun is finished, and what waits is dropped.
    FinishInFlight,
    /// Workers are killed, and everything that is not done is dropped.
    Abort,
}

/// How a pool has stopped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PoolStopReport {
    /// Jobs that were done while it stopped.
    pub completed: u64,
    /// Attempts that failed while it stopped, and were followed by another.
    pub requeued: u64,
    /// Jobs that were dropped.
    pub dropped: u64,
    /// Jobs that had their last attempt while it stopped.
    pub failed: u64,
    /// Closures of a [blocking](super::Pool::from_blocking_fn) pool that had not returned when the time was over that workers have to stop. They
    /// cannot be dropped, and what becomes of them is not heard.
    pub unstopped: usize,
}

impl<J, T, E> PoolHandle<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Stops the pool; ready when nothing waits, nothing is worked at, and its workers have ended. They are not started again; its
    /// supervisor stays, to be stopped with the tree that it is in.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the stop is carried through all the same. To stop it again waits for that.
    ///
    /// # What may keep it
    ///
    /// It waits for jobs that are delayed for a long time, for a worker in backoff that the key of
    /// a job leads to, and without end if the pool is paused meanwhile. If it has no workers,
    /// because it was resized to none or each declined to start, what waits is dropped. A job that
    /// waits for the end of its own pool waits for itself.
    ///
    #[doc = pool_example!(r"squares.submit(7).forget().await?;
let report = squares.stop(StopPool::Finish).await;
assert_eq!((report.done, report.dropped), (1, 0));")]
    pub async fn stop(&self, how: PoolShutdown) -> PoolStopReport {
        let before = self.shared().stats();
        self.close_submissions(how);
        let pool = self.clone();
        run_to_completion(async move { pool.end(how, before).await }).await.unwrap_or_default()
    }

    /// Waits for what is to be finished, and ends the workers.
    async fn end(&self, how: PoolShutdown, before: PoolStats) -> PoolStopReport {
        let shared = self.shared();
        if how != PoolShutdown::Abort {
            shared.emptied().await;
            shared.lock_state().board.enter(Phase::Closed);
        }
        let began = Instant::now();
        self.stop_workers(how).await;
        let unstopped = match shared.threads.get() {
            Some((threads, time)) => {
                let left = time.map(|time| time.saturating_sub(began.elapsed()));
                threads.freed_within(left).await
            }
            None => 0,
        };
        // Of those who do not await, and so could not be told; they were abandoned.
        shared.emptied().await;
        let after = shared.stats();
        PoolStopReport {
            completed: after.completed - before.completed,
            requeued: after.retried - before.retried,
            dropped: after.dropped - before.dropped,
            failed: after.failed - before.failed,
            unstopped,
        }
    }

    /// Takes no job in any more, and drops what is not to be finished.
    fn close_submissions(&self, how: PoolShutdown) {
        let mut session = self.shared().lock_synced();
        session.state.board.enter(if how == PoolShutdown::Abort { Phase::Closed } else { Phase::Finishing });
        let roused = session.state.board.pause(false);
        session.rouse(roused);
        if how != PoolShutdown::Drain {
            session.clear();
        }
        if how == PoolShutdown::Abort {
            session.cancel_leased();
        }
        session.end();
    }

    /// Stops all workers, at once.
    async fn stop_workers(&self, how: PoolShutdown) {
        let shared = self.shared();
        shared.want(0);
        let mut stopping = JoinSet::new();
        for slot in 0..shared.workers().len() {
            let pool = self.clone();
            stopping.spawn(async move { pool.shut(slot).await });
        }
        if how == PoolShutdown::Abort {
            // Once all of them have been told, so that none of them is started again, and no kill counts as a crash.
            tokio::task::yield_now().await;
            let _ = self.supervisor().count_children().await;
            for worker in shared.workers() {
                let _ = worker.kill();
            }
        }
        while stopping.join_next().await.is_some() {}
    }
}
