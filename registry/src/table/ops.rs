//! The operations that the two maps have in common.

use std::borrow::Borrow;
use std::hash::Hash;

use super::Table;

impl<K: Eq + Hash, V> Table<K, V> {
    /// Changes the entry of a key, if there is one.
    pub(crate) fn update<Q, R>(&self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.update_or_remove(key, change, |_| false)
    }

    /// Changes the entry of a key, if there is one. Removes it if `is_empty` returns `true` for it
    /// then.
    pub(crate) fn update_or_remove<Q, R>(
        &self,
        key: &Q,
        change: impl FnOnce(&mut V) -> R,
        is_empty: impl FnOnce(&V) -> bool,
    ) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut result = None;
        let removed = self.remove_if(key, |value| {
            result = Some(change(value));
            is_empty(value)
        });
        drop(removed);
        result
    }

    /// Changes the entry of a key. If there is none, it changes an empty one and inserts that.
    pub(crate) fn update_or_insert<R>(&self, key: K, change: impl FnOnce(&mut V) -> R) -> R
    where
        V: Default,
    {
        self.update_or_try_insert(key, |value| {
            if let Some(value) = value {
                return (None, change(value));
            }
            let mut value = V::default();
            let result = change(&mut value);
            (Some(value), result)
        })
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.collect(|_, _| Some(())).len()
    }
}
