//! The specification of a durable pool.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_actors::host::Foreign;
use perennial_supervision::pool::{Pool, Retry, Work};
use perennial_supervision::{
    App, Backoff, Child, ChildSpec, Shutdown, StartError, Strategy, Supervisor, SupervisorHandle,
};

use super::feeder::feed;
use super::handle::DurableHandle;
use super::schedule::Schedule;
use super::scheduled::{Scheduled, keep};
use super::shared::{RetryRule, Settings, Shared};
use super::submission::DurableSubmission;
use crate::codec::{Bincode, Codec};
use crate::record::Timestamp;
use crate::store::Store;
use crate::wire::{Wire, encode};

/// The default retention of results: a day, as in Celery and River.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// The default numbers of attempts and of lost workers, as of a pool in memory.
const ATTEMPTS: u32 = 3;

/// The delay before a slot is tried again whose job cannot be made, and the longest. They never use
/// up the intensity of a supervisor.
const SLOT_BACKOFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// The method that makes a pool durable.
pub trait Durable<W: Work + 'static>: Sized {
    /// Makes the pool durable: its queue is in the store, under the id of this pool or another
    /// [queue](DurablePool::queue).
    ///
    /// The workers and their settings are those of the pool. The settings of attempts, retries,
    /// results and dead jobs are those of the [`DurablePool`]; those of the pool have no effect any
    /// more.
    fn durable(self, store: Arc<dyn Store>) -> DurablePool<W>;
}

impl<W> Durable<W> for Pool<W>
where
    W: Work<Job: Wire, Output: Wire, Error: Display> + 'static,
{
    fn durable(self, store: Arc<dyn Store>) -> DurablePool<W> {
        DurablePool::new(self, store)
    }
}

/// The specification of a durable pool: the root of a tree, or a child of any supervisor.
///
/// Defaults:
///
/// - A job that returns an error has failed and is not retried. A job whose worker crashed or whose
///   process ended has 3 attempts, without a delay between them.
/// - Results are kept for a day, and dead jobs until they are retried or removed.
/// - At most twice as many jobs are leased as there are workers.
/// - When the pool is stopped, its running jobs have 5 seconds to finish. What has not finished
///   then is tried again by the next process.
#[must_use = "a pool does nothing until it is started"]
pub struct DurablePool<W: Work + 'static> {
    pool: Pool<W>,
    queue: Arc<str>,
    store: Arc<dyn Store>,
    /// The handles of the pool share it. Its settings follow those of this.
    shared: Arc<Shared<W>>,
    shutdown: Shutdown,
    schedules: Vec<Scheduled<W>>,
}

impl<W> DurablePool<W>
where
    W: Work<Job: Wire, Output: Wire, Error: Display> + 'static,
{
    fn new(pool: Pool<W>, store: Arc<dyn Store>) -> Self {
        // Each attempt is decided on by the durable pool.
        let pool = pool.attempts(1).lost_workers(1).retry_errors(false).max_dead_jobs(0);
        let queue: Arc<str> = pool.id().clone();
        let settings = Settings {
            attempts: ATTEMPTS,
            lost_workers: ATTEMPTS,
            retry: RetryRule::Never,
            backoff: None,
            retention: RETENTION,
            retain_dead: None,
            prefetch: None,
            traceparent: None,
            encode_job: encode::<W::Job, Bincode>,
            encode_output: encode::<W::Output, Bincode>,
        };
        let shared = Arc::new(Shared::new(queue.clone(), store.clone(), pool.handle(), settings));
        Self {
            pool,
            queue,
            store,
            shared,
            shutdown: Shutdown::Timeout(Duration::from_secs(5)),
            schedules: Vec::new(),
        }
    }

    fn set(self, set: impl FnOnce(&mut Settings<W>)) -> Self {
        set(&mut self.shared.settings.lock());
        self
    }

    /// Sets the name of the queue in the store; the id of the pool by default. Handles that were
    /// made before keep the earlier one.
    pub fn queue(mut self, queue: impl Into<Arc<str>>) -> Self {
        self.queue = queue.into();
        let settings = self.shared.settings();
        let (queue, store) = (self.queue.clone(), self.store.clone());
        self.shared = Arc::new(Shared::new(queue, store, self.pool.handle(), settings));
        self
    }

    /// Sets the number of attempts that may fail, the first included; 3 by default, and at least 1.
    /// Attempts that [lost their worker](Self::lost_workers) are counted apart.
    pub fn attempts(self, attempts: u32) -> Self {
        self.set(|settings| settings.attempts = attempts.max(1))
    }

    /// Sets how many workers and processes a job may cost before it is dead; 3 by default, and at
    /// least 1. So a job that kills its process does not do so for ever.
    pub fn lost_workers(self, workers: u32) -> Self {
        self.set(|settings| settings.lost_workers = workers.max(1))
    }

    /// Sets whether an attempt that returns an error is retried, as long as the job has
    /// [attempts](Self::attempts) left; `false` by default.
    pub fn retry_errors(self, retry: bool) -> Self {
        self.set(|settings| settings.retry = if retry { RetryRule::Always } else { RetryRule::Never })
    }

    /// Sets which errors are retried, as [`Pool::retry_if`].
    pub fn retry_if<R: Into<Retry>>(self, decide: impl Fn(&W::Error) -> R + Send + Sync + 'static) -> Self {
        let decide = Box::new(move |error: &W::Error| decide(error).into());
        let decide = Arc::new(Foreign::new(decide as Box<dyn Fn(&W::Error) -> Retry + Send + Sync>));
        self.set(|settings| settings.retry = RetryRule::If(decide))
    }

    /// Sets the delay after a failed attempt; none by default. A delay outlives the process. There
    /// is none after the end of a process.
    pub fn retry_after(self, backoff: Backoff) -> Self {
        self.set(|settings| settings.backoff = Some(backoff))
    }

    /// Sets how long the results of jobs are kept, also of those that were cancelled or have
    /// expired; a day by default. Zero keeps none: a job is removed when it is over, unless it is
    /// dead. Celery calls this `result_expires`.
    pub fn retain_results(self, time: Duration) -> Self {
        self.set(|settings| settings.retention = time)
    }

    /// Sets how long dead jobs are kept; until they are retried or removed by default. Zero keeps
    /// none. Jobs that were dead before keep what was set when they were submitted.
    pub fn retain_dead_jobs(self, time: Duration) -> Self {
        self.set(|settings| settings.retain_dead = Some(time))
    }

    /// Sets the function that returns the trace that the caller is in, as a W3C `traceparent`; none
    /// by default. It is called for each job without a
    /// [trace of its own](super::DurableSubmission::traceparent), in the task that submits. If it
    /// panics, the job has no trace.
    pub fn traceparent_from(self, current: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        let current: Box<dyn Fn() -> Option<String> + Send + Sync> = Box::new(current);
        self.set(|settings| settings.traceparent = Some(Arc::new(Foreign::new(current))))
    }

    /// Sets how many jobs are leased at once; twice the workers by default, and at least 1. Many
    /// small jobs are faster with more. Jobs that are leased and wait are not there for other
    /// processes.
    pub fn prefetch(self, jobs: usize) -> Self {
        self.set(|settings| settings.prefetch = Some(jobs.max(1)))
    }

    /// Sets how long running jobs have to finish when the pool is stopped; 5 seconds by default.
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Submits a job by the time of day, once for each slot of the schedule, also if several
    /// processes with this schedule share the store. `job` makes the job of a slot.
    ///
    /// The name of the schedule is unique in the pool, and must not change: the store keeps the
    /// last slot under it, in the same commit as its job. So what was [missed](super::Missed) while
    /// no process ran is known. A new schedule begins when it is first started. Oban, River and
    /// Celery beat have the same as periodic jobs.
    ///
    /// If `job` panics, or the job cannot be encoded, the slot is tried again after 10 seconds and
    /// more. Time is that of the machine when the pool was made, and goes on by the clock of tokio.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use perennial_actors::System;
    /// # use perennial_durable::MemoryStore;
    /// use perennial_durable::pool::{Durable, Missed, Schedule};
    /// use perennial_supervision::pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = Arc::new(MemoryStore::new());
    /// # let report = |_: &u64| std::future::ready(Ok::<(), String>(()));
    /// # let pool = Pool::from_fn("reports", 2, report);
    /// let nightly = Schedule::cron("0 3 * * *")?.time_zone("Europe/Berlin")?.missed(Missed::All);
    /// let pool = pool.durable(store).schedule("nightly", nightly, |slot| slot.0);
    /// # let app = pool.start(&System::new()).await?;
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn schedule(
        self,
        name: impl Into<Arc<str>>,
        schedule: Schedule,
        job: impl Fn(Timestamp) -> W::Job + Send + Sync + 'static,
    ) -> Self {
        self.schedule_with(name, schedule, move |slot, pool| pool.submit(job(slot)))
    }

    /// Submits a job by the time of day, with options: see [`schedule`](Self::schedule).
    /// `submission` makes the submission of the job of a slot by the handle of the pool. Its
    /// [unique](super::DurableSubmission::unique) rule is that of the slot.
    pub fn schedule_with(
        mut self,
        name: impl Into<Arc<str>>,
        schedule: Schedule,
        submission: impl Fn(Timestamp, &DurableHandle<W>) -> DurableSubmission<W> + Send + Sync + 'static,
    ) -> Self {
        let make = Foreign::new(Box::new(submission) as Box<dyn Fn(_, &_) -> _ + Send + Sync>);
        self.schedules.push(Scheduled { name: name.into(), schedule, make });
        self
    }

    /// Sets the codec of jobs and outputs; [`Bincode`] by default. What was stored by
    /// [`Bincode`] or [`Json`](crate::Json) before is still read.
    pub fn codec<C: Codec>(self) -> Self {
        self.set(|settings| {
            settings.encode_job = encode::<W::Job, C>;
            settings.encode_output = encode::<W::Output, C>;
        })
    }

    /// Returns the handle of the pool. Jobs can be submitted before it starts.
    #[must_use]
    pub fn handle(&self) -> DurableHandle<W> {
        DurableHandle::new(self.shared.clone())
    }

    /// Starts the pool as the root of a tree. Resolves when all workers have started.
    ///
    /// # Errors
    ///
    /// As of [`Pool::start`].
    ///
    /// # Cancel safety
    ///
    /// As of [`Pool::start`].
    pub async fn start(self, system: &System) -> Result<App<SupervisorHandle>, StartError> {
        self.into_supervisor().start(system).await
    }

    fn into_supervisor(self) -> Supervisor {
        let shared = self.shared;
        let fed = shared.clone();
        let feeder = Child::task("feeder", move |ctx| {
            let feeding = feed(fed.clone(), ctx);
            #[cfg(feature = "metrics")]
            let feeding = super::measure::measured(fed.queue.clone(), fed.store.clone(), feeding);
            feeding
        });
        let feeder = feeder.shutdown(self.shutdown);
        // The schedules stop first, and then the feeder.
        let supervisor = Supervisor::new(format!("durable {}", self.pool.id()))
            .strategy(Strategy::RestForOne)
            .child(self.pool)
            .child(feeder);
        if self.schedules.is_empty() {
            return supervisor;
        }
        let mut schedules = Supervisor::new("schedules");
        for scheduled in self.schedules {
            let (scheduled, shared) = (Arc::new(scheduled), shared.clone());
            let kept = Child::task(scheduled.name.clone(), move |_| keep(shared.clone(), scheduled.clone()));
            schedules = schedules.child(kept.backoff(Backoff::new(SLOT_BACKOFF.0, SLOT_BACKOFF.1)));
        }
        supervisor.child(schedules)
    }
}

impl<W> From<DurablePool<W>> for ChildSpec
where
    W: Work<Job: Wire, Output: Wire, Error: Display> + 'static,
{
    fn from(pool: DurablePool<W>) -> Self {
        pool.into_supervisor().into()
    }
}

impl<W: Work + 'static> fmt::Debug for DurablePool<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, store, .. } = self;
        f.debug_struct("DurablePool").field("queue", queue).field("store", store).finish_non_exhaustive()
    }
}
