//! Those who do the work: a trait to write them, and the actor that each of them is.

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
use super::worker_exit::Ends;

/// Turns jobs into results, one after the other.
///
/// An error fails the job, and the worker goes on. The job is not tried again, unless its pool or its
/// submission [says so](super::Pool::retry_errors). A panic ends the worker too, and its supervisor
/// starts the next. The job is tried again if it has attempts left, and so is that of a worker that was
/// killed, or hangs and is given up. So a job may be done more than once, unless it
/// [says that it must not](super::Submission::at_most_once).
///
/// A worker may end itself in order, as one that is renewed after so many jobs: its job is done, and
/// the next incarnation starts at once. One that finds that it is broken itself, and not its job, ends
/// itself with an error. No end of a worker that has started counts for the intensity of its pool.
///
/// ```
/// use perennial_actors::{ExitReason, System};
/// use perennial_supervision::pool::{Pool, Worker, WorkerContext};
///
/// /// Asks somebody far away, through a line that breaks.
/// struct Asker { at: WorkerContext }
///
/// impl Worker for Asker {
///     type Job = ();
///     type Output = u32;
///     type Error = std::io::Error;
///     type Args = ();
///     async fn init(_: &(), at: &WorkerContext) -> Result<Self, ExitReason> { Ok(Asker { at: at.clone() }) }
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
/// let pool = Pool::new::<Asker>("askers", 1, ()).attempts(2).retry_errors(true);
/// let askers = pool.handle();
/// let app = pool.start(&System::new()).await?;
/// assert_eq!(askers.submit(()).await?.await?, 2);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
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
    /// It has not started, and is tried again: if it follows one that ended by itself, as often as the
    /// [intensity](super::Pool::intensity) of its pool allows, and after anything else with growing
    /// delays. So is one that returns [`ExitReason::Ignore`], or takes longer than its [start may
    /// take](super::Pool::start_timeout).
    fn init(args: &Self::Args, at: &WorkerContext) -> impl Future<Output = Result<Self, ExitReason>> + Send;

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
pub struct WorkerContext {
    /// Its number in the pool, the same through all its restarts.
    pub slot: usize,
    /// Its incarnation.
    pub pid: Pid,
    /// The means to end it, whichever incarnation lives: after the job that it has, it is followed by the next.
    pub handle: ActorHandle,
    /// The system.
    pub system: System,
    /// The thread of its slot, for jobs that may block.
    pub(super) thread: Thread,
}

/// The actor that a worker is.
pub(super) struct WorkerActor<W: Worker> {
    worker: W,
    args: Arc<WorkerArgs<W>>,
    /// It waits for its thread, and is told when that is free.
    is_waiting: bool,
}

/// What the shared part of a worker's pool is.
pub(super) type Pooled<W> = Shared<<W as Worker>::Job, <W as Worker>::Output, <W as Worker>::Error>;

type LeasedOf<W> = Leased<<W as Worker>::Job, <W as Worker>::Output, <W as Worker>::Error>;

type MadeOf<W> = AttemptResult<<W as Worker>::Output, <W as Worker>::Error>;

pub(super) struct WorkerArgs<W: Worker> {
    pub(super) pool: Arc<Pooled<W>>,
    pub(super) slot: usize,
    pub(super) args: Arc<Foreign<W::Args>>,
    pub(super) thread: Thread,
    pub(super) ends: Ends,
}

impl<W: Worker> WorkerArgs<W> {
    /// An incarnation has ended, or was given up.
    fn worker_gone(&self, seat: WorkerId, reason: &ExitReason) {
        self.ends.end(seat.pid, reason);
        // What panics or fails on its way out has had its attempt.
        let is_interrupted = matches!(reason, ExitReason::Killed) || !reason.is_abnormal();
        if is_interrupted && self.ends.is_dismissed(seat.pid) {
            self.pool.worker_dismissed(seat, reason);
        } else {
            self.pool.worker_gone(seat, reason);
        }
    }
}

impl<W: Worker> Actor for WorkerActor<W> {
    type Msg = WorkerMsg;
    type Args = Arc<WorkerArgs<W>>;

    async fn init(args: &Arc<WorkerArgs<W>>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let seat = WorkerId { slot: args.slot, pid: ctx.pid() };
        args.pool.begin();
        let delay = args.ends.delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let handle = ctx.address().handle();
        let at = WorkerContext {
            slot: seat.slot,
            pid: seat.pid,
            handle: handle.clone(),
            system: ctx.system().clone(),
            thread: args.thread.clone(),
        };
        let worker =
            W::init(&args.args, &at).await.inspect_err(|reason| args.pool.init_failed(seat, reason))?;
        // However it ends, what it has in hand comes back before anybody hears of the end. It takes its seat before, so that an end in
        // between, after which this one is not told, leaves no seat taken.
        args.pool.worker_started(seat);
        let shared = args.clone();
        let told = move |reason: &ExitReason| shared.worker_gone(seat, reason);
        if !handle.on_end(seat.pid, told) {
            args.worker_gone(seat, &ExitReason::Killed);
        }
        ctx.continue_with(WorkerMsg::Run);
        Ok(Self { worker, args: args.clone(), is_waiting: false })
    }

    async fn handle(&mut self, bell: WorkerMsg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match bell {
            // Not with the bell in hand: it would be among the dead letters of a crash.
            WorkerMsg::Wake => ctx.continue_with(WorkerMsg::Run),
            WorkerMsg::Run => self.run_jobs(ctx).await,
            WorkerMsg::Freed => {
                self.is_waiting = false;
                self.run_jobs(ctx).await;
            }
        }
        Ok(())
    }

    /// What blocks a thread cannot be dropped: it is waited for, for as long as there is to stop.
    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if !self.args.thread.is_free() {
            self.args.thread.freed().await;
        }
    }
}

impl<W: Worker> WorkerActor<W> {
    /// Does what there is to do, until something else wants its turn. A stop or a kill comes between two jobs.
    async fn run_jobs(&mut self, ctx: &mut Context<Self>) {
        if !self.args.thread.is_free() {
            return self.wait_for_thread(ctx);
        }
        let (pool, seat) = (&self.args.pool, WorkerId { slot: self.args.slot, pid: ctx.pid() });
        let mut made = None;
        while let Some(leased) = pool.complete_and_lease(seat, made.take()) {
            self.args.ends.work();
            let attempt = attempt(&mut self.worker, pool, leased).await;
            // With a closure on its thread it takes no job, whatever becomes of this one.
            let is_free = !attempt.is_cut_short() || self.args.thread.is_free();
            if !ctx.consume_budget() || !is_free {
                pool.complete(seat, attempt);
                return ctx.continue_with(WorkerMsg::Run);
            }
            made = Some(attempt);
        }
    }

    /// Goes on when the closure that an attempt has left on its thread has returned. Meanwhile it is in no handler: it does not hang, and a
    /// stop acts.
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
    let mut alarm = None;
    let mut place = pin!(Some(worker.work(&task.job)));
    // What the user's future holds may panic as it goes: with a result at hand, or in a worker that is killed.
    let mut work = InPlace::new(place.as_mut());
    let attempt = poll_fn(|cx| {
        let Some(code) = work.get() else { return Poll::Ready(AttemptOutcome::GivenUp) };
        if let Poll::Ready(result) = code.poll(cx) {
            return Poll::Ready(result.map_or_else(
                |error| AttemptOutcome::Failed(AttemptError::Error(error)),
                AttemptOutcome::Done,
            ));
        }
        if task.poll_cancelled(cx) {
            return Poll::Ready(AttemptOutcome::GivenUp);
        }
        let Some(limit) = time_limit else { return Poll::Pending };
        let alarm = alarm
            .get_or_insert_with(|| Box::pin(sleep_until(pool.instant(pool.now().saturating_add(limit)))));
        alarm.as_mut().poll(cx).map(|()| AttemptOutcome::Failed(AttemptError::TimedOut))
    });
    AttemptResult { attempt: attempt.await, since }
}
