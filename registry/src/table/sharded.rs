//! A map that many threads share, with no way to hold on to a part of it.
//!
//! The one place that knows dashmap. A guard of it that is alive while the map is used again, or while a task waits, can stop a thread
//! for ever. So nothing here returns one: what is done to an entry is done in a closure, and what comes back is owned.
//!
//! The rules for those closures: they are short, they run no foreign code, and they touch no table. What they throw away is
//! returned, to be dropped by the caller. No key is a user's value: its `Eq` and `Hash` would run under the lock of a shard. They may ask an actor how it stands and set or take back its hooks, and send to listeners:
//! the locks of its mailbox and of the listeners' ring come after that of an entry, and no table is touched under one.
//!
//! The model checker gets another one with the same interface, `loom.rs`.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

#[expect(
    clippy::disallowed_types,
    reason = "this is the file that may; what is a guard may not be named here either"
)]
use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;

/// A map that many threads share.
///
/// Its hasher takes a fraction of the time of the standard one. It is seeded anew for each map, so that names that come from outside cannot
/// be made to collide by who does not see the map at work.
#[expect(clippy::disallowed_types, reason = "here it is")]
pub(crate) struct Table<K, V> {
    map: DashMap<K, V, RandomState>,
    removals: Removals,
}

/// The number of entries that were removed. On a cache line of its own: lookups never wait for a removal.
#[derive(Default)]
#[repr(align(128))]
struct Removals(AtomicUsize);

/// After so many removals a table is looked at, whether it has become too large for what is in it.
const LOOK_EVERY: usize = 4096;

/// What becomes of an entry.
pub(crate) enum Retain {
    Keep,
    Remove,
}

#[expect(clippy::disallowed_types, reason = "an empty one")]
impl<K: Eq + Hash, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { map: DashMap::default(), removals: Removals::default() }
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    /// Looks at the entry of a key.
    pub(crate) fn read<Q, R>(&self, key: &Q, look: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.map.get(key).map(|value| look(value.value()))
    }

    /// Looks at the entry of a key, or at there being none, which stays so while it looks.
    pub(crate) fn read_entry<R>(&self, key: K, look: impl FnOnce(Option<&V>) -> R) -> R {
        match self.map.entry(key) {
            Entry::Occupied(entry) => look(Some(entry.get())),
            Entry::Vacant(_vacancy) => look(None),
        }
    }

    /// Changes the entry of a key, if there is one; what was removed comes back too.
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
            let (fate, changed) = change(value);
            result = Some(changed);
            matches!(fate, Retain::Remove)
        });
        if removed.is_some() {
            self.count_removal();
        }
        result.map(|result| (result, removed.map(|(_, value)| value)))
    }

    /// Changes the entry of a key. If there is none, `change` gets `None` and may return one, which is inserted.
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

    /// Changes the entry of a key, or one that is made for that.
    pub(crate) fn update_or_insert_with<R>(
        &self,
        key: K,
        make: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        change(self.map.entry(key).or_insert_with(make).value_mut())
    }

    /// Removes the entry of a key, if it is the one that is meant.
    pub(crate) fn remove_if<Q>(&self, key: &Q, is_meant: impl FnOnce(&V) -> bool) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let (_, value) = self.map.remove_if(key, |_, value| is_meant(value))?;
        self.count_removal();
        Some(value)
    }

    /// Gives memory back when most entries were removed: a million names that are free again cost nothing.
    fn count_removal(&self) {
        let removals = self.removals.0.fetch_add(1, Ordering::Relaxed) + 1;
        if removals % LOOK_EVERY == 0 && self.map.capacity() > LOOK_EVERY.max(4 * self.map.len()) {
            self.map.shrink_to_fit();
        }
    }

    /// Something of every entry. What is entered or removed meanwhile may be in it or not.
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
    fn an_emptied_table_gives_its_memory_back() {
        let table = Table::default();
        for key in 0..100_000_u32 {
            table.update_or_try_insert(key, |_| (Some(key), ()));
        }
        for key in 0..100_000 {
            assert_eq!(table.remove_if(&key, |_| true), Some(key));
        }
        assert!(table.map.capacity() <= 2 * LOOK_EVERY, "{}", table.map.capacity());
    }
}
