//! The map under the model checker: one lock around a plain map.
#![cfg(model)]

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use perennial_actors::host::sync::Mutex;

/// A concurrent map.
pub(crate) struct Table<K, V>(Mutex<HashMap<K, V>>);

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

    pub(crate) fn remove_if<Q>(&self, key: &Q, change: impl FnOnce(&mut V) -> bool) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut entries = self.0.lock();
        if change(entries.get_mut(key)?) { entries.remove(key) } else { None }
    }

    pub(crate) fn collect<R>(&self, mut pick: impl FnMut(&K, &V) -> Option<R>) -> Vec<R> {
        self.0.lock().iter().filter_map(|(key, value)| pick(key, value)).collect()
    }

    pub(crate) fn collect_while<R>(&self, mut pick: impl FnMut(&K, &V) -> Option<R>) -> Vec<R> {
        self.0.lock().iter().map_while(|(key, value)| pick(key, value)).collect()
    }
}
