//! The settings of a pool.

use std::time::Duration;

use perennial_actors::{Capacity, ExitReason};

use super::builder::Pool;
use super::runtime::Routing;
use super::scheduler::Retention;
use super::worker::Work;
use crate::policy::{Backoff, Restart};

impl<W: Work + 'static> Pool<W> {
    /// Sets the capacity of the queue in jobs; 1,024 by default. A submission to a full queue waits
    /// for room.
    ///
    /// A capacity of 0 is [an error](crate::SpecError::ZeroCapacity) when the pool starts.
    ///
    #[doc = setting_example!("let pool = pool.capacity(10_000);")]
    pub fn capacity(mut self, jobs: impl Into<Capacity>) -> Self {
        let jobs = jobs.into();
        self.has_zero_capacity = jobs.is_zero();
        self.handle.shared.with_queue(|queue| {
            queue.state.scheduler.set_capacity(match jobs {
                Capacity::Bounded(jobs) => jobs,
                Capacity::Unbounded => usize::MAX,
            });
        });
        self
    }

    /// Sets how jobs are assigned to workers.
    ///
    #[doc = setting_example!("let pool = pool.routing(Routing::LeastQueued);")]
    pub fn routing(self, routing: Routing) -> Self {
        self.handle.shared.with_queue(|queue| queue.state.routing = routing);
        self
    }

    /// Sets the time limit of an attempt, checked at its awaits; none by default.
    ///
    #[doc = setting_example!("let pool = pool.time_limit(Duration::from_secs(10));")]
    pub fn time_limit(self, limit: Duration) -> Self {
        self.handle.shared.set_options(|options| options.limits.hard = Some(limit));
        self
    }

    /// Sets whether a worker is renewed after an attempt that exceeded its
    /// [time limit](Self::time_limit); `false` by default: the worker continues with its state,
    /// though the attempt was dropped in the middle. Celery always kills the process then.
    ///
    /// The worker ends normally, and the next incarnation starts at once. The attempt has failed
    /// once, by its time limit.
    ///
    #[doc = setting_example!(
        "let pool = pool.time_limit(Duration::from_secs(10)).restart_after_timeout(true);"
    )]
    pub const fn restart_after_timeout(mut self, restart: bool) -> Self {
        self.recycling.after_timeout = restart;
        self
    }

    /// Sets when an attempt is told to return, before its [time limit](Self::time_limit); never by
    /// default. The job observes it with
    /// [`JobContext::soft_limit`](super::JobContext::soft_limit) or
    /// [`should_stop`](super::JobContext::should_stop). It is the `soft_time_limit` of Celery.
    ///
    /// A soft limit that is not shorter than the time limit is
    /// [an error](crate::SpecError::SoftLimitTooLate) when the pool starts.
    ///
    #[doc = setting_example!(
        r"let pool = pool.soft_time_limit(Duration::from_secs(8)).time_limit(Duration::from_secs(10));"
    )]
    pub fn soft_time_limit(self, limit: Duration) -> Self {
        self.handle.shared.set_options(|options| options.limits.soft = Some(limit));
        self
    }

    /// Sets how many dead jobs the pool keeps for
    /// [`drain_dead_jobs`](super::PoolHandle::drain_dead_jobs); 1,000 by default.
    ///
    #[doc = setting_example!("let pool = pool.max_dead_jobs(0);")]
    pub fn max_dead_jobs(self, jobs: usize) -> Self {
        self.handle.shared.lock_state().max_dead = jobs;
        self
    }

    /// Retains the results of the last `max` jobs for this time after their ends, so that
    /// [`PoolHandle::job`](super::PoolHandle::job) finds these jobs by their ids; none by default.
    /// The jobs themselves are retained too, and the results of jobs without a handle. It is
    /// Celery's `result_expires`.
    ///
    #[doc = setting_example!(
        "let pool = pool.retain_results(10_000, Duration::from_secs(24 * 60 * 60));"
    )]
    pub fn retain_results(self, max: usize, time: Duration) -> Self {
        self.handle.shared.lock_state().retained = (max > 0).then(|| Box::new(Retention::new(max, time)));
        self
    }

    /// Sets how long a worker may run one job before it is considered hung, even if it never
    /// awaits: see [`Child::handler_deadline`](crate::Child::handler_deadline). The worker is
    /// replaced, and the job is retried.
    ///
    #[doc = setting_example!("let pool = pool.handler_deadline(Duration::from_secs(60));")]
    pub const fn handler_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long a killed worker may take to end before it is abandoned, as a worker that never
    /// awaits does not end: see [`Supervisor::abandon_after`](crate::Supervisor::abandon_after).
    /// The next incarnation takes its slot, and its job is retried.
    ///
    #[doc = setting_example!("let pool = pool.abandon_after(Duration::from_secs(1));")]
    pub fn abandon_after(mut self, after: Duration) -> Self {
        self.supervisor = self.supervisor.abandon_after(after);
        self
    }

    /// Closes the pool when all handles that were made after this call are dropped: its jobs are
    /// finished, and then its workers and its supervisor end normally, as workers on a channel end
    /// when its last sender is dropped.
    ///
    /// The end can be awaited: by [`App::join`](crate::App::join) if the pool is the root of a
    /// tree, and by [`ended`](Self::ended) in any tree.
    ///
    /// As a child, the pool is [transient](Restart::Transient) from now on, so that it is not
    /// restarted. A [condition](Self::restart_if) is replaced.
    ///
    #[doc = setting_example!(
        r#"let other = Pool::from_fn("others", 2, square).close_on_last_handle();
let (others, ended) = (other.handle(), other.ended());
let _other = other.start(&System::new()).await?;
drop(others);
ended.await;"#
    )]
    pub fn close_on_last_handle(mut self) -> Self {
        self.supervisor = self.supervisor.restart(Restart::Transient);
        let pool = self.handle.clone();
        self.user_handle = self.handle.with_last_drop(move || {
            // The manager ends the pool: the last handle may be dropped on a thread that cannot
            // wait, and before the start.
            pool.shared.lock_state().handles_dropped = true;
            pool.shared.notify_manager();
        });
        self
    }

    /// Sets the start timeout of a worker; 30 seconds by default. A worker that exceeds it is
    /// killed, and its start is repeated like any failed start.
    ///
    #[doc = setting_example!("let pool = pool.start_timeout(Duration::from_secs(5));")]
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// Sets how many jobs a worker runs before it is renewed, as Celery's
    /// `worker_max_tasks_per_child`; unlimited by default. Each attempt of a job counts.
    ///
    /// After its last job the worker ends in order, and the next incarnation starts at once. Such
    /// an end counts neither for the [intensity](Self::intensity) nor for the
    /// [backoff](Self::backoff). A worker is not renewed while its tree drains the pool.
    ///
    /// A limit of 0 is [an error](crate::SpecError::ZeroLifetime) when the pool starts.
    ///
    #[doc = setting_example!("let pool = pool.max_jobs(1_000);")]
    pub const fn max_jobs(mut self, jobs: u64) -> Self {
        self.recycling.max_jobs = Some(jobs);
        self
    }

    /// Sets the age at which a worker is renewed, at the latest; unlimited by default.
    ///
    /// The worker ends in order, between two jobs, as after its [last job](Self::max_jobs). The
    /// workers of a pool do not end together: each slot has its own age between three quarters of
    /// the maximum and the maximum.
    ///
    /// An age of 0 is [an error](crate::SpecError::ZeroLifetime) when the pool starts.
    ///
    #[doc = setting_example!("let pool = pool.max_age(Duration::from_secs(3_600));")]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.recycling.max_age = Some(age);
        self
    }

    /// Sets the delay before a worker is restarted. It does not apply to a worker that ended
    /// normally after a job. By default, a worker that crashed in a job is restarted at once, and
    /// the delay of a worker that keeps ending without a job is at most one second.
    ///
    #[doc = setting_example!(
        r"let pool = pool.backoff(Backoff::new(Duration::from_secs(1), Duration::from_secs(60)));"
    )]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// Sets how many failed starts of workers the pool tolerates within a period before it gives
    /// up; 100 per second by default.
    ///
    /// Only a start counts that fails when a worker is restarted after it ended by itself. The end
    /// of a worker that has started does not count: jobs may crash their workers without limit.
    ///
    #[doc = setting_example!("let pool = pool.intensity(10, Duration::from_secs(60));")]
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.supervisor = self.supervisor.intensity(restarts, period);
        self
    }

    /// Sets which exits of the pool cause its restart, when it is a child. This replaces a
    /// [condition](Self::restart_if). Queued jobs stay queued through a restart.
    ///
    #[doc = setting_example!("let pool = pool.restart(Restart::Transient);")]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.supervisor = self.supervisor.restart(restart);
        self
    }

    /// Restarts the pool, when it is a child, if `condition` returns `true` for the reason for
    /// which the pool has ended: see [`Child::restart_if`](crate::Child::restart_if). The ends of
    /// its workers are no such reasons.
    ///
    #[doc = setting_example!("let pool = pool.restart_if(Restart::on_abnormal);")]
    pub fn restart_if(mut self, condition: impl Fn(&ExitReason) -> bool + Send + Sync + 'static) -> Self {
        self.supervisor = self.supervisor.restart_if(condition);
        self
    }

    /// Allows `burst` starts of the pool within `interval`, when it is a child. If one more is
    /// needed, the pool ends as [failed](crate::ChildState::Failed), and its siblings go on: see
    /// [`Child::start_limit`](crate::Child::start_limit). Starts of its workers do not count:
    /// [`intensity`](Self::intensity) limits those.
    ///
    #[doc = setting_example!("let pool = pool.start_limit(5, Duration::from_secs(10));")]
    pub fn start_limit(mut self, burst: u32, interval: Duration) -> Self {
        self.supervisor = self.supervisor.start_limit(burst, interval);
        self
    }

    /// Tries the first start of the pool again while it fails, after these delays, when it is a
    /// child: see [`Child::retry_start`](crate::Child::retry_start). It fails if one of the first
    /// workers does not start. Jobs wait in the queue meanwhile.
    ///
    #[doc = setting_example!(
        r"let pool = pool.retry_start(Backoff::new(Duration::from_secs(1), Duration::from_secs(60)));"
    )]
    pub fn retry_start(mut self, delays: Backoff) -> Self {
        self.supervisor = self.supervisor.retry_start(delays);
        self
    }

    /// Sets the scaling delays of a pool of elastic size; 100 ms and 10 s by default. Workers are
    /// added when a job has waited for `after`. One worker is removed after each `cool_down` in
    /// which no job waited and a worker was idle.
    ///
    #[doc = setting_example!(
        r"let pool = pool.scaling(Duration::from_millis(50), Duration::from_secs(60));"
    )]
    pub const fn scaling(mut self, after: Duration, cool_down: Duration) -> Self {
        self.scale_after = after;
        self.cool_down = cool_down;
        self
    }
}
