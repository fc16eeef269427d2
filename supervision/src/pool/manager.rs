//! The one in a pool who keeps its times: delays, retries, rates, and how many workers there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};

use super::handle::PoolHandle;
use super::repair::{Repair, Repairing, Step};
use super::scale::{Load, Scale};
use super::shared::{Shared, Tick};
use super::stop::PoolShutdown;
use crate::log;
use crate::policy::Backoff;

/// How often it looks whether there are too few workers, or too many, unless it can see that there are not.
const ROUND: Duration = Duration::from_millis(100);

/// Keeps the times of a pool.
pub(super) struct PoolManager<J, T, E> {
    pool: Arc<Shared<J, T, E>>,
    scale: Option<Scale>,
    repair: Repair,
    resizing: Option<tokio::task::JoinHandle<()>>,
    /// It ends the pool.
    is_ending: bool,
}

impl<J, T, E> Actor for PoolManager<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Msg = Tick;
    type Args = (Arc<Shared<J, T, E>>, Option<Scale>, Option<Backoff>);

    async fn init((pool, scale, delays): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        pool.begin();
        ctx.continue_with(Tick);
        let repair = Repair::new(*delays);
        Ok(Self { pool: pool.clone(), scale: scale.clone(), repair, resizing: None, is_ending: false })
    }

    async fn handle(&mut self, _: Tick, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let mut session = self.pool.lock_synced();
        // Before the rate lets somebody go on: as long as it does not, more workers are of no use.
        let queued = session.state.board.runnable();
        let (next, is_partial) = session.tick();
        let now = session.now();
        let board = &session.state.board;
        let waited = board.oldest().map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let load = Load { queued, waited, idle: board.idle() };
        let round =
            self.scale.as_ref().filter(|scale| !scale.is_at_rest(self.pool.wanted(), load)).map(|_| ROUND);
        session.state.scaling_idle = self.scale.is_some() && round.is_none();
        let is_forsaken = session.state.handles_dropped;
        let is_astray = session.state.is_astray(self.pool.wanted(), self.pool.workers().len());
        session.state.is_counting = is_astray;
        session.end();
        if is_forsaken {
            self.end_pool();
        }
        let recount = self.reconcile(is_astray, now);
        self.resize(load, now, ctx.system());
        if is_partial {
            ctx.continue_with(Tick);
            return Ok(());
        }
        let due = next.map(|next| next.saturating_sub(now).max(Duration::from_millis(1)));
        if let Some(wait) = [round, due, recount].into_iter().flatten().min() {
            ctx.start_timer("look", wait, Tick);
        }
        Ok(())
    }
}

impl<J, T, E> PoolManager<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// No handle is left: what there is is finished, and then the supervisor ends.
    fn end_pool(&mut self) {
        let Some(pool) = PoolHandle::of(&self.pool).filter(|_| !self.is_ending) else { return };
        self.is_ending = true;
        tokio::spawn(async move {
            pool.stop(PoolShutdown::Drain).await;
            // If it has ended, that is as good.
            let _ = pool.supervisor().handle().stop(ExitReason::shutdown());
        });
    }

    /// Has workers started that are missing, and stopped that are too many, in a task of its own. Returns when to look again.
    fn reconcile(&mut self, is_astray: bool, now: Duration) -> Option<Duration> {
        if self.pool.is_repairing.load(Ordering::Acquire) {
            // The foreman is called when that is over.
            return None;
        }
        match self.repair.look(is_astray, now) {
            Step::Rest => None,
            Step::Wait(wait) => Some(wait),
            Step::Act => {
                let (pool, repairing) = (PoolHandle::of(&self.pool)?, Repairing::begin(&self.pool)?);
                tokio::spawn(async move { pool.repair(repairing).await });
                None
            }
        }
    }

    /// One change at a time, and in a task of its own: whoever asks a supervisor must not keep it waiting.
    fn resize(&mut self, load: Load, now: Duration, system: &System) {
        let Some(scale) = &mut self.scale else { return };
        if self.resizing.as_ref().is_some_and(|resizing| !resizing.is_finished()) {
            return;
        }
        let workers = self.pool.wanted();
        let wanted = scale.target_size(workers, load, now);
        let Some(pool) = PoolHandle::of(&self.pool).filter(|_| wanted != workers) else { return };
        let system = system.clone();
        self.resizing = Some(tokio::spawn(async move {
            if let Err(error) = pool.resize(wanted).await {
                log::pool_not_resized(&system, error);
            }
        }));
    }
}
