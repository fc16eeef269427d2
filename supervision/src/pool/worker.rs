//! Those who do the work: a trait to write them, and the actor that each of them is.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, Pid, System};
use tokio::time::Instant;

use super::job::{Failure, Task};
use super::office::{Bell, Shared};

/// Turns jobs into results, one after the other.
///
/// An error fails the job, and the worker goes on. A panic ends the worker too, and its supervisor starts the next; the job is tried
/// again if it has attempts left, and so is that of a worker that was killed, or hangs and is given up. So a job may be done more than
/// once, unless it [says that it must not](super::Submission::at_most_once).
pub trait Worker: Sized + Send + 'static {
    /// What is to be done.
    type Job: Send + Sync + 'static;
    /// What comes of it.
    type Output: Send + 'static;
    /// Why it could not be done.
    type Error: Send + Sync + 'static;
    /// What every worker starts from.
    type Args: Send + Sync + 'static;

    /// Makes a worker. It has no job before this returns.
    ///
    /// # Errors
    ///
    /// It has not started, and is tried again as its pool's intensity allows.
    fn init(args: &Self::Args, at: &Workplace) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Does a job. It is dropped at an await when the job is cancelled or takes longer than it may.
    ///
    /// # Errors
    ///
    /// The attempt has failed.
    fn work(&mut self, job: &Self::Job) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// Where a worker works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Workplace {
    /// Its number in the pool, the same through all its restarts.
    pub slot: usize,
    /// Its incarnation.
    pub pid: Pid,
    /// The system.
    pub system: System,
}

/// The actor that a worker is.
pub(super) struct Desk<W: Worker> {
    worker: W,
    args: Arc<DeskArgs<W>>,
}

/// What the shared part of a worker's pool is.
pub(super) type Pooled<W> = Shared<<W as Worker>::Job, <W as Worker>::Output, <W as Worker>::Error>;

type TaskOf<W> = Task<<W as Worker>::Job, <W as Worker>::Output, <W as Worker>::Error>;

pub(super) struct DeskArgs<W: Worker> {
    pub(super) pool: Arc<Pooled<W>>,
    pub(super) slot: usize,
    pub(super) args: Arc<W::Args>,
}

impl<W: Worker> Actor for Desk<W> {
    type Msg = Bell;
    type Args = Arc<DeskArgs<W>>;

    async fn init(args: &Arc<DeskArgs<W>>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let (pid, slot) = (ctx.pid(), args.slot);
        let at = Workplace { slot, pid, system: ctx.system().clone() };
        let worker = W::init(&args.args, &at).await?;
        // However it ends, what it has in hand comes back before anybody hears of the end.
        let pool = args.pool.clone();
        ctx.address().handle().on_end(pid, move |reason| pool.worker_gone(slot, pid, reason));
        ctx.continue_with(Bell);
        Ok(Self { worker, args: args.clone() })
    }

    /// One job each time, so that a stop or a kill comes between two.
    async fn handle(&mut self, _: Bell, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let (pool, slot, pid) = (&self.args.pool, self.args.slot, ctx.pid());
        if let Some(task) = pool.lease(slot, pid) {
            attempt(&mut self.worker, pool, slot, pid, &task).await;
            ctx.continue_with(Bell);
        } else if pool.is_closed() {
            ctx.stop(ExitReason::Normal);
        }
        Ok(())
    }
}

async fn attempt<W: Worker>(worker: &mut W, pool: &Pooled<W>, slot: usize, pid: Pid, task: &TaskOf<W>) {
    let began = Instant::now();
    let work = worker.work(&task.job);
    let limited = async {
        match task.terms.time_limit {
            None => Some(work.await),
            Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = limited => Some(outcome),
        () = task.cancelled.notified() => None,
    };
    let took: Duration = began.elapsed();
    match outcome {
        Some(Some(Ok(result))) => pool.done(slot, pid, task, result, took),
        Some(Some(Err(error))) => pool.failed(slot, pid, Failure::Error(error), took),
        Some(None) => pool.failed(slot, pid, Failure::TimedOut, took),
        None => pool.dropped(slot, pid),
    }
}
