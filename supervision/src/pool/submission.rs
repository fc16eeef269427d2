//! Jobs that are about to be submitted, and their options.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Each;

use super::origin::JobOrigin;
use super::runtime::{JobOptions, OwnOptions, Shared};
use super::scheduler::RateKey;
use super::worker::Work;

/// A job that is about to be submitted, or [many](ManyJobs), with options. Options that are not set
/// are those of the pool. An option of many jobs holds for each of them, as for a job that is
/// submitted alone.
///
/// # Cancel safety
///
/// If the future of one job is dropped while it waits for room, the job is dropped too. If the job
/// was queued at that moment, it is cancelled. [`try_submit`](Self::try_submit) does not wait.
///
/// If the future of many jobs is dropped, the queued jobs run, their results are lost, and the
/// remaining jobs are dropped.
#[must_use = "jobs are submitted when this is awaited, or by `try_submit` or `detach`"]
pub struct Submission<W: Work + 'static, J = OneJob<<W as Work>::Job>> {
    pub(super) pool: Arc<Shared<W>>,
    /// The options, if they differ from those of the pool. Shared by all jobs.
    pub(super) options: Option<Arc<OwnOptions<W::Error>>>,
    pub(super) jobs: J,
}

/// The job of a [`Submission`] by [`PoolHandle::submit`](super::PoolHandle::submit).
pub struct OneJob<J>(pub(super) J);

/// The jobs of a [`Submission`] by [`PoolHandle::submit_many`](super::PoolHandle::submit_many).
pub struct ManyJobs<J> {
    /// The jobs that are not submitted yet, the last one first. If the submission is dropped, they
    /// are dropped one by one.
    pub(super) left: Each<J>,
}

impl<J> ManyJobs<J> {
    pub(super) fn new(jobs: impl IntoIterator<Item = J>) -> Self {
        let mut jobs: Vec<J> = jobs.into_iter().collect();
        jobs.reverse();
        Self { left: Each::new(jobs) }
    }
}

impl<J> fmt::Debug for OneJob<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneJob(..)")
    }
}

impl<J> fmt::Debug for ManyJobs<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManyJobs").field("len", &self.left.len()).finish_non_exhaustive()
    }
}

impl<W: Work + 'static, J> Submission<W, J> {
    pub(super) const fn new(pool: Arc<Shared<W>>, jobs: J) -> Self {
        Self { pool, options: None, jobs }
    }

    /// Returns the options of the jobs, which are those of the pool at first.
    pub(super) fn own_options(&mut self) -> &mut OwnOptions<W::Error> {
        let Self { pool, options, .. } = self;
        let own = options.get_or_insert_with(|| Arc::new(OwnOptions::from(pool.lock_state().options)));
        // Shared only once the jobs are submitted.
        Arc::make_mut(own)
    }

    pub(super) fn options(&mut self) -> &mut JobOptions {
        &mut self.own_options().values
    }

    /// Sets the priority: jobs of a higher priority start first; 0 by default.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).priority(9).await?;
assert_eq!(job.await?, 49);")]
    pub fn priority(mut self, priority: u8) -> Self {
        self.options().priority = priority;
        self
    }

    /// Delays the start of the job by at least this time.
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).delay(Duration::from_millis(1)).await?;
assert_eq!(job.await?, 49);")]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.options().delay = Some(delay);
        self
    }

    /// Drops the job if it has not started within this time. Its result is then
    /// [`Expired`](super::JobError::Expired). The time is counted from the first poll of the
    /// submission, as Celery's `expires` is counted from the call that sends a task: the wait for
    /// room is part of it. A job that expires in that wait is dropped when it gets room.
    ///
    #[doc = pool_example!(r"squares.pause();
let late = squares.submit(7).expires_in(Duration::from_millis(1)).await?;
assert!(matches!(late.await, Err(JobError::Expired(_))));")]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.options().expires_in = Some(time);
        self
    }

    /// Sets the time limit of an attempt, checked at its awaits. An attempt that exceeds it has
    /// failed, and its worker continues with the next job. A worker that never awaits is detected
    /// by its [deadline](super::Pool::handler_deadline).
    ///
    #[doc = pool_example!(r"let job = squares.submit(7).time_limit(Duration::from_secs(1)).await?;
assert_eq!(job.await?, 49);")]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.options().limits.hard = Some(limit);
        self
    }

    /// Sets when an attempt is told to return, at the latest at its time limit: see
    /// [`Pool::soft_time_limit`](super::Pool::soft_time_limit).
    ///
    #[doc = pool_example!(
        r"let job = squares.submit(7).soft_time_limit(Duration::from_secs(1)).await?;
assert_eq!(job.await?, 49);"
    )]
    pub fn soft_time_limit(mut self, limit: Duration) -> Self {
        self.options().limits.soft = Some(limit);
        self
    }

    /// Runs the job on the worker that this key maps to. Jobs of one key run one after the other,
    /// in order, as long as none fails and the set of workers stays the same. A restart does not
    /// change the set, not even while the worker is in backoff. If the worker is no longer due,
    /// because it declined to start or the pool was made smaller, its keys map to other workers.
    ///
    #[doc = pool_example!(r#"// Both are done by one worker, in this order.
let (first, second) = (squares.submit(1).key(&"a").await?, squares.submit(2).key(&"a").await?);
assert_eq!((first.await?, second.await?), (1, 4));"#)]
    pub fn key(mut self, key: &impl Hash) -> Self {
        self.options().key = Some(hash(key));
        self
    }

    /// Sets the kind of the job for the rate limits of
    /// [`Pool::rate_per_key`](super::Pool::rate_per_key) and
    /// [`Pool::rate_for`](super::Pool::rate_for), for example the host that it calls. Jobs of a
    /// kind that has used up its limit wait, and hold back no job of another kind. A job without a
    /// kind is limited only by [`Pool::rate`](super::Pool::rate).
    ///
    #[doc = pool_example!(r#"let job = squares.submit(7).rate_key(&"example.org").await?;
assert_eq!(job.await?, 49);"#)]
    pub fn rate_key(mut self, key: &impl Hash) -> Self {
        self.options().rate_key = Some(rate_key_of(key));
        self
    }

    /// Makes the job an attempt at a job of another queue: its [context](super::JobContext) and its
    /// span have the numbers of that, and its progress is told to a [sink](JobOrigin::sink). For
    /// those that build on pools and decide on retries themselves. The events, the handles and the
    /// ids of the pool have its own numbers.
    ///
    #[doc = pool_example!(
        r"let origin = JobOrigin { id: 77, attempt: 3, progress: None, traceparent: None, sink: None };
assert_eq!(squares.submit(7).origin(origin).await?.await?, 49);"
    )]
    pub fn origin(mut self, origin: JobOrigin) -> Self {
        self.own_options().origin = Some(origin);
        self
    }
}

impl<W: Work + 'static, J> fmt::Debug for Submission<W, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("options", &self.options).finish_non_exhaustive()
    }
}

fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Returns the kind of the jobs with this key.
pub(super) fn rate_key_of(key: &impl Hash) -> RateKey {
    RateKey::new(hash(key)).unwrap_or(RateKey::MIN)
}
