//! What incarnations own in a table, so that it goes with them.
//!
//! An incarnation has one list of what it owns, and one hook that takes the list away at its end and then all that is on it out of
//! the table. The list and the hook are made together, under the lock of the list's place: so as long as there is a list, the hook is still to
//! come. To own something takes three steps:
//!
//! 1. The list is found, or made. If the hook is refused, the end has come before.
//! 2. The thing is put into the table, where it gets its number.
//! 3. It is put on the list, with its number. If the list is gone, the end has come since, and the thing is taken out of the table again.
//!
//! Whichever comes last, the hook or step 3, finds it. And as nothing in a table ever has the number of something else, only what is meant
//! is ever taken out: a successor that has the same key by then keeps it.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use perennial_actors::host::SeqMap;
use perennial_actors::{ActorHandle, Pid};

use crate::table::{Retain, Table};

/// What incarnations own.
pub(crate) struct Owners<T> {
    lists: Table<Pid, List<T>>,
}

/// What one incarnation owns.
struct List<T> {
    entries: SeqMap<Owned<T>>,
    /// The places and numbers of all things, once there are more than are looked through.
    by_place: Option<BTreeSet<(u64, u64)>>,
}

/// The largest list that is looked through for what lies at one place.
const LINEAR_SCAN_MAX: usize = 8;

/// Where a thing that an incarnation owns lies in the table.
#[derive(Clone)]
pub(crate) struct Owned<T> {
    /// The number of the place: that of a group, or of a key.
    pub(crate) place: u64,
    /// What finds the entry of that place.
    pub(crate) key: T,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { entries: SeqMap::default(), by_place: None }
    }
}

impl<T> List<T> {
    fn insert(&mut self, number: u64, owned: Owned<T>) {
        let place = owned.place;
        self.entries.insert(number, owned);
        if let Some(by_place) = &mut self.by_place {
            by_place.insert((place, number));
        } else if self.entries.len() > LINEAR_SCAN_MAX {
            let all = self.entries.iter().map(|(number, owned)| (owned.place, number));
            self.by_place = Some(all.collect());
        }
    }

    fn remove(&mut self, number: u64) -> Option<Owned<T>> {
        let owned = self.entries.remove(number)?;
        if self.entries.is_empty() {
            self.by_place = None;
        }
        if let Some(by_place) = &mut self.by_place {
            by_place.remove(&(owned.place, number));
        }
        Some(owned)
    }

    fn at(&self, place: u64, most: usize) -> Vec<u64> {
        match &self.by_place {
            Some(by_place) => {
                let own = by_place.range((place, 0)..=(place, u64::MAX));
                own.map(|(_, number)| *number).take(most).collect()
            }
            None => {
                let own = self.entries.iter().filter(|(_, owned)| owned.place == place);
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
    /// What finds an entry of the table. It holds no foreign value: it is compared, cloned and dropped under locks.
    type Key: Clone + Send + Sync + 'static;

    fn owners(&self) -> &Owners<Self::Key>;

    /// Takes what an incarnation that has ended owned out of the table.
    fn remove_entries(&self, things: impl Iterator<Item = (u64, Owned<Self::Key>)>);
}

/// Step 1: false if the incarnation has ended.
pub(crate) fn ensure_owner<E: OwnedTable>(estate: &Arc<E>, handle: &ActorHandle, pid: Pid) -> bool {
    estate.owners().lists.update_or_try_insert(pid, |list| {
        if list.is_some() {
            return (None, true);
        }
        let estate = Arc::downgrade(estate);
        let is_set = handle.on_end(pid, move |_| {
            if let Some(estate) = Weak::upgrade(&estate) {
                estate.remove_entries(estate.owners().clear(pid));
            }
        });
        (is_set.then(List::default), is_set)
    })
}

impl<T: Clone> Owners<T> {
    /// Step 3: false if the incarnation has ended.
    pub(crate) fn record(&self, pid: Pid, number: u64, owned: Owned<T>) -> bool {
        let listed = self.lists.update(&pid, |list| {
            list.insert(number, owned);
            (Retain::Keep, ())
        });
        listed.is_some()
    }

    /// Takes a thing off a list that was taken out of the table.
    pub(crate) fn forget(&self, pid: Pid, number: u64) {
        let unlisted = self.lists.update(&pid, |list| (Retain::Keep, list.remove(number)));
        drop(unlisted);
    }

    /// Returns all that an incarnation owns, in the order in which it got it.
    pub(crate) fn all(&self, pid: Pid) -> Vec<Owned<T>> {
        let all = |list: &List<T>| list.entries.iter().map(|(_, owned)| owned.clone()).collect();
        self.lists.read(&pid, all).unwrap_or_default()
    }

    /// Returns the numbers of what an incarnation owns at a place, at most so many, the oldest first.
    pub(crate) fn at(&self, pid: Pid, place: u64, most: usize) -> Vec<u64> {
        self.lists.read(&pid, |list| list.at(place, most)).unwrap_or_default()
    }

    /// How many lists there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    fn clear(&self, pid: Pid) -> impl Iterator<Item = (u64, Owned<T>)> {
        let list = self.lists.remove_if(&pid, |_| true);
        list.into_iter().flat_map(|list| list.entries.into_values())
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn a_list_finds_what_lies_at_a_place_however_long_it_is() {
        for things in [LINEAR_SCAN_MAX as u64, 100] {
            let mut list = List::default();
            (0..things).for_each(|number| list.insert(number, Owned { place: number % 3, key: () }));
            for removed in 0..things {
                let own: Vec<u64> = (removed..things).filter(|number| number % 3 == 1).collect();
                assert_eq!(list.at(1, usize::MAX), own);
                assert_eq!(list.at(1, 1), own.get(..1.min(own.len())).expect("it is no longer"));
                assert!(list.remove(removed).is_some() && list.remove(removed).is_none());
            }
            assert!(list.by_place.is_none(), "nothing is left of an index");
        }
    }
}
