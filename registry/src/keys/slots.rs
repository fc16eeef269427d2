//! The keys with one hash, each with its entries.
//!
//! A key is a user's value. Its `Eq`, `Hash`, `Clone` and `Drop` are foreign code, which must run
//! under no lock. The table therefore finds keys by their hashes, which are computed before it is
//! locked. A stored key is compared through a shared pointer, after the table is unlocked. The
//! number of a slot finds it again afterwards.

use std::sync::Arc;

use perennial_actors::host::{Guarded, SeqMap};
use perennial_actors::{Address, Pid};

use super::entry::KeyEntry;

/// An entry as the table stores it. Each foreign value in it is dropped under a guard of its own.
pub(super) struct StoredEntry<K, M: Send + 'static, V> {
    pub(super) key: Guarded<Arc<K>>,
    pub(super) pid: Pid,
    pub(super) address: Address<M>,
    pub(super) value: Guarded<V>,
}

/// An entry, shared by the table and the calls that read it.
pub(super) type Shared<K, M, V> = Arc<StoredEntry<K, M, V>>;

impl<K, M: Send + 'static, V> StoredEntry<K, M, V> {
    /// Returns `true` if the incarnation runs. Between its end and the hook that removes its
    /// entries, they are still in the table.
    pub(super) fn is_owned(&self) -> bool {
        self.address.pid() == Some(self.pid)
    }
}

impl<K, M: Send + 'static, V: Clone> StoredEntry<K, M, V> {
    /// Returns a copy for users. It clones the value, so the caller holds no lock.
    pub(super) fn copy(&self) -> KeyEntry<M, V> {
        KeyEntry { pid: self.pid, address: self.address.clone(), value: V::clone(&self.value) }
    }

    /// Returns the value, or a copy if another call is reading the entry. The caller holds no lock.
    pub(super) fn into_value(stored: Arc<Self>) -> Option<V> {
        match Arc::try_unwrap(stored) {
            Ok(Self { value, .. }) => value.into_inner(),
            Err(stored) => Some(V::clone(&stored.value)),
        }
    }
}

/// The entries of one key in the order in which they were registered. There is at least one.
pub(super) struct Slot<K, M: Send + 'static, V> {
    pub(super) number: u64,
    pub(super) entries: SeqMap<Shared<K, M, V>>,
}

/// The slots of all keys with one hash.
pub(super) struct Slots<K, M: Send + 'static, V> {
    /// Nearly always the only slot.
    pub(super) first: Option<Slot<K, M, V>>,
    pub(super) others: Vec<Slot<K, M, V>>,
}

impl<K, M: Send + 'static, V> Default for Slots<K, M, V> {
    fn default() -> Self {
        Self { first: None, others: Vec::new() }
    }
}

impl<K, M: Send + 'static, V> Slots<K, M, V> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot<K, M, V>> {
        self.first.iter().chain(&self.others)
    }

    pub(super) fn get(&self, number: u64) -> Option<&Slot<K, M, V>> {
        self.iter().find(|slot| slot.number == number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Slot<K, M, V>> {
        self.first.iter_mut().chain(&mut self.others).find(|slot| slot.number == number)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn add(&mut self, slot: Slot<K, M, V>) {
        match &self.first {
            None => self.first = Some(slot),
            Some(_) => self.others.push(slot),
        }
    }

    /// Removes a slot that has no entries.
    pub(super) fn remove(&mut self, number: u64) {
        if self.first.as_ref().is_some_and(|slot| slot.number == number) {
            self.first = self.others.pop();
        } else {
            self.others.retain(|slot| slot.number != number);
        }
    }
}
