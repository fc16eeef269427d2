//! The probes of running workers.
//!
//! The supervisor of a pool asks for each liveness check, as it does for every child, and replaces
//! a worker that fails it. The readiness checks of an incarnation run in a task that ends with it.

use std::collections::HashMap;
use std::sync::Arc;

use perennial_actors::host::sync::Mutex;
use tokio::time::sleep;

use super::on_drop::OnDrop;
use crate::pool::probe::{Probes, WorkerProbe};
use crate::pool::scheduler::ReadinessSource;
use crate::pool::worker::WorkerContext;
use crate::spec::{AbortOnDrop, Answer, CheckRunner};

/// The probes of a pool, and the incarnations that they check.
pub(crate) struct Probing {
    probes: Probes,
    /// The incarnations whose liveness is checked, by slot.
    checked: Mutex<HashMap<usize, Checked>>,
}

/// An incarnation whose liveness is checked.
#[derive(Clone)]
struct Checked {
    at: WorkerContext,
    runner: CheckRunner,
}

impl Probing {
    pub(crate) fn new(probes: Probes) -> Self {
        Self { probes, checked: Mutex::new(HashMap::new()) }
    }

    /// Begins to probe an incarnation that has started, until the returned value is dropped.
    pub(crate) fn begin(self: &Arc<Self>, at: &WorkerContext) -> ProbingGuard {
        let liveness = self.probes.liveness.is_some().then(|| {
            let checked = Checked { at: at.clone(), runner: CheckRunner::default() };
            let previous = self.checked.lock().insert(at.slot, checked);
            drop(previous);
            let (probing, at) = (self.clone(), at.clone());
            OnDrop::new(move || probing.forget(&at))
        });
        let readiness = self.probes.readiness.clone();
        let readiness = readiness.map(|probe| AbortOnDrop(tokio::spawn(probe_readiness(probe, at.clone()))));
        ProbingGuard { _liveness: liveness, _readiness: readiness }
    }

    /// Checks whether the worker of a slot is alive. The answer is `false` if it has not started.
    pub(crate) fn check_liveness(&self, slot: usize) -> Answer {
        let checked = self.checked.lock().get(&slot).cloned();
        match (&self.probes.liveness, checked) {
            (Some(probe), Some(Checked { at, runner })) => probe.run(&runner, at),
            _ => Box::pin(std::future::ready(false)),
        }
    }

    fn forget(&self, at: &WorkerContext) {
        let mut checked = self.checked.lock();
        let is_current = checked.get(&at.slot).is_some_and(|current| current.at.pid == at.pid);
        let forgotten = if is_current { checked.remove(&at.slot) } else { None };
        drop(checked);
        drop(forgotten);
    }
}

/// Ends the probes of an incarnation when it is dropped.
pub(crate) struct ProbingGuard {
    _liveness: Option<OnDrop>,
    _readiness: Option<AbortOnDrop<()>>,
}

/// Probes the readiness of an incarnation for ever.
async fn probe_readiness(probe: WorkerProbe, at: WorkerContext) {
    let (policy, runner) = (probe.policy(), CheckRunner::default());
    let mut results = Results::new(probe.successes(), policy.failure_threshold);
    sleep(policy.first_after()).await;
    loop {
        let succeeded = probe.run(&runner, at.clone()).await;
        if let Some(ready) = results.record(succeeded) {
            at.readiness.set(ReadinessSource::Probe, ready);
        }
        sleep(policy.period).await;
    }
}

/// The results of a readiness probe so far.
#[derive(Debug)]
pub(crate) struct Results {
    success_threshold: u32,
    failure_threshold: u32,
    is_ready: bool,
    /// The number of results in a row that contradict `is_ready`.
    contrary: u32,
}

impl Results {
    /// Returns the results of an unready worker that was not checked yet.
    pub(crate) const fn new(success_threshold: u32, failure_threshold: u32) -> Self {
        Self { success_threshold, failure_threshold, is_ready: false, contrary: 0 }
    }

    /// Records a result. Returns the readiness of the worker if that changes it.
    pub(crate) const fn record(&mut self, succeeded: bool) -> Option<bool> {
        if succeeded == self.is_ready {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        let threshold = if succeeded { self.success_threshold } else { self.failure_threshold };
        if self.contrary < threshold {
            return None;
        }
        (self.is_ready, self.contrary) = (succeeded, 0);
        Some(succeeded)
    }
}
