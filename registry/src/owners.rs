//! What incarnations own in a table, so that it goes with them.
//!
//! An incarnation has one list of what it owns, and one hook that takes the list away at its end and then, one by one, what is on it out of
//! the table. The list and the hook are made together, under the lock of the list's place: so as long as there is a list, the hook is still to
//! come. To own something takes three steps:
//!
//! 1. The list is found, or made. If the hook is refused, the end has come before.
//! 2. The thing is put into the table, where it gets its number.
//! 3. It is put on the list, with its number. If the list is gone, the end has come since, and the thing is taken out of the table again.
//!
//! Whichever comes last, the hook or step 3, finds it. And as nothing in a table ever has the number of something else, only what is meant
//! is ever taken out: a successor that has the same key by then keeps it.

use std::sync::{Arc, Weak};

use perennial_actors::{Handle, Pid};

use crate::numbered::Numbered;
use crate::table::{Fate, Table};

/// What incarnations own.
pub(crate) struct Owners<T> {
    lists: Table<Pid, Numbered<T>>,
}

impl<T> Default for Owners<T> {
    fn default() -> Self {
        Self { lists: Table::default() }
    }
}

/// A table whose entries have owners.
pub(crate) trait Estate: Send + Sync + 'static {
    /// Where a thing is found in the table.
    type Key: Clone + PartialEq + Send + Sync + 'static;

    fn owners(&self) -> &Owners<Self::Key>;

    /// Takes what an incarnation that has ended owned out of the table.
    fn disown(&self, key: &Self::Key, number: u64);
}

/// Step 1: false if the incarnation has ended.
pub(crate) fn list<E: Estate>(estate: &Arc<E>, handle: &Handle, pid: Pid) -> bool {
    let make = || {
        let estate = Arc::downgrade(estate);
        let is_set = handle.on_end(pid, move |_| {
            if let Some(estate) = Weak::upgrade(&estate) {
                for (number, key) in estate.owners().clear(pid) {
                    estate.disown(&key, number);
                }
            }
        });
        (is_set.then(Numbered::default), is_set)
    };
    estate.owners().lists.enter(pid, make, |_| true)
}

impl<T: Clone + PartialEq> Owners<T> {
    /// Step 3: false if the incarnation has ended.
    pub(crate) fn own(&self, pid: Pid, number: u64, key: T) -> bool {
        let listed = self.lists.change(&pid, |list| {
            list.insert(number, key);
            (Fate::Keep, ())
        });
        listed.is_some()
    }

    /// Takes a thing off a list that was taken out of the table.
    pub(crate) fn give_up(&self, pid: Pid, number: u64) {
        let unlisted = self.lists.change(&pid, |list| (Fate::Keep, list.remove(number)));
        drop(unlisted);
    }

    /// The keys of what an incarnation owns.
    pub(crate) fn keys(&self, pid: Pid) -> Vec<T> {
        let keys = |list: &Numbered<T>| list.iter().map(|(_, key)| key.clone()).collect();
        self.lists.read(&pid, keys).unwrap_or_default()
    }

    /// The numbers of what an incarnation owns at a key.
    pub(crate) fn numbers(&self, pid: Pid, key: &T) -> Vec<u64> {
        let numbers = |list: &Numbered<T>| {
            list.iter().filter(|(_, other)| *other == key).map(|(number, _)| number).collect()
        };
        self.lists.read(&pid, numbers).unwrap_or_default()
    }

    /// How many lists there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    fn clear(&self, pid: Pid) -> impl Iterator<Item = (u64, T)> {
        self.lists.remove_if(&pid, |_| true).into_iter().flat_map(Numbered::into_things)
    }
}
