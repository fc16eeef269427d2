//! The settings of a pool.

use std::time::Duration;

use perennial_actors::Capacity;

use super::builder::Pool;
use super::rate::Rate;
use super::shared::Routing;
use crate::policy::{Backoff, Restart};

impl<J, T, E> Pool<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Sets how many jobs may wait; 1,024, unless set. A submission beyond that waits for room.
    ///
    /// A capacity of 0 is [an error](crate::SpecError::ZeroCapacity) when the pool is started.
    ///
    #[doc = setting_example!("let pool = pool.capacity(10_000);")]
    pub fn capacity(mut self, jobs: impl Into<Capacity>) -> Self {
        let jobs = jobs.into();
        self.has_zero_capacity = jobs.is_zero();
        self.handle.shared().change(|state| {
            state.board.set_capacity(match jobs {
                Capacity::Bounded(jobs) => jobs,
                Capacity::Unbounded => usize::MAX,
            });
            Vec::new()
        });
        self
    }

    /// Lets at most so many jobs begin in every period, at least one.
    ///
    #[doc = setting_example!("let pool = pool.rate(100, Duration::from_secs(1));")]
    pub fn rate(self, jobs: u32, period: Duration) -> Self {
        self.handle.shared().lock_state().board.set_rate(Rate::new(jobs, period));
        self
    }

    /// Sets how jobs find their workers.
    ///
    #[doc = setting_example!("let pool = pool.routing(Routing::LeastQueued);")]
    pub fn routing(self, routing: Routing) -> Self {
        self.handle.shared().change(|state| {
            state.routing = routing;
            Vec::new()
        });
        self
    }

    /// Sets how many attempts a job has, the first included; 3, unless set.
    ///
    /// An attempt is followed by another if its worker crashed, was killed, or hung, or if it took too
    /// long. An error that a job returns is its result, unless [`retry_errors`](Self::retry_errors) is
    /// set.
    ///
    #[doc = setting_example!("let pool = pool.attempts(5);")]
    pub fn attempts(self, attempts: u32) -> Self {
        self.handle.shared().set_terms(|terms| terms.attempts = attempts.max(1));
        self
    }

    /// Sets whether an attempt that returns an error is followed by another, as long as the job has
    /// [attempts](Self::attempts) left. Unless set, an error is the result of its job.
    ///
    #[doc = setting_example!("let pool = pool.retry_errors(true).attempts(5);")]
    pub fn retry_errors(self, retry: bool) -> Self {
        self.handle.shared().set_terms(|terms| terms.retry_errors = retry);
        self
    }

    /// Sets how long a job waits after a failed attempt.
    ///
    #[doc = setting_example!(r"let pool = pool.retry_after(Backoff::new(Duration::from_secs(1), Duration::from_secs(60)));")]
    pub fn retry_after(self, backoff: Backoff) -> Self {
        self.handle.shared().set_terms(|terms| terms.backoff = Some(backoff));
        self
    }

    /// Sets how long an attempt may take, at its awaits.
    ///
    #[doc = setting_example!("let pool = pool.time_limit(Duration::from_secs(10));")]
    pub fn time_limit(self, limit: Duration) -> Self {
        self.handle.shared().set_terms(|terms| terms.time_limit = Some(limit));
        self
    }

    /// Sets how many dead jobs are kept for those who [take](PoolHandle::drain_dead_jobs) them.
    ///
    #[doc = setting_example!("let pool = pool.keep_dead(0);")]
    pub fn max_dead_jobs(self, jobs: usize) -> Self {
        self.handle.shared().lock_state().max_dead = jobs;
        self
    }

    /// Sets how long a worker may be at one job before it is found to hang, also if it never awaits: see
    /// [`Child::handler_deadline`]. It is replaced, and the job tried again.
    ///
    #[doc = setting_example!("let pool = pool.handler_deadline(Duration::from_secs(60));")]
    pub const fn handler_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long a worker that was killed may take to die before it is abandoned, as one does not that never awaits: see
    /// [`Supervisor::abandon_after`]. The next one takes its place, and its job is tried again.
    ///
    #[doc = setting_example!("let pool = pool.abandon_after(Duration::from_secs(1));")]
    pub fn abandon_after(mut self, patience: Duration) -> Self {
        self.supervisor = self.supervisor.abandon_after(patience);
        self
    }

    /// Ends the pool when all handles are gone that were made of it from now on: what it has is finished, and then its workers and its
    /// supervisor end in order. So do workers on a channel when its last sender is gone.
    ///
    /// As a child it is [transient](Restart::Transient) from now on, so that it is not started again.
    ///
    #[doc = setting_example!("let pool = pool.end_with_handles();")]
    pub fn close_on_last_handle(mut self) -> Self {
        self.supervisor = self.supervisor.restart(Restart::Transient);
        let pool = self.handle.clone();
        self.given = self.handle.ending(move || {
            // By the foreman: the last handle may be dropped on a thread where nothing can be waited for, and before the start.
            pool.shared().lock_state().handles_dropped = true;
            pool.shared().call_foreman();
        });
        self
    }

    /// Sets how long the init of a worker may take; 30 seconds, unless set. After that it is killed, and started again as any that did not
    /// start.
    ///
    #[doc = setting_example!("let pool = pool.start_timeout(Duration::from_secs(5));")]
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// Makes a worker wait before it is restarted, longer each time. Not one that has ended itself in
    /// order after a job. Unless set, one that crashed at a job is restarted at once, and one that keeps
    /// ending without a job waits for a second at most.
    ///
    #[doc = setting_example!(r"let pool = pool.backoff(Backoff::new(Duration::from_secs(1), Duration::from_secs(60)));")]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// Sets how many failed starts of workers it tolerates within a period, before it gives up; 100 in
    /// a second, unless set.
    ///
    /// Counted is each start that fails as a worker is restarted after it has ended by itself. What
    /// happens to a worker that has started is not counted: jobs may crash their workers without end.
    ///
    #[doc = setting_example!("let pool = pool.intensity(10, Duration::from_secs(60));")]
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.supervisor = self.supervisor.intensity(restarts, period);
        self
    }

    /// Sets which of its own ends call for a restart, when it is a child. What waits, waits through it.
    ///
    #[doc = setting_example!("let pool = pool.restart(Restart::Transient);")]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.supervisor = self.supervisor.restart(restart);
        self
    }

    /// Sets, for a pool whose size is between bounds, how long a job may wait before there are more workers, and how long none may before
    /// there are fewer. 100 ms and 10 s, unless set.
    ///
    #[doc = setting_example!(r"let pool = pool.scaling(Duration::from_millis(50), Duration::from_secs(60));")]
    pub const fn scaling(mut self, after: Duration, cool_down: Duration) -> Self {
        self.scale_after = after;
        self.cool_down = cool_down;
        self
    }
}
