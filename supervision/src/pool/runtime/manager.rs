//! The manager of a pool: it handles delays, retries and rates when they are due, and controls the
//! number of workers.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use tokio::task::JoinHandle;

use super::repair::{DELAYS, Repair, Retry};
use super::shared::{Shared, Tick};
use super::worker_specs::WorkerSpecs;
use crate::boxed::boxed;
use crate::log;
use crate::policy::Backoff;
use crate::pool::handle::PoolHandle;
use crate::pool::scheduler::{Load, Scale};
use crate::pool::stop::PoolShutdown;
use crate::pool::worker::Work;

/// The period at which an elastic pool checks its load, unless no check is needed.
const CHECK_PERIOD: Duration = Duration::from_millis(100);

/// The manager of a pool.
pub(crate) struct PoolManager<W: Work + 'static> {
    pool: Arc<Shared<W>>,
    scale: Option<Scale>,
    repair: Repair,
    /// The current resize. Its result is `true` if it succeeded.
    resizing: Option<JoinHandle<bool>>,
    /// When to resize again after a resize has failed.
    resize_retry: Retry,
    /// `true` once it has begun to end the pool.
    is_ending: bool,
}

/// The arguments of a manager.
pub(crate) struct ManagerArgs<W: Work + 'static> {
    pub(crate) pool: Arc<Shared<W>>,
    pub(crate) scale: Option<Scale>,
    /// The delays of repairs.
    pub(crate) delays: Option<Backoff>,
    /// Held for the tree, which owns it.
    pub(crate) _workers: Arc<WorkerSpecs>,
}

impl<W: Work + 'static> Actor for PoolManager<W> {
    type Msg = Tick;
    type Args = ManagerArgs<W>;

    async fn init(args: &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        args.pool.tree_started();
        args.pool.register(ctx.system());
        // A rollout that was interrupted by the end of the supervisor goes on.
        args.pool.rollout.changed.notify_waiters();
        ctx.continue_with(Tick);
        let delays = args.delays.unwrap_or(DELAYS);
        Ok(Self {
            pool: args.pool.clone(),
            scale: args.scale.clone(),
            repair: Repair::new(delays),
            resizing: None,
            resize_retry: Retry::new(delays),
            is_ending: false,
        })
    }

    async fn handle(&mut self, _: Tick, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let (now, (next, is_partial), load, scaling_idle) = self.pool.with_queue(|queue| {
            // Read before the rate allows more starts: until then, more workers are of no use.
            let queued = queue.state.scheduler.runnable();
            let (due, now) = (queue.tick(), queue.now());
            let scheduler = &queue.state.scheduler;
            let waited = scheduler.oldest().map_or(Duration::ZERO, |since| now.saturating_sub(since));
            let load = Load { queued, waited, idle: scheduler.idle() };
            let scale = self.scale.as_ref();
            let scaling_idle = scale.is_some_and(|scale| scale.is_idle_at_min(self.pool.wanted(), load));
            queue.state.scaling_idle = scaling_idle;
            (now, due, load, scaling_idle)
        });
        let scaling_check = (self.scale.is_some() && !scaling_idle).then_some(CHECK_PERIOD);
        if self.pool.lock_state().handles_dropped {
            self.end_pool();
        }
        let repair_check = self.reconcile(now);
        self.resize(load, now, ctx.system()).await;
        if is_partial {
            ctx.continue_with(Tick);
            return Ok(());
        }
        let due = next.map(|next| next.saturating_sub(now).max(Duration::from_millis(1)));
        if let Some(wait) = [scaling_check, due, repair_check].into_iter().flatten().min() {
            ctx.start_timer("tick", wait, Tick);
        }
        Ok(())
    }
}

impl<W: Work + 'static> PoolManager<W> {
    /// Ends the pool after its last handle was dropped: its jobs are finished, and then the
    /// supervisor ends.
    fn end_pool(&mut self) {
        let Some(pool) = PoolHandle::of(&self.pool).filter(|_| !self.is_ending) else { return };
        self.is_ending = true;
        tokio::spawn(boxed(async move {
            pool.stop(PoolShutdown::Drain).await;
            // It may have ended already.
            let _ = pool.supervisor().handle().stop(ExitReason::shutdown());
        }));
    }

    /// Starts missing workers and stops surplus ones, each in a task of its own. Returns when to
    /// check again.
    fn reconcile(&mut self, now: Duration) -> Option<Duration> {
        let step = self.repair.next_step(&self.pool.wrong_slots(), now);
        for slot in step.due {
            // The manager is notified when the repair is over.
            let (pool, repairing) = (PoolHandle::of(&self.pool)?, self.pool.begin_repair(slot));
            tokio::spawn(boxed(async move {
                pool.repair(slot).await;
                drop(repairing);
            }));
        }
        step.wait
    }

    /// Starts a resize if the load requires it, one at a time. It runs in a task of its own,
    /// because a request to the supervisor must not block the manager, which the supervisor may
    /// have to stop.
    async fn resize(&mut self, load: Load, now: Duration, system: &System) {
        let Some(scale) = &mut self.scale else { return };
        if self.resizing.as_ref().is_some_and(|resizing| !resizing.is_finished()) {
            return;
        }
        if let Some(resizing) = self.resizing.take() {
            self.resize_retry.record(resizing.await.unwrap_or(false), now);
        }
        if !self.resize_retry.is_due(now) {
            return;
        }
        let workers = self.pool.wanted();
        let wanted = scale.target_size(workers, load, now);
        let Some(pool) = PoolHandle::of(&self.pool).filter(|_| wanted != workers) else { return };
        let system = system.clone();
        self.resizing = Some(tokio::spawn(boxed(async move {
            let resized = pool.resize(wanted).await;
            let is_resized = resized.is_ok();
            if let Err(error) = resized {
                log::pool_not_resized(&system, pool.supervisor().id().clone(), error);
            }
            is_resized
        })));
    }
}
