//! The tree of a pool, as its settings say: the workers, the manager and what else it needs.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Address, MailboxConfig};

use super::builder::Pool;
use super::runtime::{
    Drainer, ManagerArgs, PoolManager, Probing, ThreadWaiter, WorkerMsg, WorkerSpecs, shutdown_time,
};
use super::scheduler::Scale;
use super::worker::Work;
use crate::policy::Shutdown;
use crate::spec::{Child, ChildSpec, Probe, SpecError};
use crate::supervisor::Supervisor;

/// The longest time that a worker has, after a drain has timed out, to finish its current job.
const LAST_JOB_TIMEOUT: Duration = Duration::from_secs(5);

impl<W: Work + 'static> Pool<W> {
    /// Returns the supervisor of the pool, with all its children.
    pub(super) fn into_supervisor(mut self) -> Supervisor {
        let shared = self.handle.shared.clone();
        self.close_on_drop.disarm();
        let drain_time = if let Shutdown::Drain(time) = self.shutdown { Some(time) } else { None };
        if let Some(time) = drain_time {
            self.shutdown = Shutdown::Timeout(time.min(LAST_JOB_TIMEOUT));
        }
        if self.probes.liveness.is_some() || self.probes.readiness.is_some() {
            let _ = shared.probing.set(Arc::new(Probing::new(self.probes.clone())));
        }
        let (specs, children, addresses) = self.workers();
        let specs = Arc::new(specs);
        let scale = Scale::of(&self.size, self.scale_after, self.cool_down);
        let manager =
            ManagerArgs { pool: shared.clone(), scale, delays: self.backoff, _workers: specs.clone() };
        // The manager stops before the workers: it must start no worker while the others stop.
        let manager = Child::new::<PoolManager<W>>("manager", manager).stops_first();
        let manager = manager.mailbox(MailboxConfig::unbounded()).internal();
        shared.set_actors(addresses, &specs, manager.address());
        let mut manager = ChildSpec::from(manager);
        manager.error = self.spec_error().map(Box::new);
        let _ = shared.threads.set((self.threads.clone(), shutdown_time(self.shutdown)));
        let thread_waiter = Child::new::<ThreadWaiter>("threads", self.threads)
            .shutdown(ThreadWaiter::shutdown(self.shutdown));
        let thread_waiter = self.is_blocking.then(|| thread_waiter.internal());
        let _ = shared.retry.set(self.retry);
        let drainer = drain_time.map(|time| Drainer::child(shared, time));
        self.supervisor.children(thread_waiter).children(children).child(manager).children(drainer)
    }

    /// Returns the first setting of the pool that is wrong.
    fn spec_error(&self) -> Option<SpecError> {
        let id = || self.id.clone();
        if self.has_zero_capacity {
            return Some(SpecError::ZeroCapacity { id: id() });
        }
        if self.has_zero_rate {
            return Some(SpecError::ZeroRate { id: id() });
        }
        if self.recycling.has_zero() {
            return Some(SpecError::ZeroLifetime { id: id() });
        }
        if self.handle.shared.lock_state().options.limits.is_soft_too_late() {
            return Some(SpecError::SoftLimitTooLate { id: id() });
        }
        self.probes.error(&self.id)
    }

    /// Returns the specs of the workers, and the children of the first slots with their addresses.
    fn workers(&self) -> (WorkerSpecs, Vec<ChildSpec>, Box<[Address<WorkerMsg>]>) {
        let (shared, worker) = (self.handle.shared.clone(), self.worker.clone());
        let (shutdown, start_timeout) = (self.shutdown, self.start_timeout);
        let (backoff, recycling) = (self.backoff, self.recycling);
        let (deadline, watchdog) = (self.deadline, self.watchdog);
        let (probe, probing) = (self.probes.liveness.clone(), shared.probing.get().cloned());
        let make = move |slot: usize| {
            let shared = shared.clone();
            let mut child =
                worker(slot, start_timeout, recycling).shutdown(shutdown).start_timeout(start_timeout);
            if let Some(backoff) = backoff {
                child = child.backoff(backoff);
            }
            if let Some(deadline) = deadline {
                child = child.handler_deadline(deadline);
            }
            if let Some(time) = watchdog {
                child = child.watchdog(time);
            }
            if let (Some(probe), Some(probing)) = (&probe, probing.clone()) {
                let check = move |_| probing.check_liveness(slot);
                child = child.probe(Probe::checked_by(check).timed(probe.policy()));
            }
            child.joins_spec().enabled_if(move || slot < shared.may_run())
        };
        WorkerSpecs::new(self.size.bounds().1, self.size.limits(), Box::new(make))
    }
}

impl<W: Work + 'static> From<Pool<W>> for ChildSpec {
    fn from(pool: Pool<W>) -> Self {
        pool.into_supervisor().into()
    }
}
