//! Performs the steps of a rollout, and observes the workers for it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::add_time;
use perennial_actors::host::sync::Ordering;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::on_drop::OnDrop;
use super::revisions::RevisionControl;
use super::rollout_control::Resize;
use super::shared::Shared;
use crate::boxed::boxed;
use crate::pool::handle::{PoolError, PoolHandle};
use crate::pool::rollout_report::{RolloutError, RolloutFailure, RolloutReport};
use crate::pool::scheduler::{
    ReadinessSource, RolloutLimits, RolloutState, RolloutStep, SlotOutcome, StepEnd, Time, Version,
};
use crate::pool::worker::Work;

/// The settings of a rollout.
pub(crate) struct RolloutPlan {
    pub(crate) limits: RolloutLimits,
    /// How long a worker may take to finish its job, if not as long as its shutdown takes.
    pub(crate) grace: Option<Duration>,
    /// Brings the new arguments, if there are any.
    pub(crate) stage: Option<Stage>,
}

/// Brings new arguments into the revisions of a pool.
pub(crate) type Stage = Box<dyn FnOnce(Arc<dyn RevisionControl>) + Send>;

/// The end of a step in a slot: without a result if the supervisor of the pool has ended meanwhile,
/// and is to start again.
enum Finished {
    Stopped(usize, Option<Result<(), PoolError>>),
    Started(usize, Option<Result<(), PoolError>>),
}

const fn end_of(result: &Option<Result<(), PoolError>>) -> StepEnd {
    match result {
        None => StepEnd::Interrupted,
        Some(Ok(())) => StepEnd::Succeeded,
        Some(Err(_)) => StepEnd::Failed,
    }
}

/// A rollout under way.
struct Rolling<W: Work + 'static> {
    pool: PoolHandle<W>,
    state: RolloutState,
    grace: Option<Duration>,
    revisions: Arc<dyn RevisionControl>,
    steps: JoinSet<Finished>,
    /// The slots whose workers are stopped and started, and are not repaired meanwhile.
    held: BTreeMap<usize, OnDrop>,
    /// The resizes that are under way.
    resizes: Vec<Resize>,
    failure: Option<RolloutFailure>,
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Replaces all workers by these rules.
    pub(crate) async fn roll_out(self, plan: RolloutPlan) -> Result<RolloutReport, RolloutError> {
        let shared = &self.shared;
        let _one_at_a_time = shared.changing.lock().await;
        let began = Instant::now();
        let revisions = shared.revisions().ok_or(RolloutError::Stopped)?;
        let reverts = plan.stage.is_some();
        if let Some(stage) = plan.stage {
            stage(revisions.clone());
        }
        let wanted = shared.wanted();
        let state = {
            let queue = shared.lock_state();
            RolloutState::new(plan.limits, wanted, reverts, |slot| queue.scheduler.observed(slot))
        };
        let surge = state.slots() - wanted;
        let _end = shared.begin_rollout(surge);
        let mut rolling = Rolling {
            pool: self.clone(),
            state,
            grace: plan.grace,
            revisions: revisions.clone(),
            steps: JoinSet::new(),
            held: BTreeMap::new(),
            resizes: Vec::new(),
            failure: None,
        };
        let is_complete = rolling.run().await;
        let version = if rolling.state.is_forward() && is_complete { Version::New } else { Version::Old };
        // Without a way back, the workers that were replaced have the same arguments.
        let revision = revisions.end_rollout(version);
        if !is_complete {
            return Err(RolloutError::Stopped);
        }
        rolling.report(revision, reverts, began.elapsed())
    }

    /// Lets a worker finish its job within a time, and stops it. It starts no other job meanwhile.
    async fn stop_after_job(&self, slot: usize, grace: Option<Duration>) -> Result<(), PoolError> {
        let shared = &self.shared;
        if slot >= shared.wanted() {
            // Its jobs go to others. The jobs of any other worker wait for its next incarnation.
            shared.reschedule(|scheduler| scheduler.set_open(slot, false));
        }
        let Some(grace) = grace else { return self.stop_worker(slot).await };
        let until = add_time(Instant::now(), grace);
        // The stop itself waits for the job as long as a shutdown may take.
        let shutdown = shared.threads.get().map_or(Some(Duration::ZERO), |(_, shutdown)| *shutdown);
        let before_stop = shutdown.map_or(Duration::ZERO, |shutdown| grace.saturating_sub(shutdown));
        let retiring = shared.begin_retiring(slot);
        let _ = timeout(before_stop, shared.job_finished(slot)).await;
        let mut stop = pin!(self.stop_worker(slot));
        let stopped = match timeout_at(until, stop.as_mut()).await {
            Ok(stopped) => stopped,
            Err(_) => {
                // Its supervisor stops it, so its job loses no attempt.
                if let Some(worker) = shared.worker(slot) {
                    let _ = worker.kill();
                }
                stop.await
            }
        };
        if let (Err(_), Some(incarnation)) = (&stopped, retiring) {
            shared.set_retiring(slot, incarnation, false);
        }
        stopped
    }

    /// Starts a worker from the arguments of a revision. If one runs that has others, it is stopped
    /// after its job.
    async fn start_revision(
        &self,
        slot: usize,
        (revision, grace): (u64, Option<Duration>),
        revisions: &dyn RevisionControl,
    ) -> Result<(), PoolError> {
        if !self.shared.add_slots(slot + 1) {
            return Err(PoolError::Stopped);
        }
        loop {
            self.start_worker(slot).await?;
            if revisions.started(slot) == Some(revision) {
                return Ok(());
            }
            // Another caller has started it just before, or a restart of the pool.
            self.stop_after_job(slot, grace).await?;
        }
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Gives no more jobs to the worker of a slot. Returns its incarnation, if one runs.
    fn begin_retiring(&self, slot: usize) -> Option<u32> {
        let incarnation = self.lock_state().scheduler.running_incarnation(slot)?;
        self.set_retiring(slot, incarnation, true);
        Some(incarnation)
    }

    fn set_retiring(&self, slot: usize, incarnation: u32, is_retiring: bool) {
        let source = ReadinessSource::Retirement;
        self.reschedule(|scheduler| scheduler.set_ready(slot, incarnation, source, !is_retiring));
    }

    /// Begins a rollout with this many additional workers. The drop of the returned value ends it.
    fn begin_rollout(self: &Arc<Self>, surge: usize) -> OnDrop {
        self.rollout.surge.store(surge, Ordering::Release);
        self.rollout.is_undone.store(false, Ordering::Release);
        self.rollout.begin();
        let pool = self.clone();
        OnDrop::new(move || {
            pool.rollout.end();
            pool.rollout.surge.store(0, Ordering::Release);
            // Missing workers are started again from now on.
            pool.notify_manager();
        })
    }
}

impl<W: Work + 'static> Rolling<W> {
    /// Runs the rollout to its end. Returns `false` if the pool has stopped before.
    async fn run(&mut self) -> bool {
        let pool = self.pool.clone();
        let shared = &pool.shared;
        loop {
            // Registered before the checks, so that no change is missed.
            let (mut ready, mut control) =
                (pin!(shared.readiness_changed.notified()), pin!(shared.rollout.changed.notified()));
            ready.as_mut().enable();
            control.as_mut().enable();
            let now = shared.now();
            if pool.is_stopped() || pool.is_closed() || shared.lock_state().tree_ended {
                return false;
            }
            self.begin_resizes();
            self.observe(now);
            shared.rollout.set_direction(self.state.direction());
            let is_pending = pool.is_pending();
            if is_pending && self.may_end_at_rest() {
                self.state.end_at_rest();
            } else if self.runs() {
                self.begin_steps(now);
            }
            // The number holds for the next start of the pool.
            if is_pending || self.state.is_resized() {
                self.answer_resizes(&Ok(()));
            }
            if self.state.is_over(now) {
                return true;
            }
            let deadline = self
                .state
                .next_deadline(now)
                .map(|deadline| add_time(Instant::now(), deadline.saturating_sub(now)));
            tokio::select! {
                Some(finished) = self.steps.join_next() => self.finish(finished.ok()),
                () = ready => {}
                () = control => {}
                () = pool.waits_for_start(), if !is_pending => {}
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
            }
        }
    }

    /// Returns `true` if the pool has started and has not ended.
    fn runs(&self) -> bool {
        !self.pool.is_pending() && self.pool.shared.is_managed()
    }

    fn is_paused(&self) -> bool {
        self.pool.shared.rollout.is_paused.load(Ordering::Acquire)
    }

    /// Returns `true` if the rollout need not wait for the start of its pool. A version that some
    /// workers have already is first to be proven.
    fn may_end_at_rest(&self) -> bool {
        !self.state.is_forward() || !(self.is_paused() || self.state.has_begun())
    }

    /// Changes the number of workers as the handles say. The last one counts.
    fn begin_resizes(&mut self) {
        let pool = self.pool.clone();
        let rollout = &pool.shared.rollout;
        let before = pool.shared.wanted();
        for resize in rollout.take_resizes() {
            // No worker that runs becomes one that may not, not even for an instant.
            rollout.surge.store(self.state.slots(), Ordering::Release);
            match pool.set_wanted(resize.workers) {
                Ok(()) => {
                    self.state.resize(resize.workers);
                    self.resizes.push(resize);
                }
                Err(error) => drop(resize.answer.send(Err(error))),
            }
            let surge = self.state.slots() - pool.shared.wanted();
            rollout.surge.store(surge, Ordering::Release);
        }
        // Also a slot whose worker stops already, or waits to be started.
        for slot in pool.shared.wanted()..before {
            pool.shared.reschedule(|scheduler| scheduler.set_open(slot, false));
        }
    }

    /// Answers the resizes that are under way.
    fn answer_resizes(&mut self, resized: &Result<(), PoolError>) {
        for resize in self.resizes.drain(..) {
            // The caller may be gone.
            let _ = resize.answer.send(resized.clone());
        }
    }

    fn observe(&mut self, now: Time) {
        if self.pool.shared.rollout.is_undone.swap(false, Ordering::AcqRel) {
            self.fail(RolloutFailure::Undone);
        }
        self.state.observe_pool(!self.runs(), self.is_paused(), now);
        let queue = self.pool.shared.lock_state();
        for slot in 0..self.state.slots() {
            self.state.observe(slot, queue.scheduler.observed(slot), now);
        }
        drop(queue);
        let is_forward = self.state.is_forward();
        while let Some(slot) = self.state.overdue(now) {
            if is_forward {
                self.failure.get_or_insert(RolloutFailure::NotReady { slot });
            }
        }
    }

    fn fail(&mut self, failure: RolloutFailure) {
        if self.state.is_forward() {
            self.failure.get_or_insert(failure);
            self.state.fail();
        }
    }

    fn begin_steps(&mut self, now: Time) {
        let is_paused = self.is_paused();
        while let Some(step) = self.state.next_step(is_paused, now) {
            let (pool, grace) = (self.pool.clone(), self.grace);
            match step {
                RolloutStep::Stop(slot) => {
                    self.held.entry(slot).or_insert_with(|| pool.shared.hold(slot));
                    self.steps.spawn(boxed(async move {
                        let stop = pool.stop_after_job(slot, grace);
                        Finished::Stopped(slot, pool.uninterrupted(stop).await)
                    }));
                }
                RolloutStep::Start(slot, version) => {
                    self.held.entry(slot).or_insert_with(|| pool.shared.hold(slot));
                    let (revision, revisions) =
                        (self.revisions.assign(slot, version), self.revisions.clone());
                    self.steps.spawn(boxed(async move {
                        let start = pool.start_revision(slot, (revision, grace), &*revisions);
                        Finished::Started(slot, pool.uninterrupted(start).await)
                    }));
                }
                RolloutStep::Kill(slot) => {
                    if let Some(worker) = pool.shared.worker(slot) {
                        let _ = worker.kill();
                    }
                }
            }
        }
    }

    fn finish(&mut self, finished: Option<Finished>) {
        let (was_forward, wanted) = (self.state.is_forward(), self.pool.shared.wanted());
        let mut is_of_resize = !self.state.is_resized();
        let failed = match finished {
            Some(Finished::Stopped(slot, stopped)) => {
                let end = end_of(&stopped);
                self.state.stopped(slot, end);
                if end == StepEnd::Failed || slot >= wanted {
                    // No start follows.
                    self.held.remove(&slot);
                }
                stopped.and_then(Result::err)
            }
            Some(Finished::Started(slot, started)) => {
                let end = end_of(&started);
                if end == StepEnd::Interrupted {
                    // A version that does not start must not keep the pool from its start.
                    self.revisions.assign(slot, Version::Old);
                }
                self.state.started(slot, end);
                self.held.remove(&slot);
                // A surplus worker is killed in its start.
                is_of_resize &= slot < wanted;
                started.and_then(Result::err)
            }
            // The runtime is shutting down.
            None => None,
        };
        let Some(error) = failed else { return };
        // A worker of the resize has failed for good.
        if is_of_resize && self.state.is_resized() {
            self.answer_resizes(&Err(error.clone()));
        }
        if was_forward && !self.state.is_forward() {
            self.failure.get_or_insert(RolloutFailure::Worker(error));
        }
    }

    /// Reports the end of a rollout whose workers start from this revision now.
    fn report(self, revision: u64, reverts: bool, elapsed: Duration) -> Result<RolloutReport, RolloutError> {
        let mut report = RolloutReport { revision, elapsed, ..RolloutReport::default() };
        for (slot, outcome) in self.state.outcomes(self.pool.shared.now()).enumerate() {
            let slots = match outcome {
                SlotOutcome::Kept => &mut report.kept,
                SlotOutcome::Replaced => &mut report.replaced,
                SlotOutcome::RolledBack => &mut report.rolled_back,
                SlotOutcome::Unavailable => &mut report.unavailable,
            };
            slots.push(slot);
        }
        match self.failure {
            None => Ok(report),
            Some(failure) if reverts => Err(RolloutError::RolledBack { failure, report: Box::new(report) }),
            Some(failure) => Err(RolloutError::Halted { failure, report: Box::new(report) }),
        }
    }
}
