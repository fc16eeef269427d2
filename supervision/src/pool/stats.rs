//! The statistics of a pool.

use std::fmt;
use std::time::Duration;

use super::scheduler::RolloutDirection;

/// The statistics of a pool at one moment. Wait and work times are measured for the first 1,024
/// jobs, and after that for one job in 16. A pool of elastic size measures every job. The
/// percentiles are upper bounds, at most an eighth above the true ones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolStats {
    /// Jobs that were accepted.
    pub submitted: u64,
    /// Jobs that are queued now, delayed ones included.
    pub queued: usize,
    /// Jobs that run now. A call of a [blocking function](super::Pool::from_blocking_fn) counts
    /// until it has returned, also if its attempt is over.
    pub running: usize,
    /// Running jobs whose attempt is over and whose call has not returned: they were cancelled,
    /// exceeded their time limit or lost their worker, or their pool has stopped. Kubernetes calls
    /// such a pod of a Job terminating.
    pub terminating: usize,
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
    /// The workers by state.
    pub workers: WorkerCounts,
    /// The state of the rollouts.
    pub rollout: RolloutStatus,
    /// The median time that jobs waited before they started.
    pub wait_p50: Duration,
    /// The 99th percentile of that.
    pub wait_p99: Duration,
    /// The median duration of attempts.
    pub work_p50: Duration,
    /// The 99th percentile of that.
    pub work_p99: Duration,
}

/// The workers of a pool by state, as the replicas of a Deployment of Kubernetes.
///
#[doc = pool_example!(r#"let workers = squares.stats().workers;
assert_eq!((workers.wanted, workers.running), (2, 2));
assert_eq!(workers.to_string(), "2 of 2 workers");
squares.supervisor().terminate_child("1").await?;
assert_eq!(squares.stats().workers.down, 1);"#)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WorkerCounts {
    /// The target number.
    pub wanted: usize,
    /// Workers that have started and have not ended. While the pool shrinks, surplus workers that
    /// finish their jobs count too.
    pub running: usize,
    /// Running workers that are [ready](super::WorkerContext::set_ready) for jobs. A worker whose
    /// thread is occupied by a call that outlives its attempt is not.
    pub ready: usize,
    /// Workers whose init runs.
    pub starting: usize,
    /// Wanted workers that neither run nor start: they wait for a restart, were stopped or declined
    /// to start. They are started later.
    pub down: usize,
}

/// The state of the rollouts of a pool: `kubectl rollout status`.
///
#[doc = pool_example!(r"squares.pause_rollout();
let rollout = squares.stats().rollout;
assert_eq!((rollout.paused, rollout.direction), (true, None));")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RolloutStatus {
    /// `true` while rollouts are [paused](super::PoolHandle::pause_rollout): `spec.paused` of a
    /// Deployment of Kubernetes.
    pub paused: bool,
    /// Where the rollout goes that is under way, or `None` if there is none.
    pub direction: Option<RolloutDirection>,
}

impl fmt::Display for RolloutStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            None if self.paused => "rollouts paused",
            None => "no rollout",
            // A pause does not keep it from this.
            Some(RolloutDirection::Back) => "rolling back",
            Some(RolloutDirection::Halted) => "rollout halted",
            Some(RolloutDirection::Forward) if self.paused => "rollout paused",
            Some(RolloutDirection::Forward) => "rolling out",
        })
    }
}

impl fmt::Display for WorkerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, running, ready, starting, down } = self;
        write!(f, "{running} of {wanted} workers")?;
        if ready < running {
            write!(f, ", {} unready", running - ready)?;
        }
        if *starting > 0 {
            write!(f, ", {starting} starting")?;
        }
        if *down > 0 {
            write!(f, ", {down} down")?;
        }
        Ok(())
    }
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { submitted, queued, running, completed: done, failed, retried, dropped, workers, .. } =
            self;
        write!(f, "{done} of {submitted} done, {running} running")?;
        if self.terminating > 0 {
            write!(f, " ({} terminating)", self.terminating)?;
        }
        write!(f, ", {queued} queued, {failed} failed, ")?;
        write!(f, "{retried} retried, {dropped} dropped, {workers}, ")?;
        if self.rollout != RolloutStatus::default() {
            write!(f, "{}, ", self.rollout)?;
        }
        write!(f, "waiting {:?} (p99 {:?}), ", self.wait_p50, self.wait_p99)?;
        write!(f, "working {:?} (p99 {:?})", self.work_p50, self.work_p99)
    }
}
