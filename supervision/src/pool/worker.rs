//! The worker trait, and the actor that runs a worker.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use perennial_actors::host::{Foreign, InPlace};
use perennial_actors::{Actor, ActorHandle, Context, ExitReason, Pid, System};
use tokio::time::{sleep, sleep_until};

use super::job::AttemptError;
use super::lease::{AttemptOutcome, AttemptResult, Leased, WorkerId};
use super::shared::{Shared, WorkerMsg};
use super::threads::Thread;
use super::worker_exit::ExitHistory;

/// A worker of a pool: runs jobs, one after the other.
///
/// An error fails the job, and the worker continues. The job is retried only if its pool or its
/// submission [retries errors](super::Pool::retry_errors). A panic also ends the worker, and its
/// supervisor starts the next incarnation. The job is then retried if it has attempts left, as is
/// the job of a worker that was killed, or hung and was abandoned. So a job may run more than once,
/// unless it is submitted [at most once](super::Submission::at_most_once).
///
/// A worker may stop itself normally, for example to be renewed after a number of jobs: its current
/// job is finished, and the next incarnation starts at once. A worker that is itself broken stops
/// itself with an error. No exit of a worker that has started counts for the intensity of its pool.
///
/// # Examples
///
/// ```
/// use perennial_actors::{ExitReason, System};
/// use perennial_supervision::pool::{Pool, Worker, WorkerContext};
///
/// /// Sends requests over a connection that may break.
/// struct Client { at: WorkerContext }
///
/// impl Worker for Client {
///     type Job = ();
///     type Output = u32;
///     type Error = std::io::Error;
///     type Args = ();
///     async fn init(_: &(), at: &WorkerContext) -> Result<Self, ExitReason> {
///         Ok(Client { at: at.clone() })
///     }
///     async fn work(&mut self, _: &()) -> Result<u32, std::io::Error> {
///         match self.at.pid.incarnation() {
///             1 => {
///                 let broken = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
///                 self.at.handle.stop(broken().into()).ok();
///                 Err(broken())
///             }
///             next => Ok(next),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new::<Client>("clients", 1, ()).attempts(2).retry_errors(true);
/// let clients = pool.handle();
/// let app = pool.start(&System::new()).await?;
/// assert_eq!(clients.submit(()).await?.await?, 2);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub trait Worker: Sized + Send + 'static {
    /// The type of jobs.
    type Job: Send + Sync + 'static;
    /// The type of the output of a job.
    type Output: Send + 'static;
    /// The type of the error of a job.
    type Error: Send + Sync + 'static;
    /// The arguments from which each worker starts.
    type Args: Send + Sync + 'static;

    /// Makes a worker. It runs no job before this returns.
    ///
    /// # Errors
    ///
    /// The worker has not started, and its start is repeated: after an incarnation that ended by
    /// itself, as often as the [intensity](super::Pool::intensity) of the pool allows, and
    /// otherwise with growing delays. The same holds for [`ExitReason::Ignore`] and for a start
    /// that exceeds the [start timeout](super::Pool::start_timeout).
    fn init(args: &Self::Args, at: &WorkerContext) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Runs a job. The future is dropped at an await when the job is cancelled or exceeds its time
    /// limit.
    ///
    /// # Errors
    ///
    /// An error fails the attempt.
    fn work(&mut self, job: &Self::Job) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// The identity of a worker incarnation, and its environment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerContext {
    /// The slot number of the worker, the same through all its restarts.
    pub slot: usize,
    /// The pid of this incarnation.
    pub pid: Pid,
    /// A handle of the worker in this slot, whichever incarnation runs. A stop lets the current job
    /// finish, and the next incarnation follows.
    pub handle: ActorHandle,
    /// The system that the worker runs in.
    pub system: System,
    /// The thread of its slot, for blocking jobs.
    pub(super) thread: Thread,
}

/// The actor that runs a worker.
pub(super) struct WorkerActor<W: Worker> {
    worker: W,
    args: Arc<WorkerArgs<W>>,
    /// `true` while it waits for a message that its thread is free.
    is_waiting: bool,
}

/// The shared state of the pool of `W`.
pub(super) type Pooled<W> = Shared<<W as Worker>::Job, <W as Worker>::Output, <W as Worker>::Error>;

type LeasedOf<W> = Leased<<W as Worker>::Job, <W as Worker>::Output, <W as Worker>::Error>;

type MadeOf<W> = AttemptResult<<W as Worker>::Output, <W as Worker>::Error>;

pub(super) struct WorkerArgs<W: Worker> {
    pub(super) pool: Arc<Pooled<W>>,
    pub(super) slot: usize,
    pub(super) args: Arc<Foreign<W::Args>>,
    pub(super) thread: Thread,
    pub(super) exits: ExitHistory,
}

impl<W: Worker> WorkerArgs<W> {
    /// Handles the end of an incarnation, or its abandonment.
    fn worker_exited(&self, worker_id: WorkerId, reason: &ExitReason) {
        self.exits.record_exit(worker_id.pid, reason);
        // An incarnation that panics or fails while it stops has used an attempt.
        let is_interrupted = matches!(reason, ExitReason::Killed) || !reason.is_abnormal();
        if is_interrupted && self.exits.is_dismissed(worker_id.pid) {
            self.pool.worker_dismissed(worker_id, reason);
        } else {
            self.pool.worker_exited(worker_id, reason);
        }
    }
}

impl<W: Worker> Actor for WorkerActor<W> {
    type Msg = WorkerMsg;
    type Args = Arc<WorkerArgs<W>>;

    async fn init(args: &Arc<WorkerArgs<W>>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let worker_id = WorkerId { slot: args.slot, pid: ctx.pid() };
        args.pool.tree_started();
        let delay = args.exits.delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let handle = ctx.address().handle();
        let at = WorkerContext {
            slot: worker_id.slot,
            pid: worker_id.pid,
            handle: handle.clone(),
            system: ctx.system().clone(),
            thread: args.thread.clone(),
        };
        let worker =
            W::init(&args.args, &at).await.inspect_err(|reason| args.pool.init_failed(worker_id, reason))?;
        // The exit callback returns its job to the queue before any other observer sees the exit.
        // The worker is registered first: if it ends in between, the callback is refused, and the
        // explicit call below frees the slot.
        args.pool.worker_started(worker_id);
        let shared = args.clone();
        let on_exit = move |reason: &ExitReason| shared.worker_exited(worker_id, reason);
        if !handle.on_end(worker_id.pid, on_exit) {
            args.worker_exited(worker_id, &ExitReason::Killed);
        }
        ctx.continue_with(WorkerMsg::Run);
        Ok(Self { worker, args: args.clone(), is_waiting: false })
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
        }
        Ok(())
    }

    /// A blocking call cannot be dropped. This waits for it until the shutdown time is over.
    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if !self.args.thread.is_free() {
            self.args.thread.freed().await;
        }
    }
}

impl<W: Worker> WorkerActor<W> {
    /// Runs jobs until the budget is used up or no job is left. A stop or a kill takes effect
    /// between two jobs.
    async fn run_jobs(&mut self, ctx: &mut Context<Self>) {
        if !self.args.thread.is_free() {
            return self.wait_for_thread(ctx);
        }
        let (pool, worker_id) = (&self.args.pool, WorkerId { slot: self.args.slot, pid: ctx.pid() });
        let mut finished = None;
        while let Some(leased) = pool.complete_and_lease(worker_id, finished.take()) {
            self.args.exits.record_job();
            let attempt = attempt(&mut self.worker, pool, leased).await;
            // While a call runs on its thread, the worker takes no job, whatever the outcome of
            // this attempt.
            let is_free = !attempt.is_cut_short() || self.args.thread.is_free();
            if !ctx.consume_budget() || !is_free {
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

async fn attempt<W: Worker>(worker: &mut W, pool: &Pooled<W>, leased: LeasedOf<W>) -> MadeOf<W> {
    let Leased { task, since, time_limit } = leased;
    let mut timeout = None;
    let mut place = pin!(Some(worker.work(&task.job)));
    // The values in the user's future may panic when they are dropped: with a result present, or in
    // a killed worker.
    let mut work = InPlace::new(place.as_mut());
    let attempt = poll_fn(|cx| {
        let Some(code) = work.get() else { return Poll::Ready(AttemptOutcome::Abandoned) };
        if let Poll::Ready(result) = code.poll(cx) {
            return Poll::Ready(result.map_or_else(
                |error| AttemptOutcome::Failed(AttemptError::Error(error)),
                AttemptOutcome::Done,
            ));
        }
        if task.poll_cancelled(cx) {
            return Poll::Ready(AttemptOutcome::Abandoned);
        }
        let Some(limit) = time_limit else { return Poll::Pending };
        let timeout = timeout
            .get_or_insert_with(|| Box::pin(sleep_until(pool.instant(pool.now().saturating_add(limit)))));
        timeout.as_mut().poll(cx).map(|()| AttemptOutcome::Failed(AttemptError::TimedOut))
    });
    AttemptResult { attempt: attempt.await, since }
}
