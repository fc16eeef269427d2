//! The specs of the workers of a pool, by slot, and how the specs of added slots are made.

use std::ops::RangeInclusive;
use std::sync::Arc;

use perennial_actors::Address;
use perennial_actors::host::sync::Mutex;

use super::shared::{Shared, WorkerMsg};
use crate::pool::worker::Work;
use crate::spec::{Child, ChildSpec};

/// Makes the child of a slot.
type MakeWorker = Box<dyn Fn(usize) -> Child<WorkerMsg> + Send + Sync>;

/// The specs of the workers of a pool. The tree of the pool owns it: it holds the arguments of the
/// workers.
pub(crate) struct WorkerSpecs {
    make: MakeWorker,
    /// The least and the greatest number of workers.
    bounds: RangeInclusive<usize>,
    /// A spec of each slot without a claim: its supervisor or the caller that deleted it has one.
    specs: Mutex<Vec<ChildSpec>>,
}

impl WorkerSpecs {
    /// Returns the specs of a pool, and the children of its first slots with their addresses.
    pub(crate) fn new(
        slots: usize,
        bounds: RangeInclusive<usize>,
        make: MakeWorker,
    ) -> (Self, Vec<ChildSpec>, Box<[Address<WorkerMsg>]>) {
        let children: Vec<_> = (0..slots).map(&make).collect();
        let addresses = children.iter().map(Child::address).collect();
        let children: Vec<_> = children.into_iter().map(ChildSpec::from).collect();
        let specs = Mutex::new(children.iter().map(ChildSpec::unclaimed).collect());
        (Self { make, bounds, specs }, children, addresses)
    }

    /// Returns the least and the greatest number of workers.
    pub(crate) const fn bounds(&self) -> &RangeInclusive<usize> {
        &self.bounds
    }

    /// Claims the spec of a worker that belongs to no supervisor: it was never started, or it was
    /// deleted and its deleted spec was dropped. Returns `None` if it belongs to another owner.
    pub(crate) fn claim(&self, slot: usize) -> Option<ChildSpec> {
        self.specs.lock().get_mut(slot)?.claim()
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Adds slots until there are this many. No worker is due there. Returns `false` if the pool
    /// cannot have that many.
    pub(crate) fn add_slots(&self, slots: usize) -> bool {
        let Some(workers) = self.worker_specs() else { return slots <= self.slots() };
        // One at a time.
        let mut specs = workers.specs.lock();
        while specs.len() < slots {
            let child = (workers.make)(specs.len());
            if !self.add_address(child.address()) {
                return false;
            }
            specs.push(ChildSpec::from(child).unclaimed());
            self.lock_state().scheduler.add_slot();
        }
        true
    }

    /// Returns the specs of the workers, or `None` if the pool is part of no tree.
    pub(crate) fn worker_specs(&self) -> Option<Arc<WorkerSpecs>> {
        self.worker_specs.get()?.upgrade()
    }
}
