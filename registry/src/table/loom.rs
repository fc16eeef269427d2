//! The map under the model checker: one lock around a plain map.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use perennial_actors::host::sync::Mutex;

/// A concurrent map.
pub(crate) struct Table<K, V>(Mutex<HashMap<K, V>>);

/// The result of a change: whether the entry stays.
pub(crate) enum Retain {
    Keep,
    Remove,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    pub(crate) fn read<Q, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.0.lock().get(key).map(read)
    }

    #[expect(clippy::needless_pass_by_value, reason = "the signature of the sharded map")]
    pub(crate) fn read_entry<R>(&self, key: K, read: impl FnOnce(Option<&V>) -> R) -> R {
        read(self.0.lock().get(&key))
    }

    pub(crate) fn update<Q, R>(
        &self,
        key: &Q,
        change: impl FnOnce(&mut V) -> (Retain, R),
    ) -> Option<(R, Option<V>)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut entries = self.0.lock();
        let (retain, result) = change(entries.get_mut(key)?);
        let removed = matches!(retain, Retain::Remove).then(|| entries.remove(key)).flatten();
        Some((result, removed))
    }

    pub(crate) fn update_or_try_insert<R>(
        &self,
        key: K,
        change: impl FnOnce(Option<&mut V>) -> (Option<V>, R),
    ) -> R {
        let mut entries = self.0.lock();
        if let Some(value) = entries.get_mut(&key) {
            return change(Some(value)).1;
        }
        let (value, result) = change(None);
        entries.extend(value.map(|value| (key, value)));
        result
    }

    pub(crate) fn update_or_insert_with<R>(
        &self,
        key: K,
        make: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        change(self.0.lock().entry(key).or_insert_with(make))
    }

    pub(crate) fn remove_if<Q>(&self, key: &Q, is_meant: impl FnOnce(&V) -> bool) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut entries = self.0.lock();
        if is_meant(entries.get(key)?) { entries.remove(key) } else { None }
    }

    pub(crate) fn collect<R>(&self, mut pick: impl FnMut(&K, &V) -> Option<R>) -> Vec<R> {
        self.0.lock().iter().filter_map(|(key, value)| pick(key, value)).collect()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
