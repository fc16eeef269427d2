//! Every identity of a system, so that their accounts can be added up, and the accounts of those that are gone.

use std::sync::{Arc, Weak};

use crate::any_process::AnyProcess;
use crate::counters::MessageStats;
use crate::sync::Mutex;

/// Where an identity stands in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotIndex(u32);

/// Enough that identities that come and go on all cores seldom meet at one lock.
const SHARDS: u32 = 16;

/// A table of identities, sharded: an identity knows its place, so nothing is ever searched for.
pub(super) struct ProcessTable {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    places: Vec<Option<Weak<dyn AnyProcess>>>,
    free: Vec<u32>,
    retired: MessageStats,
}

impl ProcessTable {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect() }
    }

    pub(super) fn register(&self, number: u64, process: Weak<dyn AnyProcess>) -> SlotIndex {
        let shard_index = (number % u64::from(SHARDS)) as u32;
        let mut shard = self.shards[shard_index as usize].lock();
        let index = shard.free.pop().unwrap_or_else(|| {
            shard.places.push(None);
            (shard.places.len() - 1) as u32
        });
        shard.places[index as usize] = Some(process);
        SlotIndex(index * SHARDS + shard_index)
    }

    /// Removes an identity; its accounts stay in the books.
    pub(super) fn unregister(&self, place: SlotIndex, last: MessageStats) {
        let mut shard = self.shards[(place.0 % SHARDS) as usize].lock();
        let index = place.0 / SHARDS;
        shard.places[index as usize] = None;
        shard.free.push(index);
        shard.retired += last;
    }

    pub(super) fn counters(&self) -> MessageStats {
        let mut sum = MessageStats::default();
        for shard in &self.shards {
            let (retired, living) = shard.lock().read();
            sum += retired;
            for process in living {
                sum += process.counters();
            }
        }
        sum
    }

    /// Returns the identity with this number, if anything of it is left.
    ///
    /// It looks through one shard: an index of numbers would cost every identity some bytes.
    pub(super) fn find(&self, number: u64) -> Option<Arc<dyn AnyProcess>> {
        let (_, living) = self.shards[(number % u64::from(SHARDS)) as usize].lock().read();
        living.into_iter().find(|process| process.identity() == number)
    }

    pub(super) fn processes(&self) -> Vec<Arc<dyn AnyProcess>> {
        self.shards.iter().flat_map(|shard| shard.lock().read().1).collect()
    }
}

impl Shard {
    /// The accounts of those that are gone, and those that are not: collected first and used outside the lock, because the last
    /// reference to an identity may be dropped there, and then it leaves through this very lock.
    fn read(&self) -> (MessageStats, Vec<Arc<dyn AnyProcess>>) {
        (self.retired, self.places.iter().flatten().filter_map(Weak::upgrade).collect())
    }
}
