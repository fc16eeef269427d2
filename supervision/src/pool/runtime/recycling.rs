//! The renewal of workers: after a number of jobs, or at an age.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use perennial_actors::host::GAMMA;
use tokio::time::{Sleep, sleep};

/// When the incarnations of workers are renewed; never by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recycling {
    /// How many jobs an incarnation runs at most.
    pub(crate) max_jobs: Option<u64>,
    /// The age at which an incarnation ends at the latest, between two jobs.
    pub(crate) max_age: Option<Duration>,
    /// `true` if an incarnation ends after an attempt that exceeded its time limit.
    pub(crate) after_timeout: bool,
}

impl Recycling {
    /// Returns `true` if a worker would end before its first job.
    pub(crate) fn has_zero(&self) -> bool {
        self.max_jobs == Some(0) || self.max_age.is_some_and(|age| age.is_zero())
    }

    /// Returns the age at which the worker of a slot ends: between three quarters of the maximum
    /// and the maximum. The ages of any number of slots are spread evenly.
    pub(crate) fn age_of(&self, slot: usize) -> Option<Duration> {
        // The high bits of multiples of the golden ratio are spread evenly.
        let spread = ((slot as u64).wrapping_mul(GAMMA) >> 48) as u32;
        self.max_age.map(|age| age.saturating_sub(age / 4 / (1 << 16) * spread))
    }
}

/// What is left of the lifetime of one incarnation.
pub(crate) struct Lifetime {
    /// How many jobs start until [`count_job`](Self::count_job) returns `true`.
    countdown: u64,
    /// How many jobs it may run after those.
    jobs_left: u64,
    /// Elapses when it has its maximum age. It is polled once, which registers it.
    age: Option<Pin<Box<Sleep>>>,
    /// `true` once its first job has started.
    has_worked: bool,
    /// `true` once its last job has started.
    is_last_job: bool,
    /// `true` if [`is_over`](Self::is_over) may return `true`.
    may_be_over: bool,
}

impl Lifetime {
    /// Begins the lifetime of an incarnation with at least one job.
    pub(crate) async fn begin(max_jobs: Option<u64>, max_age: Option<Duration>) -> Self {
        let jobs_left = max_jobs.map_or(u64::MAX, |jobs| jobs.max(1)) - 1;
        let mut age = max_age.map(|age| Box::pin(sleep(age)));
        if let Some(age) = &mut age {
            poll_fn(|cx| Poll::Ready(age.as_mut().poll(cx).is_ready())).await;
        }
        Self {
            countdown: 1,
            jobs_left,
            may_be_over: age.is_some(),
            age,
            has_worked: false,
            is_last_job: false,
        }
    }

    /// Counts a job that starts. Returns `true` if it is the first one.
    #[inline]
    pub(crate) fn count_job(&mut self) -> bool {
        // One branch for each job: between the first and the last one, nothing is to be done.
        self.countdown = self.countdown.wrapping_sub(1);
        self.countdown == 0 && self.reach_mark()
    }

    /// Handles the start of the first or the last job. Returns `true` if it is the first one.
    #[cold]
    fn reach_mark(&mut self) -> bool {
        self.countdown = std::mem::take(&mut self.jobs_left);
        self.is_last_job = self.countdown == 0;
        self.may_be_over |= self.is_last_job;
        !std::mem::replace(&mut self.has_worked, true)
    }

    /// Returns `true` if no job may start any more.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.may_be_over && (self.is_last_job || self.age.as_ref().is_some_and(|age| age.is_elapsed()))
    }
}
