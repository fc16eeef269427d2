//! Bringing a pool to its end.

use super::board::Phase;
use super::handle::PoolHandle;

/// How a pool stops. In every case it takes no job in any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopPool {
    /// Everything that it has is finished.
    Finish,
    /// What was begun is finished, and what waits is dropped.
    FinishStarted,
    /// Workers are killed, and everything that is not done is dropped.
    Now,
}

/// How a pool has stopped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct StopReport {
    /// Jobs that were done while it stopped.
    pub done: u64,
    /// Attempts that failed while it stopped, and were followed by another.
    pub requeued: u64,
    /// Jobs that were dropped.
    pub dropped: u64,
    /// Jobs that had their last attempt while it stopped.
    pub failed: u64,
}

impl<J, T, E> PoolHandle<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Stops the pool; ready when nothing waits and nothing is worked at. Its workers end, and are not started again; its supervisor stays, to
    /// be stopped with the tree that it is in.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it takes no job in any more, and finishes what it has; to stop it again waits for that.
    pub async fn stop(&self, how: StopPool) -> StopReport {
        let shared = self.shared();
        let before = shared.stats();
        let phase = if how == StopPool::Now { Phase::Closed } else { Phase::Finishing };
        let waiting = shared.with(|board| {
            board.enter(phase);
            let roused = board.pause(false);
            (if how == StopPool::Finish { Vec::new() } else { board.clear() }, roused)
        });
        shared.drop_all(&waiting);
        if how == StopPool::Now {
            for worker in shared.workers.get().into_iter().flatten() {
                // If it is just being restarted, it finds that there is nothing to do.
                let _ = worker.kill();
            }
        }
        shared.until(super::board::Board::is_done).await;
        // Whoever is idle looks once more, and leaves.
        shared.with(|board| {
            board.enter(Phase::Closed);
            ((), board.rouse_all())
        });
        let after = shared.stats();
        StopReport {
            done: after.done - before.done,
            requeued: after.retried - before.retried,
            dropped: after.dropped - before.dropped,
            failed: after.failed - before.failed,
        }
    }
}
