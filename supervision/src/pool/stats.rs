//! The statistics of a pool.

use std::fmt;
use std::time::Duration;

/// The statistics of a pool at one moment. Wait and work times are measured for the first 1,024
/// jobs, and after that for one job in 16. A pool of elastic size measures every job.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Jobs that were accepted.
    pub submitted: u64,
    /// Jobs that are queued now, delayed ones included.
    pub queued: usize,
    /// Jobs that run now.
    pub running: usize,
    /// Jobs that completed with an output.
    pub completed: u64,
    /// Jobs that failed permanently: they returned an error that is not retried, had no attempts
    /// left, or expired before the next.
    pub failed: u64,
    /// Attempts that failed or were interrupted and are followed by another: the sum of the retries
    /// after errors, time limits, lost workers and interruptions.
    pub retried: u64,
    /// Retries after the worker was lost: it crashed, was killed, or hung and was abandoned.
    pub retried_lost: u64,
    /// Retries after the supervisor of the worker stopped it, which use up no attempt.
    pub retried_interrupted: u64,
    /// Jobs that were cancelled, expired before their first attempt, or were dropped.
    pub dropped: u64,
    /// Workers that run now.
    pub workers: usize,
    /// The median time that jobs waited before they started.
    pub wait_p50: Duration,
    /// The 99th percentile of that.
    pub wait_p99: Duration,
    /// The median duration of attempts.
    pub work_p50: Duration,
    /// The 99th percentile of that.
    pub work_p99: Duration,
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { submitted, queued, running, completed: done, failed, retried, dropped, workers, .. } =
            self;
        write!(f, "{done} of {submitted} done, {running} running, {queued} queued, {failed} failed, ")?;
        write!(f, "{retried} retried, {dropped} dropped, {workers} workers, ")?;
        write!(f, "waiting {:?} (p99 {:?}), ", self.wait_p50, self.wait_p99)?;
        write!(f, "working {:?} (p99 {:?})", self.work_p50, self.work_p99)
    }
}
