//! The keys with one hash, each with its entries.
//!
//! A key is a user's value. Its `Eq`, `Hash`, `Clone` and `Drop` are foreign code, which must run
//! under no lock. The table therefore finds keys by their hashes, which are computed before it is
//! locked. A stored key is compared through a shared pointer, after the table is unlocked. The
//! number of a slot finds it again afterwards.

use std::sync::Arc;

use perennial_actors::Pid;
use perennial_actors::host::{Guarded, SeqMap};

use super::entry::KeyEntry;

/// The public entry with its value under a guard.
pub(super) type Entry<M, V> = KeyEntry<M, Guarded<V>>;

/// An entry as the table stores it. Each foreign value in it is dropped under a guard of its own.
pub(super) struct StoredEntry<K, M: Send + 'static, V> {
    pub(super) key: Guarded<Arc<K>>,
    pub(super) entry: Entry<M, V>,
}

/// An entry, shared by the table and the calls that read it.
pub(super) type Shared<K, M, V> = Arc<StoredEntry<K, M, V>>;

impl<K, M: Send + 'static, V> StoredEntry<K, M, V> {
    pub(super) const fn new(key: Arc<K>, entry: Entry<M, V>) -> Self {
        Self { key: Guarded::new(key), entry }
    }

    /// Returns a copy for users. It clones the value, so the caller holds no lock.
    pub(super) fn copy(&self) -> KeyEntry<M, V>
    where
        V: Clone,
    {
        let KeyEntry { pid, address, value } = &self.entry;
        KeyEntry { pid: *pid, address: address.clone(), value: V::clone(value) }
    }

    pub(super) const fn pid(&self) -> Pid {
        self.entry.pid
    }

    /// Returns the value, or a copy if another call is reading the entry. The caller holds no lock.
    pub(super) fn into_value(stored: Arc<Self>) -> Option<V>
    where
        V: Clone,
    {
        match Arc::try_unwrap(stored) {
            Ok(Self { entry: KeyEntry { value, .. }, .. }) => value.into_inner(),
            Err(stored) => Some(V::clone(&stored.entry.value)),
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
    first: Option<Slot<K, M, V>>,
    others: Vec<Slot<K, M, V>>,
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
