//! Probes of workers, which run beside their jobs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Foreign;

use super::worker::WorkerContext;
use crate::policy::ProbePolicy;
use crate::spec::{Answer, CheckResult, CheckRunner, SpecError};

/// A check of a worker that runs beside its jobs, like a probe of Kubernetes: at intervals, in a
/// task of its own for each worker. It waits behind no job.
///
/// A check fails if it returns `false` or an error, panics, or takes longer than the timeout, and
/// is dropped then. A check that blocks its thread fails too, and no other check of that worker is
/// begun until it has ended.
///
/// The defaults are those of Kubernetes: the first check at the start of the worker, then one every
/// 10 seconds, with 1 second for each. 3 failures in a row count, and so does 1 success. A worker
/// is checked from the end of its `init` on.
///
/// ```
/// use std::time::Duration;
/// use perennial_supervision::pool::{WorkerContext, WorkerProbe};
///
/// async fn ping_database(_slot: usize) -> Result<(), std::io::Error> { Ok(()) }
///
/// let probe = WorkerProbe::new(|at: WorkerContext| ping_database(at.slot))
///     .period(Duration::from_secs(5))
///     .failure_threshold(2);
/// ```
#[must_use = "a probe does nothing until it is given to a pool"]
#[derive(Clone)]
pub struct WorkerProbe {
    policy: ProbePolicy,
    success_threshold: u32,
    check: Arc<Check>,
}

/// Runs a check within a time limit.
type Check = dyn Fn(&CheckRunner, WorkerContext, Duration) -> Answer + Send + Sync;

impl WorkerProbe {
    /// Creates a probe that calls `check` with the context of the worker.
    pub fn new<F, Fut>(check: F) -> Self
    where
        F: Fn(WorkerContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: CheckResult> + Send + 'static,
    {
        let check = Arc::new(Foreign::new(check));
        let check = move |runner: &CheckRunner, at: WorkerContext, limit: Duration| {
            let (runner, check) = (runner.clone(), check.clone());
            Box::pin(async move { runner.run(limit, move || (*check)(at)).await }) as Answer
        };
        let policy = ProbePolicy { initial_delay: Some(Duration::ZERO), ..ProbePolicy::standard() };
        Self { policy, success_threshold: 1, check: Arc::new(check) }
    }

    /// Sets the time from the start of a worker to its first check; none by default. Kubernetes'
    /// `initialDelaySeconds`.
    pub const fn initial_delay(mut self, delay: Duration) -> Self {
        self.policy.initial_delay = Some(delay);
        self
    }

    /// Sets the time from the end of a check to the next; 10 seconds by default. Kubernetes'
    /// `periodSeconds`.
    pub const fn period(mut self, period: Duration) -> Self {
        self.policy.period = period;
        self
    }

    /// Sets the longest time of a check; 1 second by default. Kubernetes' `timeoutSeconds`.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// Sets how many failures in a row make a worker unresponsive or unready; 3 by default.
    /// Kubernetes' `failureThreshold`.
    pub const fn failure_threshold(mut self, failures: u32) -> Self {
        self.policy.failure_threshold = failures;
        self
    }

    /// Sets how many successes in a row make a worker ready; 1 by default. Kubernetes'
    /// `successThreshold`, which is 1 for every [liveness probe](super::Pool::probe).
    pub const fn success_threshold(mut self, successes: u32) -> Self {
        self.success_threshold = successes;
        self
    }

    pub(super) const fn policy(&self) -> ProbePolicy {
        self.policy
    }

    pub(super) const fn successes(&self) -> u32 {
        self.success_threshold
    }

    /// Runs the check once. Resolves to `true` if it succeeds.
    pub(super) fn run(&self, runner: &CheckRunner, at: WorkerContext) -> Answer {
        (self.check)(runner, at, self.policy.timeout)
    }
}

impl fmt::Debug for WorkerProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerProbe")
            .field("policy", &self.policy)
            .field("success_threshold", &self.success_threshold)
            .finish_non_exhaustive()
    }
}

/// The probes of a pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    pub(super) liveness: Option<WorkerProbe>,
    pub(super) readiness: Option<WorkerProbe>,
}

impl Probes {
    /// Returns why no worker could ever pass a probe, or why Kubernetes would refuse it.
    pub(super) fn error(&self, pool: &Arc<str>) -> Option<SpecError> {
        let id = pool.clone();
        let is_impossible =
            |probe: &WorkerProbe| probe.policy.is_impossible() || probe.success_threshold == 0;
        if self.liveness.iter().chain(&self.readiness).any(is_impossible) {
            return Some(SpecError::ZeroLiveness { id });
        }
        let is_single = self.liveness.as_ref().is_none_or(|probe| probe.success_threshold == 1);
        (!is_single).then_some(SpecError::LivenessSuccessThreshold { id })
    }
}
