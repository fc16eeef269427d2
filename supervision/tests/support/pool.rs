//! A pool whose workers run scripted jobs and record each attempt in a journal.

use std::fmt::Debug;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial_actors::{ExitReason, Subscription, System};
use perennial_supervision::pool::{
    AttemptError, JobContext, JobError, JobEvent, JobHandle, Pool, PoolHandle, PoolSize, PoolStats,
    Submission, Work, Worker, WorkerContext,
};
use perennial_supervision::{App, LivenessFailure, SupervisorHandle};
use tokio::time::{Instant, sleep};

/// The script of one attempt.
#[derive(Debug)]
pub(crate) enum Step {
    /// Returns the number of the job.
    Do,
    /// Returns the number after this time.
    Take(Duration),
    Fail,
    /// Fails after this time.
    FailAfter(Duration),
    Panic,
    /// Awaits forever.
    Hang,
    /// Blocks the thread until the other end sends a message or is dropped.
    Block(Mutex<mpsc::Receiver<()>>),
}

/// A scripted job: attempt n runs step n, and all attempts after the last step run the last step.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    steps: Vec<Step>,
    attempts: AtomicUsize,
}

pub(crate) fn job(number: u64, steps: impl Into<Vec<Step>>) -> Job {
    Job { number, steps: steps.into(), attempts: AtomicUsize::new(0) }
}

/// A job that completes at once.
pub(crate) fn quick(number: u64) -> Job {
    job(number, [Step::Do])
}

pub(crate) fn long(number: u64, time: Duration) -> Job {
    job(number, [Step::Take(time)])
}

/// An attempt that was started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct StartedAttempt {
    pub(crate) job: u64,
    pub(crate) slot: usize,
    pub(crate) incarnation: u32,
    /// The start time, in milliseconds since the journal was made.
    pub(crate) at: u64,
}

/// The started attempts, in order.
#[derive(Clone)]
pub(crate) struct Journal(Arc<(Instant, Mutex<Vec<StartedAttempt>>)>);

impl Journal {
    fn new() -> Self {
        Self(Arc::new((Instant::now(), Mutex::default())))
    }

    /// Removes and returns the attempts since the last call.
    pub(crate) fn take(&self) -> Vec<StartedAttempt> {
        std::mem::take(&mut self.0.1.lock().expect("no thread panics under the lock"))
    }

    /// Like `take`, but returns the numbers of the jobs.
    pub(crate) fn jobs(&self) -> Vec<u64> {
        self.take().iter().map(|begun| begun.job).collect()
    }

    /// Returns the number of workers that hold the journal, abandoned workers included.
    pub(crate) fn writers(&self) -> usize {
        // The arguments of the workers and this handle hold it too.
        Arc::strong_count(&self.0) - 2
    }

    /// Like `take`, but returns the start times.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.take().iter().map(|begun| begun.at).collect()
    }
}

/// Decides whether a worker starts.
type StartCheck = dyn Fn(&WorkerContext) -> bool + Send + Sync;

/// The arguments of every worker.
pub(crate) struct WorkerArgs {
    journal: Journal,
    may_start: Box<StartCheck>,
}

pub(crate) struct ScriptedWorker {
    at: WorkerContext,
    journal: Journal,
}

impl Worker for ScriptedWorker {
    type Job = Job;
    type Output = u64;
    type Error = &'static str;
    type Args = WorkerArgs;

    async fn init(args: &WorkerArgs, at: &WorkerContext) -> Result<Self, ExitReason> {
        if !(args.may_start)(at) {
            return Err(ExitReason::failed("no such luck"));
        }
        Ok(Self { at: at.clone(), journal: args.journal.clone() })
    }

    async fn work(&mut self, job: &Job, _: &JobContext<'_>) -> Result<u64, &'static str> {
        let (began, begun) = &*self.journal.0;
        let (slot, incarnation) = (self.at.slot, self.at.pid.incarnation());
        let at = began.elapsed().as_millis() as u64;
        begun.lock().expect("no thread panics under the lock").push(StartedAttempt {
            job: job.number,
            slot,
            incarnation,
            at,
        });
        let attempt = job.attempts.fetch_add(1, Ordering::Relaxed);
        match &job.steps[attempt.min(job.steps.len() - 1)] {
            Step::Do => {}
            Step::Take(time) => sleep(*time).await,
            Step::Fail => return Err("no luck"),
            Step::FailAfter(time) => {
                sleep(*time).await;
                return Err("no luck");
            }
            Step::Panic => panic!("a bug"),
            Step::Hang => pending().await,
            // An error is fine: the other end was dropped.
            Step::Block(until) => drop(until.lock().expect("no thread panics under the lock").recv()),
        }
        Ok(job.number)
    }
}

pub(crate) type ScriptedPool = Pool<ScriptedWorker>;

pub(crate) type ScriptedPoolHandle = PoolHandle<ScriptedWorker>;

pub(crate) type ScriptedJob = JobHandle<ScriptedWorker>;

pub(crate) type Outcome = Result<u64, JobError<&'static str>>;

/// A pool of scripted workers that retries errors.
pub(crate) fn scripted_pool(size: impl Into<PoolSize>) -> (ScriptedPool, Journal) {
    scripted_pool_starting_if(size, |_| true)
}

/// Such a pool, whose workers start only if `may_start` allows it.
pub(crate) fn scripted_pool_starting_if(
    size: impl Into<PoolSize>,
    may_start: impl Fn(&WorkerContext) -> bool + Send + Sync + 'static,
) -> (ScriptedPool, Journal) {
    let journal = Journal::new();
    let args = WorkerArgs { journal: journal.clone(), may_start: Box::new(may_start) };
    (Pool::<ScriptedWorker>::new("pool", size, args).retry_errors(true), journal)
}

/// A running pool.
pub(crate) struct Running {
    pub(crate) system: System,
    pub(crate) app: App<SupervisorHandle>,
    pub(crate) pool: ScriptedPoolHandle,
    pub(crate) journal: Journal,
}

pub(crate) async fn start((pool, journal): (ScriptedPool, Journal)) -> Running {
    let (system, handle) = (System::new(), pool.handle());
    let app = pool.start(&system).await.expect("it starts");
    quiet().await;
    Running { system, app, pool: handle, journal }
}

/// Starts a pool of this size with default settings.
pub(crate) async fn started(size: impl Into<PoolSize>) -> Running {
    start(scripted_pool(size)).await
}

impl Running {
    /// Submits a job; there must be room.
    pub(crate) fn submit(&self, job: Job) -> ScriptedJob {
        now(self.pool.submit(job))
    }

    /// Submits jobs that complete at once; there must be room.
    pub(crate) fn submit_all(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<ScriptedJob> {
        numbers.into_iter().map(|number| self.submit(quick(number))).collect()
    }

    pub(crate) async fn kill(&self, slot: usize) {
        let tree = self.app.tree();
        let worker = tree.at([slot.to_string().as_str()]).expect("there is such a worker");
        worker.handle.kill().expect("it lives");
        quiet().await;
    }

    /// Waits until the pool is empty, with a timeout.
    pub(crate) async fn drained(&self) {
        soon(self.pool.drain()).await;
    }

    /// Returns the number of running workers.
    pub(crate) async fn active(&self) -> usize {
        let counts = self.app.supervisor().count_children().await.expect("it lives");
        // The pool manager is not a worker.
        counts.active - 1
    }

    /// Shuts the tree down and checks that every job is accounted for and no message was lost.
    pub(crate) async fn close(self) {
        let report = self.app.shutdown().await;
        assert!(report.unstopped.is_empty() && report.dropped_messages == 0, "{report}");
        assert_accounts(&self.pool.stats());
        assert!(self.system.counters().is_balanced());
    }
}

pub(crate) fn now<W: Work + 'static>(submission: Submission<W>) -> JobHandle<W> {
    submission.try_submit().expect("there is room")
}

/// Checks that every submitted job is accounted for.
pub(crate) fn assert_accounts(stats: &PoolStats) {
    let there = (stats.queued + stats.running) as u64;
    assert_eq!(stats.submitted, stats.completed + stats.failed + stats.dropped + there, "{stats}");
}

/// Lets all tasks run, and one millisecond pass.
pub(crate) async fn quiet() {
    sleep(ms(1)).await;
}

/// Awaits a future with a long timeout in paused time, so a test fails instead of hanging.
pub(crate) async fn soon<T>(future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(100_000), future.into_future()).await.expect("it comes")
}

/// Returns a short description of the result of a job.
pub(crate) async fn outcome_of(job_handle: ScriptedJob) -> String {
    describe(&soon(job_handle).await)
}

pub(crate) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Ok(number) => format!("done {number}"),
        Err(error) => {
            let failures: Vec<String> = error.failures().iter().map(failed).collect();
            let end = match error {
                JobError::Failed(_) => return failures.join(", "),
                JobError::Expired(_) => "expired",
                JobError::Cancelled(_) => "cancelled",
                JobError::Dropped(_) => "dropped",
                JobError::ResultTaken(_) => "taken",
                other => panic!("{other:?} is new"),
            };
            if failures.is_empty() { end.to_owned() } else { format!("{end} after {}", failures.join(", ")) }
        }
    }
}

/// Describes the failure of an attempt.
pub(crate) fn failed(failure: &AttemptError<&'static str>) -> String {
    match failure {
        AttemptError::Error(error) => (*error).to_owned(),
        AttemptError::TimedOut => "timed out".to_owned(),
        AttemptError::WorkerEnded(ExitReason::Panicked(_)) => "panicked".to_owned(),
        AttemptError::WorkerEnded(ExitReason::Killed) => "killed".to_owned(),
        AttemptError::WorkerUnresponsive(LivenessFailure::Handler(_)) => "handler deadline".to_owned(),
        AttemptError::WorkerUnresponsive(LivenessFailure::Watchdog(_)) => "watchdog".to_owned(),
        AttemptError::WorkerUnresponsive(LivenessFailure::Probe(_)) => "probe".to_owned(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn events(subscription: &mut Subscription<JobEvent>) -> Vec<JobEvent> {
    std::iter::from_fn(|| subscription.try_next()).collect()
}

/// Returns `true` if the future is pending.
pub(crate) async fn pends<F: Future<Output: Debug> + Unpin>(future: &mut F) -> bool {
    tokio::time::timeout(Duration::ZERO, future).await.is_err()
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
