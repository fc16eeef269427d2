//! Changes of the number of workers of a pool.

use std::future::pending;
use std::pin::pin;

use perennial_actors::ProcessState;

use super::handle::{PoolError, PoolHandle};
use super::scheduler::Phase;
use super::worker::Work;
use crate::error::{ChildError, StartChildErrorKind};
use crate::supervisor::run_to_completion;
use crate::tree::ChildStart;

impl<W: Work + 'static> PoolHandle<W> {
    /// Changes the number of workers. Resolves when the new workers have started and the surplus
    /// workers have ended. A surplus worker finishes its current job, if that does not exceed the
    /// shutdown time. No job is lost.
    ///
    /// A pool of a [fixed](super::PoolSize::Fixed) size can have any number of workers below 2^32:
    /// `kubectl scale`. An [elastic](super::PoolSize::Between) pool stays within its bounds. The
    /// new number survives a restart of the pool. While the pool waits for its first start or a
    /// restart, the number is set without waiting: the pool gets that many workers when it starts.
    /// The same holds if the pool fails to start or is killed while the resize is under way.
    ///
    /// A [rollout](super::Rollout) that is under way or paused goes on with the new number: see
    /// there. The number then holds at once, and the last of several resizes counts.
    ///
    /// # Errors
    ///
    /// Returns an error if `workers` is not within the bounds of the pool, if a worker does not
    /// start, declines to start or does not stop, or if the pool has stopped or is not part of a
    /// tree yet. If a worker does not start, the target number is set to the number of workers
    /// before it, but not below the previous one. A wanted worker that does not run is started
    /// again, with growing delays.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the change continues.
    ///
    #[doc = pool_example!("squares.resize(8).await?;\nassert_eq!(squares.stats().workers.running, 8);")]
    pub async fn resize(&self, workers: usize) -> Result<(), PoolError> {
        let pool = self.clone();
        run_to_completion(async move { pool.set_size(workers).await })
            .await
            .unwrap_or(Err(PoolError::Stopped))
    }

    async fn set_size(&self, workers: usize) -> Result<(), PoolError> {
        let bounds = self.shared.worker_specs().ok_or(PoolError::Stopped)?.bounds().clone();
        if workers > *bounds.end() {
            return Err(PoolError::TooMany { max: *bounds.end() });
        } else if workers < *bounds.start() {
            return Err(PoolError::TooFew { min: *bounds.start() });
        }
        let shared = &self.shared;
        let _one_at_a_time = loop {
            // Registered before the check, so that the begin of a rollout is not missed.
            let mut changed = pin!(shared.rollout.changed.notified());
            changed.as_mut().enable();
            if let Some(resized) = shared.rollout.resize(workers) {
                // An error says that the rollout has ended.
                if let Ok(resized) = resized.await {
                    return resized;
                }
                continue;
            }
            tokio::select! {
                guard = shared.changing.lock() => break guard,
                () = changed => {}
            }
        };
        if self.is_stopped() {
            return Err(PoolError::Stopped);
        }
        let before = self.shared.wanted();
        for slot in 0..workers {
            if !self.shared.add_slots(slot + 1) {
                return Err(PoolError::Stopped);
            }
            // At most one more worker is wanted than has started: a restart of the pool would have
            // to start all wanted workers.
            if slot >= before {
                self.set_wanted(slot + 1)?;
            }
            let is_missing = !self.shared.lock_state().scheduler.is_present(slot);
            let _held = is_missing.then(|| self.shared.hold(slot));
            // Without an answer, the worker is started with the pool.
            let started = self.uninterrupted(self.start_worker(slot)).await;
            if let Some(Err(error)) = started {
                self.set_wanted(slot.max(before))?;
                return Err(error);
            }
        }
        self.set_wanted(workers)?;
        self.stop_surplus(workers).await
    }

    /// Stops the workers of the slots from `workers` on.
    async fn stop_surplus(&self, workers: usize) -> Result<(), PoolError> {
        // None of them starts another job while it waits to be stopped.
        for slot in workers..self.shared.slots() {
            self.shared.reschedule(|scheduler| scheduler.set_open(slot, false));
        }
        let mut stopped = Ok(());
        for slot in (workers..self.shared.slots()).rev() {
            // A failure to stop one does not keep the others running.
            let result = self.uninterrupted(self.stop_worker(slot)).await;
            stopped = result.unwrap_or(Ok(())).and(stopped);
        }
        stopped
    }

    /// Sets the target number of workers.
    pub(super) fn set_wanted(&self, workers: usize) -> Result<(), PoolError> {
        self.shared.set_wanted(workers, |state| match state.scheduler.phase() {
            Phase::Closed => Err(PoolError::Stopped),
            _ => Ok(()),
        })?;
        // The load may require checks now.
        self.shared.notify_manager();
        Ok(())
    }

    pub(super) async fn start_worker(&self, slot: usize) -> Result<(), PoolError> {
        let started = match self.supervisor().restart_child(slot.to_string()).await {
            Err(ChildError::NotFound) => self.add_worker(slot).await,
            started => started,
        };
        let started = match started {
            Ok(ChildStart::Started(_)) | Err(ChildError::Running | ChildError::Restarting) => Ok(()),
            // A worker that is no longer wanted declines.
            Ok(ChildStart::Ignored) if self.is_stopped() => Err(PoolError::Stopped),
            Ok(ChildStart::Ignored) => Err(PoolError::Declined { slot }),
            Err(error) => Err(PoolError::Worker { slot, error }),
        };
        // If the worker is absent, the jobs reserved for it go to all workers. It may be present,
        // because another caller may have started it.
        self.shared.reschedule(|scheduler| {
            let is_due = scheduler.is_present(slot) || (started.is_ok() && slot < self.shared.wanted());
            scheduler.set_open(slot, is_due && slot < self.shared.may_run())
        });
        started
    }

    /// Adds the worker of a slot to the supervisor and starts it: the slot is new, or its worker
    /// was deleted. If it starts, it belongs to the spec of the supervisor. A deleted worker
    /// belongs to the holder of its spec until the spec is dropped.
    async fn add_worker(&self, slot: usize) -> Result<ChildStart, ChildError> {
        let specs = self.shared.worker_specs().ok_or(ChildError::ShuttingDown)?;
        let spec = specs.claim(slot).ok_or(ChildError::NotFound)?;
        self.supervisor().start_child(spec).await.map_err(|error| match error.kind {
            StartChildErrorKind::AlreadyStarted(_) => ChildError::Running,
            StartChildErrorKind::AlreadyPresent => ChildError::Restarting,
            StartChildErrorKind::Failed(reason) => ChildError::StartFailed(reason),
            _ => ChildError::ShuttingDown,
        })
    }

    pub(super) async fn stop_worker(&self, slot: usize) -> Result<(), PoolError> {
        match self.supervisor().terminate_child(slot.to_string()).await {
            // It was never started or was deleted.
            Ok(()) | Err(ChildError::NotFound) => Ok(()),
            Err(error) => Err(PoolError::Worker { slot, error }),
        }
    }

    /// Awaits a request to the supervisor. Returns `None` if no incarnation of the supervisor has
    /// answered it, and another is to follow: all workers have ended then.
    pub(super) async fn uninterrupted(
        &self,
        request: impl Future<Output = Result<(), PoolError>>,
    ) -> Option<Result<(), PoolError>> {
        let ended = self.supervisor().monitor();
        let answer = tokio::select! {
            biased;
            () = self.waits_for_start() => return None,
            answer = request => answer,
        };
        if !matches!(answer, Err(PoolError::Worker { error: ChildError::ShuttingDown, .. })) {
            return Some(answer);
        }
        // Its start has failed, or it was shutting down: perhaps for the last time.
        ended.await;
        let is_over = self.is_stopped() || self.is_closed();
        is_over.then_some(Err(PoolError::Stopped))
    }

    /// Returns `true` if no incarnation of the supervisor will follow.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.supervisor().handle().state(), ProcessState::Closed)
    }

    /// Returns `true` if no incarnation of the supervisor runs, and one is to follow.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.supervisor().handle().state(), ProcessState::Pending)
    }

    /// Resolves when no incarnation of the pool runs and another one is to follow: a request would
    /// wait for its start. The workers have ended then.
    pub(super) async fn waits_for_start(&self) {
        // Made before the check, so that it is bound to the incarnation that the check sees.
        let ended = self.supervisor().monitor();
        let supervisor = self.supervisor().handle();
        if matches!(supervisor.state(), ProcessState::Alive(_)) {
            ended.await;
        }
        if self.is_closed() {
            // Requests are refused at once.
            pending::<()>().await;
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.shared.lock_state().scheduler.phase() == Phase::Closed
    }
}
