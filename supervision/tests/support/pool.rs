//! A pool whose workers do with each job as it says, attempt by attempt, and write down what they begin.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt::Debug;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial_actors::{ExitReason, Subscription, System};
use perennial_supervision::pool::{
    AttemptError, JobError, JobEvent, JobHandle, Pool, PoolHandle, PoolSize, PoolStats, Submission, Worker,
    WorkerContext,
};
use perennial_supervision::{App, SupervisorHandle};
use tokio::time::{Instant, sleep};

/// What is done in one attempt at a job.
#[derive(Debug)]
pub(crate) enum Deed {
    /// It has its number for a result.
    Do,
    /// So after this time.
    Take(Duration),
    Fail,
    /// So after this time.
    FailAfter(Duration),
    Panic,
    /// It never comes back from an await.
    Hang,
    /// It blocks the thread until the other end says something or is gone.
    Block(Mutex<mpsc::Receiver<()>>),
}

/// What to do: in the first attempt the first of these, and so on; in all after the last, the last.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    deeds: Vec<Deed>,
    attempts: AtomicUsize,
}

pub(crate) fn job(number: u64, deeds: impl Into<Vec<Deed>>) -> Job {
    Job { number, deeds: deeds.into(), attempts: AtomicUsize::new(0) }
}

/// A job that is done as soon as it is begun.
pub(crate) fn quick(number: u64) -> Job {
    job(number, [Deed::Do])
}

pub(crate) fn long(number: u64, time: Duration) -> Job {
    job(number, [Deed::Take(time)])
}

/// An attempt that was begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Begun {
    pub(crate) job: u64,
    pub(crate) slot: usize,
    pub(crate) incarnation: u32,
    /// In milliseconds since the journal was made.
    pub(crate) at: u64,
}

/// What was begun, in order.
#[derive(Clone)]
pub(crate) struct Journal(Arc<(Instant, Mutex<Vec<Begun>>)>);

impl Journal {
    fn new() -> Self {
        Self(Arc::new((Instant::now(), Mutex::default())))
    }

    /// What was begun since it was asked last.
    pub(crate) fn take(&self) -> Vec<Begun> {
        std::mem::take(&mut self.0.1.lock().expect("nobody panics here"))
    }

    /// The numbers of the jobs of that.
    pub(crate) fn jobs(&self) -> Vec<u64> {
        self.take().iter().map(|begun| begun.job).collect()
    }

    /// How many workers there are to write in it, those included that were given up and are still there.
    pub(crate) fn writers(&self) -> usize {
        // Besides them, what they start from, and this.
        Arc::strong_count(&self.0) - 2
    }

    /// When they were begun.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.take().iter().map(|begun| begun.at).collect()
    }
}

/// Whether a worker comes up there.
type Birth = dyn Fn(&WorkerContext) -> bool + Send + Sync;

/// What every worker starts from.
pub(crate) struct Nature {
    journal: Journal,
    birth: Box<Birth>,
}

pub(crate) struct Hand {
    at: WorkerContext,
    journal: Journal,
}

impl Worker for Hand {
    type Job = Job;
    type Output = u64;
    type Error = &'static str;
    type Args = Nature;

    async fn init(nature: &Nature, at: &WorkerContext) -> Result<Self, ExitReason> {
        if !(nature.birth)(at) {
            return Err(ExitReason::failed("no such luck"));
        }
        Ok(Self { at: at.clone(), journal: nature.journal.clone() })
    }

    async fn work(&mut self, job: &Job) -> Result<u64, &'static str> {
        let (began, begun) = &*self.journal.0;
        let (slot, incarnation) = (self.at.slot, self.at.pid.incarnation());
        let at = began.elapsed().as_millis() as u64;
        begun.lock().expect("nobody panics here").push(Begun { job: job.number, slot, incarnation, at });
        let attempt = job.attempts.fetch_add(1, Ordering::Relaxed);
        match &job.deeds[attempt.min(job.deeds.len() - 1)] {
            Deed::Do => {}
            Deed::Take(time) => sleep(*time).await,
            Deed::Fail => return Err("no luck"),
            Deed::FailAfter(time) => {
                sleep(*time).await;
                return Err("no luck");
            }
            Deed::Panic => panic!("a bug"),
            Deed::Hang => pending().await,
            // An error is as good: who would have said something is gone.
            Deed::Block(until) => drop(until.lock().expect("nobody panics here").recv()),
        }
        Ok(job.number)
    }
}

pub(crate) type Hands = Pool<Job, u64, &'static str>;

pub(crate) type HandsHandle = PoolHandle<Job, u64, &'static str>;

pub(crate) type Promise = JobHandle<u64, &'static str>;

pub(crate) type Outcome = Result<u64, JobError<&'static str>>;

/// A pool of so many hands, in which errors are tried again.
pub(crate) fn hands(size: impl Into<PoolSize>) -> (Hands, Journal) {
    hands_born(size, |_| true)
}

/// One whose workers come up where this says so.
pub(crate) fn hands_born(
    size: impl Into<PoolSize>,
    birth: impl Fn(&WorkerContext) -> bool + Send + Sync + 'static,
) -> (Hands, Journal) {
    let journal = Journal::new();
    let nature = Nature { journal: journal.clone(), birth: Box::new(birth) };
    (Pool::new::<Hand>("hands", size, nature).retry_errors(true), journal)
}

/// A pool that runs.
pub(crate) struct Running {
    pub(crate) system: System,
    pub(crate) app: App<SupervisorHandle>,
    pub(crate) pool: HandsHandle,
    pub(crate) journal: Journal,
}

pub(crate) async fn start((pool, journal): (Hands, Journal)) -> Running {
    let (system, handle) = (System::new(), pool.handle());
    let app = pool.start(&system).await.expect("it starts");
    quiet().await;
    Running { system, app, pool: handle, journal }
}

/// As many of such workers, and nothing unusual about them.
pub(crate) async fn started(size: impl Into<PoolSize>) -> Running {
    start(hands(size)).await
}

impl Running {
    /// Submits a job for which there is room.
    pub(crate) fn submit(&self, job: Job) -> Promise {
        now(self.pool.submit(job))
    }

    /// Submits jobs for which there is room, and that are done at once.
    pub(crate) fn submit_all(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<Promise> {
        numbers.into_iter().map(|number| self.submit(quick(number))).collect()
    }

    pub(crate) async fn kill(&self, slot: usize) {
        let tree = self.app.tree();
        let worker = tree.at([slot.to_string().as_str()]).expect("there is such a worker");
        worker.handle.kill().expect("it lives");
        quiet().await;
    }

    /// Ready when nothing is left to do, which is to be expected.
    pub(crate) async fn drained(&self) {
        soon(self.pool.drain()).await;
    }

    /// How many workers run.
    pub(crate) async fn active(&self) -> usize {
        let counts = self.app.supervisor().count_children().await.expect("it lives");
        // The foreman is no worker.
        counts.active - 1
    }

    /// The fate of everything is told, and no message was lost on the way to it.
    pub(crate) async fn close(self) {
        let report = self.app.shutdown().await;
        assert!(report.stragglers.is_empty() && report.dropped_messages == 0, "{report}");
        assert_accounts(&self.pool.stats());
        assert!(self.system.counters().is_balanced());
    }
}

pub(crate) fn now<J: Send + Sync + 'static, T: Send + 'static, E: Send + Sync + 'static>(
    submission: Submission<J, T, E>,
) -> JobHandle<T, E> {
    submission.try_submit().expect("there is room")
}

/// Every job that was submitted is somewhere.
pub(crate) fn assert_accounts(stats: &PoolStats) {
    let there = (stats.queued + stats.running) as u64;
    assert_eq!(stats.submitted, stats.completed + stats.failed + stats.dropped + there, "{stats}");
}

/// Ready when everything has happened that happens without time passing, and a millisecond has.
pub(crate) async fn quiet() {
    sleep(ms(1)).await;
}

/// What is due: if it never comes, no time is lost by waiting.
pub(crate) async fn soon<T>(future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(100_000), future.into_future()).await.expect("it comes")
}

/// What comes of a job, in a word or two.
pub(crate) async fn fate(promise: Promise) -> String {
    told(&soon(promise).await)
}

pub(crate) fn told(outcome: &Outcome) -> String {
    match outcome {
        Ok(number) => format!("done {number}"),
        Err(JobError::ExpiredAfterFailures(failures)) => {
            let failures: Vec<String> = failures.iter().map(failed).collect();
            format!("expired after {}", failures.join(", "))
        }
        Err(JobError::Failed(failures)) => failures.iter().map(failed).collect::<Vec<_>>().join(", "),
        Err(other) => format!("{other:?}").to_lowercase(),
    }
}

/// How an attempt failed.
pub(crate) fn failed(failure: &AttemptError<&'static str>) -> String {
    match failure {
        AttemptError::Error(error) => (*error).to_owned(),
        AttemptError::TimedOut => "timed out".to_owned(),
        AttemptError::WorkerEnded(ExitReason::Panicked(_)) => "panicked".to_owned(),
        AttemptError::WorkerEnded(ExitReason::Killed) => "killed".to_owned(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn events(subscription: &mut Subscription<JobEvent>) -> Vec<JobEvent> {
    std::iter::from_fn(|| subscription.try_next()).collect()
}

/// What is not ready, and does not become so by being asked.
pub(crate) async fn pends<F: Future<Output: Debug> + Unpin>(future: &mut F) -> bool {
    tokio::time::timeout(Duration::ZERO, future).await.is_err()
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
