//! The registration of a pool in its system, which lists it and publishes its size.

use std::sync::{Arc, Weak};

use perennial_actors::System;

use super::shared::{Registration, Shared, State};
use crate::pool::status::{AnyPool, PoolInfo, PoolStatus, Pools};
use crate::pool::worker::Work;

impl<W: Work + 'static> AnyPool for Shared<W> {
    fn info(&self) -> Option<PoolInfo> {
        let state = self.lock_state();
        let status = state.registration.as_ref().map(|registration| self.status_in(registration))?;
        let (wait_times, run_times) = (state.waits.buckets(), state.works.buckets());
        drop(state);
        Some(PoolInfo { status, stats: self.stats(), wait_times, run_times })
    }
}

impl<W: Work + 'static> Shared<W> {
    fn status_in(&self, registration: &Registration) -> PoolStatus {
        PoolStatus::new(registration.supervisor, registration.path.clone(), self.wanted())
    }

    /// Registers the pool, which has started with this incarnation of its supervisor, and publishes
    /// its size.
    pub(crate) fn register(self: &Arc<Self>, system: &System) {
        let Some(supervisor) = self.supervisor.upgrade().map(|supervisor| supervisor.handle()) else {
            return;
        };
        let (Some(pid), Some(path)) = (supervisor.pid(), supervisor.label()) else { return };
        let pools = Pools::of(system);
        let registration = Registration { system: system.clone(), path, supervisor: pid };
        let mut state = self.lock_state();
        let before = state.registration.replace(registration);
        let status = state.registration.as_ref().map(|registration| self.status_in(registration));
        if let Some(status) = status {
            pools.changes.record(|| status);
        }
        drop(state);
        pools.changes.publish();
        if before.is_none() {
            let pool: Weak<Self> = Arc::downgrade(self);
            pools.add(pool);
        }
        drop(before);
    }

    /// Sets the target number of workers and publishes it, unless `refuse` returns an error for the
    /// state of the pool.
    pub(crate) fn set_wanted<E>(
        &self,
        workers: usize,
        refuse: impl FnOnce(&State<W>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Under the lock, so that a pool that is stopped concurrently wants no worker in the end.
        let state = self.lock_state();
        refuse(&state)?;
        self.store_wanted(workers);
        let system = state.registration.as_ref().map(|registration| {
            let pools = Pools::of(&registration.system);
            pools.changes.record(|| self.status_in(registration));
            registration.system.clone()
        });
        drop(state);
        if let Some(system) = system {
            Pools::of(&system).changes.publish();
        }
        Ok(())
    }
}
