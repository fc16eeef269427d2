//! The specs of the workers of a pool, by slot, and how the specs of added slots are made.

use std::ops::RangeInclusive;

use perennial_actors::Address;
use perennial_actors::host::sync::Mutex;

use super::addresses::WorkerMsg;
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

    /// Adds slots until there are this many: `add` is called with the address of each. Returns
    /// `false` if that did. Calls are executed one after the other.
    pub(crate) fn add_slots(&self, slots: usize, mut add: impl FnMut(Address<WorkerMsg>) -> bool) -> bool {
        let mut specs = self.specs.lock();
        while specs.len() < slots {
            let child = (self.make)(specs.len());
            if !add(child.address()) {
                return false;
            }
            specs.push(ChildSpec::from(child).unclaimed());
        }
        true
    }

    /// Claims the spec of a worker that belongs to no supervisor: it was never started, or it was
    /// deleted and its deleted spec was dropped. Returns `None` if it belongs to another owner.
    pub(crate) fn claim(&self, slot: usize) -> Option<ChildSpec> {
        self.specs.lock().get_mut(slot)?.claim()
    }
}
