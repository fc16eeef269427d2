//! A concurrent map that never returns a guard.
//!
//! Only this file uses dashmap. A guard of dashmap can block a thread for ever if the map is used
//! again, or the task waits, while the guard is alive. Therefore an entry is accessed only in a
//! closure, and every result is owned.
//!
//! The rules for these closures:
//!
//! - They are short, run no foreign code, and use no table.
//! - They return the values that they remove. The caller drops these after the lock is released.
//! - No key is a user's value, because its `Eq` and `Hash` would run under the lock of a shard.
//! - They may read the state of an actor, add or remove its hooks, and send to subscribers. The
//!   locks of the actor's mailbox and of the subscribers' ring come after that of an entry, and no
//!   table is used under these locks.
//!
//! The model checker uses `loom.rs`, a map with the same interface.
#![cfg(not(model))]

use std::borrow::Borrow;
use std::hash::Hash;

#[expect(clippy::disallowed_types, reason = "only this file may use dashmap, and it names no guard")]
use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;
use perennial_actors::host::sync::{AtomicUsize, Ordering};

/// A concurrent map.
///
/// Its hasher takes a fraction of the time of the standard one. Each map has its own random seed,
/// so that an attacker that cannot observe the map cannot choose names that collide.
#[expect(clippy::disallowed_types, reason = "the map itself")]
pub(crate) struct Table<K, V> {
    map: DashMap<K, V, RandomState>,
    removals: Removals,
}

/// The number of removed entries. It has its own cache line, so that a removal does not slow down
/// lookups.
#[derive(Default)]
#[repr(align(128))]
struct Removals(AtomicUsize);

/// The capacity of a table is checked after this many removals.
const CHECK_PERIOD: usize = 4096;

#[expect(clippy::disallowed_types, reason = "an empty map")]
impl<K: Eq + Hash, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { map: DashMap::default(), removals: Removals::default() }
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    /// Runs a closure with the entry of a key, if there is one.
    pub(crate) fn read<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.map.get(key).map(|value| read(value.value()))
    }

    /// Changes the entry of a key. If there is none, `change` gets `None` and may return a value to
    /// insert.
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

    /// Removes the entry of a key, if there is one and `change` returns `true` for it.
    pub(crate) fn remove_if<Q>(&self, key: &Q, change: impl FnOnce(&mut V) -> bool) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let (_, value) = self.map.remove_if_mut(key, |_, value| change(value))?;
        self.count_removal();
        Some(value)
    }

    /// Counts a removal, and frees memory when most entries were removed: a million released names
    /// cost nothing.
    fn count_removal(&self) {
        let removals = self.removals.0.fetch_add(1, Ordering::Relaxed) + 1;
        if removals % CHECK_PERIOD == 0 && self.map.capacity() > CHECK_PERIOD.max(4 * self.map.len()) {
            self.map.shrink_to_fit();
        }
    }

    /// Returns the results of `pick` for all entries. It may see or miss an entry that is inserted
    /// or removed meanwhile.
    pub(crate) fn collect<R>(&self, mut pick: impl FnMut(&K, &V) -> Option<R>) -> Vec<R> {
        self.map.iter().filter_map(|entry| pick(entry.key(), entry.value())).collect()
    }

    /// Like [`collect`](Self::collect), for some entries: up to the first for which `pick` returns
    /// `None`.
    pub(crate) fn collect_while<R>(&self, mut pick: impl FnMut(&K, &V) -> Option<R>) -> Vec<R> {
        self.map.iter().map_while(|entry| pick(entry.key(), entry.value())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_entries_are_collected_without_a_look_at_the_others() {
        let table = Table::default();
        for key in 0..1000_u32 {
            table.update_or_try_insert(key, |_| (Some(key), ()));
        }
        let mut seen = 0;
        let some = table.collect_while(|key, _| {
            seen += 1;
            (seen <= 10).then_some(*key)
        });
        assert_eq!((some.len(), seen), (10, 11));
    }

    #[test]
    fn an_emptied_table_releases_its_memory() {
        let table = Table::default();
        for key in 0..100_000_u32 {
            table.update_or_try_insert(key, |_| (Some(key), ()));
        }
        for key in 0..100_000 {
            assert_eq!(table.remove_if(&key, |_| true), Some(key));
        }
        assert!(table.map.capacity() <= 2 * CHECK_PERIOD, "{}", table.map.capacity());
    }
}
