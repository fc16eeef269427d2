//! Ownership of table entries by incarnations: the entries are removed when their incarnation ends.
//!
//! An incarnation has one list of the entries that it owns, and one hook. At the end of the
//! incarnation the hook removes the list, and then each entry on it from the table. List and hook
//! are made together, under the lock of the list's entry: while a list exists, its hook has not
//! run. Owning an entry takes three steps:
//!
//! 1. The list is found or made. If the hook is refused, the incarnation has ended before.
//! 2. The entry is inserted into the table and gets its number.
//! 3. The entry is recorded on the list by its number. If the list is gone, the incarnation has
//!    ended since, and the entry is removed from the table again.
//!
//! The later one of the hook and step 3 removes the entry. Numbers are never reused, so exactly
//! that entry is removed: a successor that has the same key by then keeps it.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use perennial_actors::host::SeqMap;
use perennial_actors::{ActorHandle, Pid};

use crate::table::Table;

/// The lists of all incarnations that own entries of one table.
pub(crate) struct Owners<T> {
    lists: Table<Pid, List<T>>,
}

/// The entries that one incarnation owns.
struct List<T> {
    entries: SeqMap<Place<T>>,
    /// The places and numbers of all entries, once the list is longer than [`LINEAR_SCAN_MAX`].
    by_place: Option<BTreeSet<(u64, u64)>>,
}

/// The longest list in which the entries of one place are found by a scan.
const LINEAR_SCAN_MAX: usize = 8;

/// The place of entries in the table: a group, or the slot of a key.
#[derive(Clone, Copy)]
pub(crate) struct Place<T> {
    pub(crate) number: u64,
    /// The key with which the table finds the place.
    pub(crate) key: T,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { entries: SeqMap::default(), by_place: None }
    }
}

impl<T> List<T> {
    fn insert(&mut self, number: u64, place: Place<T>) {
        if let Some(by_place) = &mut self.by_place {
            by_place.insert((place.number, number));
        }
        self.entries.insert(number, place);
        if self.by_place.is_none() && self.entries.len() > LINEAR_SCAN_MAX {
            let all = self.entries.iter().map(|(number, place)| (place.number, number));
            self.by_place = Some(all.collect());
        }
    }

    fn remove(&mut self, number: u64) -> Option<Place<T>> {
        let place = self.entries.remove(number)?;
        if self.entries.is_empty() {
            self.by_place = None;
        }
        if let Some(by_place) = &mut self.by_place {
            by_place.remove(&(place.number, number));
        }
        Some(place)
    }

    fn at(&self, place: u64, most: usize) -> Vec<u64> {
        match &self.by_place {
            Some(by_place) => {
                let own = by_place.range((place, 0)..=(place, u64::MAX));
                own.map(|(_, number)| *number).take(most).collect()
            }
            None => {
                let own = self.entries.iter().filter(|(_, owned)| owned.number == place);
                own.map(|(number, _)| number).take(most).collect()
            }
        }
    }
}

impl<T> Default for Owners<T> {
    fn default() -> Self {
        Self { lists: Table::default() }
    }
}

/// A table whose entries have owners.
pub(crate) trait OwnedTable: Send + Sync + 'static {
    /// The key with which an entry of the table is found. It holds no foreign value, because it is
    /// compared, cloned and dropped under locks.
    type Key: Clone + Send + Sync + 'static;

    fn owners(&self) -> &Owners<Self::Key>;

    /// Removes the entries that an ended incarnation owned.
    fn remove_entries(&self, entries: impl Iterator<Item = (u64, Place<Self::Key>)>);
}

/// Makes sure that an incarnation has a list and a hook (step 1). Returns `false` if the
/// incarnation has ended.
pub(crate) fn ensure_owner<T: OwnedTable>(table: &Arc<T>, handle: &ActorHandle, pid: Pid) -> bool {
    table.owners().lists.update_or_try_insert(pid, |list| {
        if list.is_some() {
            return (None, true);
        }
        let table = Arc::downgrade(table);
        let is_set = handle.on_end(pid, move |_| {
            if let Some(table) = Weak::upgrade(&table) {
                table.remove_entries(table.owners().clear(pid));
            }
        });
        (is_set.then(List::default), is_set)
    })
}

impl<T: Clone> Owners<T> {
    /// Records an entry on the list of its incarnation (step 3). Returns `false` if the incarnation
    /// has ended.
    pub(crate) fn record(&self, pid: Pid, number: u64, place: Place<T>) -> bool {
        self.lists.update(&pid, |list| list.insert(number, place)).is_some()
    }

    /// Removes an entry from the list, after it was removed from the table.
    pub(crate) fn forget(&self, pid: Pid, number: u64) {
        drop(self.lists.update(&pid, |list| list.remove(number)));
    }

    /// Returns the places of all entries that an incarnation owns, in the order in which it got
    /// them.
    pub(crate) fn all(&self, pid: Pid) -> Vec<Place<T>> {
        let all = |list: &List<T>| list.entries.values().cloned().collect();
        self.lists.read(&pid, all).unwrap_or_default()
    }

    /// Returns the numbers of an incarnation's entries at a place, the oldest first, at most
    /// `most`.
    pub(crate) fn at(&self, pid: Pid, place: u64, most: usize) -> Vec<u64> {
        self.lists.read(&pid, |list| list.at(place, most)).unwrap_or_default()
    }

    /// Returns the number of lists.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    fn clear(&self, pid: Pid) -> impl Iterator<Item = (u64, Place<T>)> {
        let list = self.lists.remove_if(&pid, |_| true);
        list.into_iter().flat_map(|list| list.entries.into_values())
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn list_of_any_length_finds_the_entries_of_a_place() {
        for entries in [LINEAR_SCAN_MAX as u64, 100] {
            let mut list = List::default();
            (0..entries).for_each(|number| list.insert(number, Place { number: number % 3, key: () }));
            for removed in 0..entries {
                let own: Vec<u64> = (removed..entries).filter(|number| number % 3 == 1).collect();
                assert_eq!(list.at(1, usize::MAX), own);
                assert_eq!(list.at(1, 1), own.get(..1.min(own.len())).expect("it is no longer"));
                assert!(list.remove(removed).is_some() && list.remove(removed).is_none());
            }
            assert!(list.by_place.is_none(), "nothing is left of an index");
        }
    }
}
