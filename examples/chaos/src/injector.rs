//! The injector: carries a plan out, and measures how long each target takes to come back.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use perennial::{ActorHandle, App, SupervisionStats, SupervisorHandle, System};
use tokio::task::JoinSet;
use tokio::time;

use super::plan::{Fault, FaultKind, FaultTarget};
use super::recovery::{AttackResult, FaultResult};
use super::target::{POLL, Target};
use super::tree::{Layout, POOL_INTENSITY};

/// The longest that a target may take to come back.
const LONGEST_RECOVERY: Duration = Duration::from_secs(30);

/// How long a kill waits before it tries again to find a live incarnation.
const RETRY: Duration = Duration::from_millis(1);

/// How long a pool has to exceed its restart intensity between two rounds of kills.
const ROUND: Duration = Duration::from_millis(20);

/// What an attack needs of the system that it attacks.
#[derive(Clone)]
pub struct Injector {
    pub system: System,
    pub app: App<SupervisorHandle>,
    pub layout: Arc<Layout>,
    /// How many faults took effect, for the progress line.
    pub count: Arc<AtomicU64>,
}

impl Injector {
    /// Injects every fault of the plan at its time, and waits until every target is back. Returns
    /// early when a target does not come back. `result` is complete up to any await: the future can
    /// be dropped.
    pub async fn attack(&self, plan: &[Fault], result: &mut AttackResult) {
        let start = time::Instant::now();
        let mut running = JoinSet::new();
        for fault in plan {
            let due = time::sleep_until(start + fault.at);
            tokio::pin!(due);
            loop {
                tokio::select! {
                    () = &mut due => break,
                    Some(Ok(done)) = running.join_next() => self.record(done, result),
                }
                if !result.lost.is_empty() {
                    return;
                }
            }
            running.spawn(self.clone().inject(*fault, start));
        }
        while let Some(done) = running.join_next().await {
            if let Ok(done) = done {
                self.record(done, result);
            }
            if !result.lost.is_empty() {
                return;
            }
        }
    }

    fn record(&self, done: FaultResult, result: &mut AttackResult) {
        result.record(done);
        self.count.store(result.faults.total, Ordering::Relaxed);
    }

    async fn inject(self, fault: Fault, start: time::Instant) -> FaultResult {
        let recovered = match time::timeout(LONGEST_RECOVERY, self.carry_out(fault)).await {
            Ok(recovered) => recovered,
            Err(_) => Err(format!("{} did not come back within {LONGEST_RECOVERY:?}", fault.target)),
        };
        FaultResult { fault, ended_at: start.elapsed(), recovered }
    }

    /// Returns how long it took from the crash until the target was back.
    async fn carry_out(&self, fault: Fault) -> Result<Duration, String> {
        let Layout { hashers, collector, walker, .. } = &*self.layout;
        match (fault.target, fault.kind) {
            (_, FaultKind::ExhaustRestarts) => self.exhaust_restarts(hashers).await,
            (FaultTarget::Pool, _) => self.kill_supervisor(&["indexing", "hashers"], &hashers[0]).await,
            (FaultTarget::Indexing, _) => self.kill_supervisor(&["indexing"], walker).await,
            (FaultTarget::Hasher(number), _) => kill(&hashers[number]).await,
            (FaultTarget::Collector, FaultKind::Kill) => kill(collector).await,
            (FaultTarget::Walker, FaultKind::Kill) => kill(walker).await,
            (FaultTarget::Collector, kind) => trigger(slice::from_ref(collector), kind).await,
            (FaultTarget::Walker, kind) => trigger(slice::from_ref(walker), kind).await,
            (FaultTarget::NextHasher, kind) => trigger(hashers, kind).await,
        }
    }

    /// Kills a supervisor. It is back when `worker`, which is below it, has started again.
    async fn kill_supervisor(&self, path: &[&str], worker: &Target) -> Result<Duration, String> {
        let find = || Some(self.app.tree().at(path.iter().copied())?.handle.clone());
        kill_through(worker, |_| find()).await
    }

    /// Kills the hashers and lets their starts fail, until their supervisor exceeds its restart
    /// intensity and ends.
    async fn exhaust_restarts(&self, hashers: &[Target]) -> Result<Duration, String> {
        let escalations = || SupervisionStats::of(&self.system).escalations;
        let before = escalations();
        loop {
            let (at, started) = (Instant::now(), hashers[0].fault_point.latest());
            hashers[0].fault_point.fail_starts(POOL_INTENSITY + 1);
            for hasher in hashers {
                // A hasher without a live incarnation is being restarted already.
                hasher.check_restartable()?.kill().ok();
            }
            time::sleep(ROUND).await;
            if escalations() > before {
                hashers[0].fault_point.fail_starts(0);
                hashers[0].started_after(started).await?;
                return Ok(at.elapsed());
            }
        }
    }
}

/// Kills a worker.
async fn kill(worker: &Target) -> Result<Duration, String> {
    kill_through(worker, |handle| Some(handle.clone())).await
}

/// Kills what `find` returns, as soon as it is alive. It is back when `worker` has started again.
async fn kill_through(
    worker: &Target,
    find: impl Fn(&ActorHandle) -> Option<ActorHandle>,
) -> Result<Duration, String> {
    let _kill = worker.lock_kill().await;
    loop {
        let handle = worker.check_restartable()?;
        let before = handle.pid();
        let at = Instant::now();
        if let (Some(pid), Some(killed)) = (before, find(&handle)) {
            if killed.kill().is_ok() {
                worker.started_after(pid.incarnation()).await?;
                return Ok(at.elapsed());
            }
        }
        time::sleep(RETRY).await;
    }
}

/// Arms a fault, which the first of the workers to handle a message triggers.
async fn trigger(workers: &[Target], kind: FaultKind) -> Result<Duration, String> {
    let mut triggered = workers[0].fault_point.arm(kind);
    loop {
        match time::timeout(POLL, &mut triggered).await {
            Ok(Ok(crash)) => {
                workers[crash.worker].started_after(crash.incarnation).await?;
                return Ok(crash.at.elapsed());
            }
            // `workers` keeps the sender until it is used.
            Ok(Err(_)) => return Err("the fault was dropped".to_owned()),
            // No message came: the workers are idle, or being restarted.
            Err(_) => {
                if workers.iter().all(|worker| worker.handle().is_none()) {
                    return Err(format!("{} did not come back: no worker is left", workers[0].name));
                }
                workers[0].poke();
            }
        }
    }
}
