//! Stopping a pool.

use std::convert::Infallible;

use perennial_actors::host::Requeue;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::builder::Pool;
use super::handle::PoolHandle;
use super::job_id::JobId;
use super::scheduler::Phase;
use super::stats::PoolStats;
use super::worker::Work;
use crate::boxed::boxed;
use crate::supervisor::run_to_completion;

/// How a pool stops. In each mode it accepts no more jobs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PoolShutdown {
    /// All jobs are finished, queued and running.
    Drain,
    /// Running jobs are finished, and queued jobs are dropped.
    FinishInFlight,
    /// Workers are killed, and all unfinished jobs are dropped.
    Abort,
}

/// The report of a stop.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PoolStopReport {
    /// Jobs that completed while the pool stopped.
    pub completed: u64,
    /// Attempts that failed while the pool stopped, and were retried.
    pub requeued: u64,
    /// Jobs that were dropped.
    pub dropped: u64,
    /// Jobs that failed permanently while the pool stopped.
    pub failed: u64,
    /// The jobs whose calls of a [blocking function](super::Pool::from_blocking_fn) had not
    /// returned when the shutdown time of the workers was over, in submission order. The calls
    /// cannot be stopped; their outcome is lost, and they count as
    /// [running](PoolStats::running) until they return.
    pub unstopped: Vec<JobId>,
}

impl<W: Work + 'static> Pool<W> {
    /// Returns a future that resolves when the pool has ended: see
    /// [`WeakPoolHandle::ended`](super::WeakPoolHandle::ended).
    ///
    #[doc = setting_example!(
        r#"let other = Pool::from_fn("others", 2, square);
let ended = other.ended();
drop(other);
ended.await;"#
    )]
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<W> {
        self.handle.downgrade().ended()
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Stops the pool. Resolves when no job is queued or runs and all workers have ended. The
    /// workers are not started again. The supervisor of the pool keeps running until its tree stops
    /// it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll, the stop continues. A second stop waits for
    /// the first.
    ///
    /// # What may keep it
    ///
    /// It waits for long-delayed jobs, for a worker in backoff that the key of a job maps to, and
    /// forever if the pool is paused meanwhile. If each worker declined to start, or a pool of a
    /// fixed size was resized to zero, the queued jobs are dropped. A job that waits for the stop
    /// of its own pool waits for itself.
    ///
    /// A pool that does not run, because it waits for its first start or a restart, has no worker:
    /// [`FinishInFlight`](PoolShutdown::FinishInFlight) and [`Abort`](PoolShutdown::Abort) do not
    /// wait for that start. [`Drain`](PoolShutdown::Drain) waits for it if jobs are queued, and
    /// forever if the pool never starts. A second stop with [`Abort`](PoolShutdown::Abort) drops
    /// these jobs, and both stops end.
    ///
    /// [`Drain`](PoolShutdown::Drain) waits for a
    /// [blocking call](super::Pool::from_blocking_fn) whose job has attempts left. For a call whose
    /// job has a result, a stop waits no longer than for workers.
    ///
    #[doc = pool_example!(r"squares.submit(7).detach().await?;
let report = squares.stop(PoolShutdown::Drain).await;
assert_eq!((report.completed, report.dropped), (1, 0));")]
    pub async fn stop(&self, how: PoolShutdown) -> PoolStopReport {
        let before = self.shared.decided();
        self.close_submissions(how);
        let pool = self.clone();
        run_to_completion(async move { pool.end(how, before).await }).await.unwrap_or_default()
    }

    /// Waits for the jobs that are to be finished, and stops the workers.
    async fn end(&self, how: PoolShutdown, before: PoolStats) -> PoolStopReport {
        let shared = &self.shared;
        if how != PoolShutdown::Abort {
            shared.emptied().await;
            shared.with_queue(|queue| queue.state.scheduler.advance_to(Phase::Closed));
        }
        let began = Instant::now();
        self.stop_workers(how).await;
        if let Some((threads, time)) = shared.threads.get() {
            let left = time.map(|time| time.saturating_sub(began.elapsed()));
            threads.freed_within(left).await;
        }
        let unstopped = shared.report_terminating();
        // Jobs of abandoned workers: workers that never await cannot observe the stop.
        shared.emptied().await;
        let after = shared.decided();
        PoolStopReport {
            completed: after.completed - before.completed,
            requeued: after.retried - before.retried,
            dropped: after.dropped - before.dropped,
            failed: after.failed - before.failed,
            unstopped,
        }
    }

    /// Rejects new jobs, and drops the jobs that are not to be finished.
    fn close_submissions(&self, how: PoolShutdown) {
        let is_abort = how == PoolShutdown::Abort;
        self.shared.with_queue(|queue| {
            queue.reschedule(|scheduler| {
                scheduler.advance_to(if is_abort { Phase::Closed } else { Phase::Finishing });
                scheduler.pause(false)
            });
            if how != PoolShutdown::Drain {
                queue.clear();
            }
            if is_abort {
                queue.cancel_leased();
            }
        });
    }

    /// Stops all workers. If the pool does not run, there are none, and those that would start with
    /// it decline.
    async fn stop_workers(&self, how: PoolShutdown) {
        let Ok(()) = self.shared.set_wanted(0, |_| Ok::<(), Infallible>(()));
        // A rollout ends, also if no worker runs whose end it would see.
        self.shared.rollout.changed.notify_waiters();
        tokio::select! {
            biased;
            () = self.waits_for_start() => {}
            () = self.stop_running_workers(how) => {}
        }
    }

    /// Stops all workers concurrently.
    async fn stop_running_workers(&self, how: PoolShutdown) {
        let shared = &self.shared;
        let mut stopping = JoinSet::new();
        for slot in 0..shared.slots() {
            let pool = self.clone();
            stopping.spawn(boxed(async move { pool.stop_worker(slot).await }));
        }
        if how == PoolShutdown::Abort {
            // After every stop request has arrived: then no killed worker is restarted, and no kill
            // counts as a crash.
            Requeue::default().await;
            let _ = self.supervisor().count_children().await;
            for worker in (0..shared.slots()).filter_map(|slot| shared.worker(slot)) {
                let _ = worker.kill();
            }
        }
        while stopping.join_next().await.is_some() {}
    }
}
