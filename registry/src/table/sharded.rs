//! A concurrent map that never returns a guard.
//!
//! Only this file uses dashmap. A dashmap guard that is alive while the map is used again, or while
//! a task waits, can block a thread for ever. No function here returns one: entries are read and
//! changed in closures, and results are owned.
//!
//! The rules for the closures: they are short, run no foreign code and access no table. The values
//! that they remove are returned, and the caller drops them. No key is a user's value, because its
//! `Eq` and `Hash` would run under the lock of a shard. Closures may read an actor's state, add and
//! remove its hooks, and send to subscribers: the locks of its mailbox and of the subscribers' ring
//! are ordered after the lock of an entry, and no table is accessed under them.
//!
//! The model checker uses another implementation of the same interface, `loom.rs`.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

#[expect(
    clippy::disallowed_types,
    reason = "only this file uses dashmap, and it does not name a guard either"
)]
use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;

/// A concurrent map.
///
/// Its hasher takes a fraction of the standard one's time. It is seeded anew for each map, so a
/// client that chooses names from outside and cannot observe the map cannot make them collide.
#[expect(clippy::disallowed_types, reason = "the only use of the map's type")]
pub(crate) struct Table<K, V> {
    map: DashMap<K, V, RandomState>,
    removals: Removals,
}

/// The number of removed entries. It has a cache line of its own, so lookups never wait for a
/// removal.
#[derive(Default)]
#[repr(align(128))]
struct Removals(AtomicUsize);

/// The number of removals after which the capacity of a table is checked.
const CAPACITY_CHECK_INTERVAL: usize = 4096;

/// The decision of an update: keep the entry or remove it.
pub(crate) enum Retain {
    Keep,
    Remove,
}

#[expect(clippy::disallowed_types, reason = "creates an empty map")]
impl<K: Eq + Hash, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { map: DashMap::default(), removals: Removals::default() }
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    /// Reads the entry of a key.
    pub(crate) fn read<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.map.get(key).map(|value| read(value.value()))
    }

    /// Reads the entry of a key, or its absence. Neither changes while `read` runs.
    pub(crate) fn read_entry<R>(&self, key: K, read: impl FnOnce(Option<&V>) -> R) -> R {
        match self.map.entry(key) {
            Entry::Occupied(entry) => read(Some(entry.get())),
            Entry::Vacant(_vacancy) => read(None),
        }
    }

    /// Changes the entry of a key, if there is one. Returns the removed value too.
    pub(crate) fn update<Q, R>(
        &self,
        key: &Q,
        change: impl FnOnce(&mut V) -> (Retain, R),
    ) -> Option<(R, Option<V>)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut result = None;
        let removed = self.map.remove_if_mut(key, |_, value| {
            let (retain, changed) = change(value);
            result = Some(changed);
            matches!(retain, Retain::Remove)
        });
        if removed.is_some() {
            self.count_removal();
        }
        result.map(|result| (result, removed.map(|(_, value)| value)))
    }

    /// Changes the entry of a key. If there is none, `change` gets `None` and may return a value,
    /// which is inserted.
    pub(crate) fn update_or_try_insert<R>(
        &self,
        key: K,
        change: impl FnOnce(Option<&mut V>) -> (Option<V>, R),
    ) -> R {
        match self.map.entry(key) {
            Entry::Occupied(mut entry) => change(Some(entry.get_mut())).1,
            Entry::Vacant(entry) => {
                let (value, result) = change(None);
                if let Some(value) = value {
                    drop(entry.insert(value));
                }
                result
            }
        }
    }

    /// Changes the entry of a key. If there is none, `make` creates it first.
    pub(crate) fn update_or_insert_with<R>(
        &self,
        key: K,
        make: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        change(self.map.entry(key).or_insert_with(make).value_mut())
    }

    /// Removes the entry of a key if `is_match` returns `true` for it.
    pub(crate) fn remove_if<Q>(&self, key: &Q, is_match: impl FnOnce(&V) -> bool) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let (_, value) = self.map.remove_if(key, |_, value| is_match(value))?;
        self.count_removal();
        Some(value)
    }

    /// Shrinks the map after most of its entries were removed, so a million freed names hold no
    /// memory.
    fn count_removal(&self) {
        let removals = self.removals.0.fetch_add(1, Ordering::Relaxed) + 1;
        if removals % CAPACITY_CHECK_INTERVAL == 0
            && self.map.capacity() > CAPACITY_CHECK_INTERVAL.max(4 * self.map.len())
        {
            self.map.shrink_to_fit();
        }
    }

    /// Returns the values that `pick` makes of all entries. Entries that are inserted or removed
    /// during the call may be included or not.
    pub(crate) fn collect<R>(&self, mut pick: impl FnMut(&K, &V) -> Option<R>) -> Vec<R> {
        self.map.iter().filter_map(|entry| pick(entry.key(), entry.value())).collect()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn emptied_table_frees_its_memory() {
        let table = Table::default();
        for key in 0..100_000_u32 {
            table.update_or_try_insert(key, |_| (Some(key), ()));
        }
        for key in 0..100_000 {
            assert_eq!(table.remove_if(&key, |_| true), Some(key));
        }
        assert!(table.map.capacity() <= 2 * CAPACITY_CHECK_INTERVAL, "{}", table.map.capacity());
    }
}
