//! The actor that runs a worker.

use std::sync::Arc;

use perennial_actors::{Actor, Context, ExitReason};
use tokio::time::{sleep, timeout};

use super::addresses::WorkerMsg;
use super::attempt::{WorkerOf, attempt};
use super::lease::WorkerId;
use super::readiness::ReadinessGate;
use super::recycling::{Lifetime, Recycling};
use super::revisions::Revisions;
use super::shared::Shared;
use super::threads::Thread;
use super::worker_exit::ExitHistory;
use crate::pool::worker::{Work, WorkerContext};

/// The actor that runs a worker.
pub(crate) struct WorkerActor<W: Work + 'static, R: WorkerOf<W>> {
    worker: R,
    args: Arc<WorkerArgs<W, R>>,
    at: WorkerContext,
    /// `true` while it waits for a message that its thread is free.
    is_waiting: bool,
    lifetime: Lifetime,
}

pub(crate) struct WorkerArgs<W: Work + 'static, R: WorkerOf<W>> {
    pub(crate) pool: Arc<Shared<W>>,
    /// The id of the pool.
    pub(crate) name: Arc<str>,
    pub(crate) slot: usize,
    pub(crate) revisions: Arc<Revisions<R::Args>>,
    pub(crate) thread: Thread,
    pub(crate) exits: ExitHistory,
    pub(crate) recycling: Recycling,
}

impl<W: Work + 'static, R: WorkerOf<W>> WorkerArgs<W, R> {
    /// Handles the end of an incarnation, or its abandonment.
    fn worker_exited(&self, worker_id: WorkerId, reason: &ExitReason) {
        self.exits.record_exit(worker_id.pid, reason);
        let end = self.exits.end_of(worker_id.pid, reason);
        self.pool.worker_exited(worker_id, reason, end, &self.thread);
    }

    /// Ends an incarnation in order, after its current job, so that the next one follows at once. A
    /// worker of a pool that drains stays: none would follow it.
    #[cold]
    fn recycle(&self, ctx: &mut Context<WorkerActor<W, R>>) {
        if !self.pool.lock_state().is_draining {
            self.exits.mark_recycled(ctx.pid());
            ctx.stop(ExitReason::Normal);
        }
    }
}

impl<W: Work + 'static, R: WorkerOf<W>> Actor for WorkerActor<W, R> {
    type Msg = WorkerMsg;
    type Args = Arc<WorkerArgs<W, R>>;

    async fn init(args: &Arc<WorkerArgs<W, R>>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let worker_id = WorkerId { slot: args.slot, pid: ctx.pid() };
        args.pool.tree_started();
        let delay = args.exits.delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let init = args.pool.begin_init(worker_id);
        let handle = ctx.address().handle();
        let revised = args.revisions.begin(args.slot);
        let at = WorkerContext {
            slot: worker_id.slot,
            revision: revised.revision,
            pid: worker_id.pid,
            handle: handle.clone(),
            system: ctx.system().clone(),
            thread: args.thread.clone(),
            readiness: ReadinessGate::new(&args.pool, worker_id),
        };
        let worker = R::init(&revised.args, &at)
            .await
            .inspect_err(|reason| args.pool.init_failed(worker_id, reason))?;
        // The exit callback returns its job to the queue before any other observer sees the exit.
        // The worker is registered first: if it ends in between, the callback is refused, and the
        // explicit call below frees the slot.
        args.pool.worker_started(worker_id);
        drop(init);
        let (shared, probing) = (args.clone(), args.pool.probing.get().map(|probing| probing.begin(&at)));
        let on_exit = move |reason: &ExitReason| {
            drop(probing);
            shared.worker_exited(worker_id, reason);
        };
        if !handle.on_end(worker_id.pid, on_exit) {
            args.worker_exited(worker_id, &ExitReason::Killed);
        }
        ctx.continue_with(WorkerMsg::Run);
        let max_age = args.recycling.age_of(args.slot);
        if let Some(age) = max_age {
            ctx.send_after(age, WorkerMsg::Aged);
        }
        let lifetime = Lifetime::begin(args.recycling.max_jobs, max_age).await;
        Ok(Self { worker, args: args.clone(), at, is_waiting: false, lifetime })
    }

    async fn handle(&mut self, message: WorkerMsg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match message {
            // The job does not run while `Wake` is in flight: a crash would make that message a
            // dead letter.
            WorkerMsg::Wake => ctx.continue_with(WorkerMsg::Run),
            WorkerMsg::Run => self.run_jobs(ctx).await,
            WorkerMsg::Freed => {
                self.is_waiting = false;
                self.run_jobs(ctx).await;
            }
            WorkerMsg::Aged => self.args.recycle(ctx),
        }
        Ok(())
    }

    /// A blocking call cannot be dropped. This waits for it, and then ends the worker. Its
    /// supervisor limits the time of both, if it stops the incarnation; otherwise this does.
    async fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        let Self { worker, args, .. } = self;
        let ending = async {
            if !args.thread.is_free() {
                args.thread.freed().await;
            }
            worker.terminate(reason).await;
        };
        let limit = args.pool.threads.get().and_then(|(_, time)| *time);
        match limit.filter(|_| !args.exits.is_dismissed(ctx.pid())) {
            Some(limit) => drop(timeout(limit, ending).await),
            None => ending.await,
        }
    }
}

impl<W: Work + 'static, R: WorkerOf<W>> WorkerActor<W, R> {
    /// Runs jobs until the budget is used up or no job is left. A stop or a kill takes effect
    /// between two jobs.
    async fn run_jobs(&mut self, ctx: &mut Context<Self>) {
        if !self.args.thread.is_free() {
            return self.wait_for_thread(ctx);
        }
        let (pool, worker_id) = (&self.args.pool, WorkerId { slot: self.args.slot, pid: ctx.pid() });
        let mut finished = None;
        while let Some(leased) = pool.complete_and_lease(worker_id, finished.take()) {
            if self.lifetime.count_job() {
                self.args.exits.record_job();
            }
            let attempt = attempt(&mut self.worker, pool, leased, (&self.args.name, &self.at)).await;
            // While a call runs on its thread, the worker takes no job, whatever the outcome of
            // this attempt.
            let is_free = !attempt.is_cut_short() || self.args.thread.is_free();
            if self.lifetime.is_over() || (self.args.recycling.after_timeout && attempt.has_timed_out()) {
                self.args.recycle(ctx);
            }
            if !is_free {
                pool.complete_cut_short(worker_id, attempt, &self.args.thread);
                return self.wait_for_thread(ctx);
            }
            if !ctx.consume_budget() {
                pool.complete(worker_id, attempt);
                return ctx.continue_with(WorkerMsg::Run);
            }
            finished = Some(attempt);
        }
    }

    /// Continues when the call that an attempt left on the thread has returned. No handler runs
    /// meanwhile: the worker does not count as hung, and a stop takes effect.
    fn wait_for_thread(&mut self, ctx: &mut Context<Self>) {
        if !self.is_waiting {
            self.is_waiting = true;
            let thread = self.args.thread.clone();
            ctx.pipe_to_self(async move { thread.freed().await }, |()| WorkerMsg::Freed);
        }
    }
}
