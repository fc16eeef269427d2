//! What incarnations own in a table, so that it goes with them.
//!
//! An incarnation has one list of what it owns, and one hook that empties it at its end. To own something takes three steps, each of which sees
//! whether the end has come before it:
//!
//! 1. It is put into the list. Who makes the list sets the hook; if that is refused, the end has come, and the list is taken back.
//! 2. It is put into the table.
//! 3. The list is looked for. If it is gone, the hook has run, perhaps before step 2: what was put into the table is taken back.
//!
//! The hook takes the list away first, and then takes what was in it out of the table. So whichever comes last, the hook or step 3, finds
//! it there. Only what belongs to that incarnation is ever taken out: a successor that has the same key by then keeps it.

use std::sync::{Arc, Weak};

use perennial_actors::{Handle, Pid};

use crate::table::{Fate, Table};

/// What incarnations own.
pub(crate) struct Owners<T> {
    lists: Table<Pid, Vec<T>>,
}

impl<T> Default for Owners<T> {
    fn default() -> Self {
        Self { lists: Table::default() }
    }
}

/// A table whose entries have owners.
pub(crate) trait Estate: Send + Sync + 'static {
    /// What a list says of an entry.
    type Thing: Clone + PartialEq + Send + Sync + 'static;

    fn owners(&self) -> &Owners<Self::Thing>;

    /// Takes out of the table what an incarnation that has ended owned by this.
    fn disown(&self, pid: Pid, thing: &Self::Thing);
}

/// Step 1: false if the incarnation has ended.
pub(crate) fn list<E: Estate>(estate: &Arc<E>, handle: &Handle, pid: Pid, thing: &E::Thing) -> bool {
    let lists = &estate.owners().lists;
    let is_new = lists.enter(
        pid,
        || (vec![thing.clone()], true),
        |list| {
            list.push(thing.clone());
            false
        },
    );
    if !is_new {
        return true;
    }
    let estate_then = Arc::downgrade(estate);
    let set = handle.on_end(pid, move |_| {
        if let Some(estate) = Weak::upgrade(&estate_then) {
            for thing in estate.owners().clear(pid) {
                estate.disown(pid, &thing);
            }
        }
    });
    if !set {
        estate.owners().clear(pid);
    }
    set
}

impl<T: Clone + PartialEq> Owners<T> {
    /// Step 3: whether the hook is still to come.
    pub(crate) fn is_listed(&self, pid: Pid) -> bool {
        self.lists.read(&pid, |_| ()).is_some()
    }

    /// Takes one mention of a thing off a list.
    pub(crate) fn unlist(&self, pid: Pid, thing: &T) {
        let unlisted = self.lists.change(&pid, |list| {
            let place = list.iter().position(|listed| listed == thing);
            (Fate::Keep, place.map(|place| list.swap_remove(place)))
        });
        drop(unlisted);
    }

    /// What an incarnation owns.
    pub(crate) fn of(&self, pid: Pid) -> Vec<T> {
        self.lists.read(&pid, Clone::clone).unwrap_or_default()
    }

    fn clear(&self, pid: Pid) -> Vec<T> {
        self.lists.remove_if(&pid, |_| true).unwrap_or_default()
    }
}
