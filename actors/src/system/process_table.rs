//! The table of all identities of a system, and the message counts of freed ones.

use std::sync::{Arc, Weak};

use slab::Slab;

use super::any_process::AnyProcess;
use crate::counters::MessageStats;
use crate::sync::Mutex;

/// The slot of an identity in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotIndex(u32);

/// The number of shards: enough to avoid contention between cores that register identities.
const SHARDS: u32 = 16;

/// A sharded table of identities. An identity knows its slot, so removal needs no search.
pub(crate) struct ProcessTable {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    slots: Slab<Weak<dyn AnyProcess>>,
    retired: MessageStats,
}

impl ProcessTable {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect() }
    }

    pub(crate) fn register(&self, number: u64, process: Weak<dyn AnyProcess>) -> SlotIndex {
        let shard_index = (number % u64::from(SHARDS)) as u32;
        let index = self.shards[shard_index as usize].lock().slots.insert(process);
        SlotIndex(index as u32 * SHARDS + shard_index)
    }

    /// Removes an identity and keeps its message counts.
    pub(crate) fn unregister(&self, slot: SlotIndex, last: MessageStats) {
        let mut shard = self.shards[(slot.0 % SHARDS) as usize].lock();
        let removed = shard.slots.try_remove((slot.0 / SHARDS) as usize);
        shard.retired += last;
        drop((shard, removed));
    }

    pub(super) fn counters(&self) -> MessageStats {
        let mut sum = MessageStats::default();
        for shard in &self.shards {
            let (retired, living) = shard.lock().read();
            sum += retired;
            for process in living {
                sum += process.mailbox().counters();
            }
        }
        sum
    }

    /// Returns the identity with this number, unless it was freed.
    ///
    /// Searches one shard: an index of numbers would cost memory for every identity.
    pub(crate) fn find(&self, number: u64) -> Option<Arc<dyn AnyProcess>> {
        let (_, living) = self.shards[(number % u64::from(SHARDS)) as usize].lock().read();
        living.into_iter().find(|process| process.identity() == number)
    }

    pub(crate) fn living(&self) -> Vec<Arc<dyn AnyProcess>> {
        self.shards.iter().flat_map(|shard| shard.lock().read().1).collect()
    }
}

impl Shard {
    /// Returns the message counts of freed identities, and the remaining identities. The caller
    /// uses them outside the lock, because the last reference to an identity may be dropped there,
    /// which takes this lock again.
    fn read(&self) -> (MessageStats, Vec<Arc<dyn AnyProcess>>) {
        (self.retired, self.slots.iter().filter_map(|(_, process)| process.upgrade()).collect())
    }
}
