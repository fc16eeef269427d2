//! The table behind [`UniqueKeys`](super::UniqueKeys) and [`DuplicateKeys`](super::DuplicateKeys).

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::mem;
use std::sync::Arc;

use foldhash::fast::RandomState;
use perennial_actors::host::sync::{AtomicU64, IdGen, Ordering};
use perennial_actors::host::{Each, Guarded, SeqMap, dispose};
use perennial_actors::{Actor, Context, Pid};

use super::entry::{KeyChange, KeyEntry, RegisterError};
use super::slots::{Entry, Shared, Slot, Slots, StoredEntry};
use crate::changes::{Changes, PendingWakes};
use crate::owners::{Owned, OwnedTable, Owners, ensure_owner};
use crate::table::{Retain, Table};

/// The largest number of entries of a key that are scanned for those of one incarnation. With more,
/// the list of the incarnation is used.
const LINEAR_SCAN_MAX: usize = 8;

/// Keys with their entries in the order in which they were registered.
pub(crate) struct KeyTable<K, M: Send + 'static, V> {
    hasher: RandomState,
    /// The slots by the hashes of their keys.
    entries: Table<u64, Slots<K, M, V>>,
    owners: Owners<u64>,
    /// The numbers of entries and slots, in the order in which they were inserted.
    numbers: IdGen,
    /// The number of slots.
    keys: AtomicU64,
    pub(super) changes: Changes<KeyChange<K>>,
}

impl<K, M: Send + 'static, V> Default for KeyTable<K, M, V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            entries: Table::default(),
            owners: Owners::default(),
            numbers: IdGen::default(),
            keys: AtomicU64::new(0),
            changes: Changes::default(),
        }
    }
}

impl<K, M, V> OwnedTable for KeyTable<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Key = u64;

    fn owners(&self) -> &Owners<u64> {
        &self.owners
    }

    fn remove_entries(&self, entries: impl Iterator<Item = (u64, Owned<u64>)>) {
        let taken = entries.filter_map(|(number, owned)| self.take(owned.key, owned.place, number));
        if mem::needs_drop::<K>() || mem::needs_drop::<V>() {
            // A supervisor that ends an incarnation does not wait for a user's `Drop`.
            let taken: Vec<_> = taken.collect();
            dispose(taken);
        } else {
            taken.for_each(drop);
        }
    }
}

/// The place of a key's entries in the table.
#[derive(Clone, Copy)]
struct Place {
    hash: u64,
    slot: u64,
}

/// The outcome of one attempt to insert an entry.
enum InsertOutcome<E> {
    At {
        slot: u64,
        number: u64,
    },
    /// A running incarnation has the key. Holds that incarnation and the new entry.
    Owned(Pid, E),
    /// A key with the same hash was inserted since it was compared. Holds the new entry.
    Unknown(E),
}

impl<K, M, V> KeyTable<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Registers a key. If `unique`, it does so only if no running incarnation has it.
    pub(super) fn register<A: Actor<Msg = M>>(
        self: &Arc<Self>,
        ctx: &Context<A>,
        key: K,
        value: V,
        unique: bool,
    ) -> Result<(), RegisterError<V>>
    where
        V: fmt::Debug,
    {
        self.register_entry(key, KeyEntry { pid: ctx.pid(), address: ctx.address(), value }, unique)
    }

    pub(crate) fn register_entry(
        self: &Arc<Self>,
        key: K,
        entry: KeyEntry<M, V>,
        unique: bool,
    ) -> Result<(), RegisterError<V>>
    where
        V: fmt::Debug,
    {
        // `Hash` and `Eq` may panic. The values here are then dropped under guards.
        let (key, entry) = (Guarded::new(Arc::new(key)), entry.guarded());
        let (pid, hash) = (entry.pid, self.hasher.hash_one(&**key));
        if !ensure_owner(self, &entry.address.handle(), pid) {
            return entry.value.into_inner().map_or(Ok(()), |value| Err(RegisterError::Ended(value)));
        }
        let (slot, number) = match self.insert(hash, &key, entry, unique) {
            Ok(outcome) => outcome,
            Err((pid, entry)) => {
                let refused = |value| Err(RegisterError::AlreadyRegistered { pid, value });
                return entry.value.into_inner().map_or(Ok(()), refused);
            }
        };
        if self.owners.record(pid, number, Owned { place: slot, key: hash }) {
            return Ok(());
        }
        match self.take(hash, slot, number).and_then(StoredEntry::into_value) {
            Some(value) => Err(RegisterError::Ended(value)),
            // The key was registered, the incarnation ended, and a successor has the key.
            None => Ok(()),
        }
    }

    /// Inserts an entry and returns its slot and number. Returns the entry and the present owner if
    /// the key is taken. An entry whose owner has ended is replaced.
    fn insert(
        &self,
        hash: u64,
        key: &Arc<K>,
        mut entry: Entry<M, V>,
        unique: bool,
    ) -> Result<(u64, u64), (Pid, Entry<M, V>)> {
        loop {
            let known = self.known(hash);
            let own = known.iter().find(|(_, other)| **other.key == **key).map(|(slot, _)| *slot);
            let (mut wakes, mut stale) = (PendingWakes::default(), SeqMap::default());
            let outcome = self.entries.update_or_insert_with(hash, Slots::default, |slots| {
                let new = |slot: &Slot<K, M, V>| known.iter().all(|(number, _)| slot.number != *number);
                if slots.iter().any(new) && own.is_none_or(|own| slots.get(own).is_none()) {
                    return InsertOutcome::Unknown(entry);
                }
                let slot = own.and_then(|own| slots.get_mut(own));
                let others =
                    slot.as_ref().filter(|_| unique).into_iter().flat_map(|slot| slot.entries.iter());
                if let Some(owner) = others.map(|(_, stored)| stored).find(|stored| stored.entry.is_owned()) {
                    return InsertOutcome::Owned(owner.pid(), entry);
                }
                let stored = StoredEntry::new(key.clone(), entry);
                let number = self.numbers.next();
                let change = KeyChange::Registered { key: key.clone(), pid: stored.pid() };
                let slot = match slot {
                    Some(slot) => {
                        if unique {
                            mem::swap(&mut slot.entries, &mut stale);
                        }
                        stale.iter().for_each(|(_, removed)| self.record_removal(&mut wakes, removed));
                        slot.entries.insert(number, Arc::new(stored));
                        slot.number
                    }
                    None => self.add_slot(slots, number, stored),
                };
                self.changes.record(&mut wakes, || change);
                InsertOutcome::At { slot, number }
            });
            match outcome {
                InsertOutcome::At { slot, number } => return Ok((slot, number)),
                InsertOutcome::Owned(owner, entry) => return Err((owner, entry)),
                InsertOutcome::Unknown(back) => entry = back,
            }
        }
    }

    /// Adds the slot of a key that has none. Returns its number, which is that of its first entry.
    fn add_slot(&self, slots: &mut Slots<K, M, V>, number: u64, stored: StoredEntry<K, M, V>) -> u64 {
        let mut entries = SeqMap::default();
        entries.insert(number, Arc::new(stored));
        slots.add(Slot { number, entries });
        self.keys.fetch_add(1, Ordering::Relaxed);
        number
    }

    fn record_removal(&self, wakes: &mut PendingWakes<KeyChange<K>>, removed: &StoredEntry<K, M, V>) {
        let change = || KeyChange::Unregistered { key: Arc::clone(&removed.key), pid: removed.pid() };
        self.changes.record(wakes, change);
    }

    /// Removes an entry and returns it.
    fn take(&self, hash: u64, slot: u64, number: u64) -> Option<Shared<K, M, V>> {
        let mut wakes = PendingWakes::default();
        let taken = self.entries.update(&hash, |slots| {
            let taken = slots.get_mut(slot).and_then(|slot| {
                let taken = slot.entries.remove(number)?;
                Some((taken, slot.entries.is_empty()))
            });
            let Some((entry, is_last)) = taken else { return (Retain::Keep, None) };
            self.record_removal(&mut wakes, &entry);
            if is_last {
                slots.remove(slot);
                self.keys.fetch_sub(1, Ordering::Relaxed);
            }
            (if slots.is_empty() { Retain::Remove } else { Retain::Keep }, Some(entry))
        });
        taken?.0
    }

    /// Returns the slots of a hash, each with an entry that holds its key.
    fn known(&self, hash: u64) -> Vec<(u64, Shared<K, M, V>)> {
        let known = |slots: &Slots<K, M, V>| {
            let known = slots.iter().map(|slot| Some((slot.number, slot.entries.first()?.clone())));
            known.flatten().collect()
        };
        self.entries.read(&hash, known).unwrap_or_default()
    }

    /// Returns the place of a key.
    fn place(&self, key: &K) -> Option<Place> {
        let hash = self.hasher.hash_one(key);
        let known = self.known(hash);
        let (slot, _) = known.iter().find(|(_, other)| **other.key == *key)?;
        Some(Place { hash, slot: *slot })
    }

    /// Reads the entries of a key under their lock.
    fn read<R>(&self, place: Place, look: impl FnOnce(&SeqMap<Shared<K, M, V>>) -> R) -> Option<R> {
        self.entries.read(&place.hash, |slots| slots.get(place.slot).map(|slot| look(&slot.entries)))?
    }

    /// Removes the entries of a key that `pid` owns and `is_match` accepts. Returns their values.
    pub(crate) fn unregister(&self, pid: Pid, key: &K, is_match: impl Fn(&V) -> bool) -> Vec<V> {
        let is_match = Guarded::new(is_match);
        let Some(place) = self.place(key) else { return Vec::new() };
        let remove = |number| {
            // `is_match` is foreign code, so it reads a shared entry while none is locked.
            let stored = self.read(place, |entries| entries.get(number).cloned())??;
            if !is_match(&stored.entry.value) {
                return None;
            }
            drop(stored);
            let entry = self.take(place.hash, place.slot, number)?;
            self.owners.forget(pid, number);
            StoredEntry::into_value(entry)
        };
        each(self.numbers_of(pid, place).into_iter().filter_map(remove))
    }

    /// Returns the numbers of an incarnation's entries of a key.
    fn numbers_of(&self, pid: Pid, place: Place) -> Vec<u64> {
        let if_few = |entries: &SeqMap<Shared<K, M, V>>| {
            let own = entries.iter().filter(|(_, stored)| stored.pid() == pid).map(|(number, _)| number);
            (entries.len() <= LINEAR_SCAN_MAX).then(|| own.collect())
        };
        match self.read(place, if_few) {
            Some(Some(numbers)) => numbers,
            Some(None) => self.owners.at(pid, place.slot, usize::MAX),
            None => Vec::new(),
        }
    }

    /// Replaces the value of the oldest entry of a key that `pid` owns. Returns the old value.
    pub(crate) fn update(&self, pid: Pid, key: &K, value: V) -> Option<V> {
        let value = Guarded::new(value);
        let place = self.place(key)?;
        let mut value = value.into_inner();
        let (updated, _) = self.entries.update(&place.hash, |slots| {
            let old = slots.get_mut(place.slot).and_then(|slot| {
                let number = slot.entries.iter().find(|(_, stored)| stored.pid() == pid)?.0;
                let stored = slot.entries.get_mut(number)?;
                let address = stored.entry.address.clone();
                let entry = KeyEntry { pid, address, value: Guarded::new(value.take()?) };
                let next = StoredEntry::new(Arc::clone(&stored.key), entry);
                Some(mem::replace(stored, Arc::new(next)))
            });
            (Retain::Keep, old)
        })?;
        StoredEntry::into_value(updated?)
    }

    /// Returns the entries of a key whose owners run.
    pub(crate) fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        let Some(place) = self.place(key) else { return Vec::new() };
        let found = self.read(place, |entries| entries.iter().map(|(_, stored)| stored.clone()).collect());
        let found: Vec<Shared<K, M, V>> = found.unwrap_or_default();
        each(found.iter().filter(|stored| stored.entry.is_owned()).map(|stored| stored.copy()))
    }

    /// Returns the newest entry of a key if its owner runs.
    pub(super) fn lookup_one(&self, key: &K) -> Option<KeyEntry<M, V>> {
        let hash = self.hasher.hash_one(key);
        // Nearly always the hash has one key, and it is the requested one.
        let newest = |slots: &Slots<K, M, V>| {
            let mut slots = slots.iter();
            let first = slots.next().and_then(|slot| slot.entries.last().cloned());
            (first, slots.next().is_some())
        };
        let (first, are_more) = self.entries.read(&hash, newest)?;
        let mut found = first.filter(|stored| **stored.key == *key);
        if found.is_none() && are_more {
            found = self.read(self.place(key)?, |entries| entries.last().cloned())?;
        }
        found.filter(|stored| stored.entry.is_owned()).map(|stored| stored.copy())
    }

    pub(super) fn keys_of(&self, pid: Pid) -> Vec<K> {
        let key = |owned: Owned<u64>| {
            let place = Place { hash: owned.key, slot: owned.place };
            let stored = self.read(place, |entries| entries.first().cloned())??;
            Some(K::clone(&stored.key))
        };
        each(self.owners.all(pid).into_iter().filter_map(key))
    }

    /// Returns the values that `pick` makes of the entries whose owners run. `pick` runs under no
    /// lock.
    pub(super) fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        let entries = |_: &u64, slots: &Slots<K, M, V>| {
            let entries = slots.iter().flat_map(|slot| slot.entries.iter());
            Some(entries.map(|(_, stored)| stored.clone()).collect::<Vec<_>>())
        };
        let all = self.entries.collect(entries).into_iter().flatten();
        let owned = all.filter(|stored| stored.entry.is_owned());
        let mut pick = Guarded::new(pick);
        let pick = |stored: Shared<K, M, V>| {
            let entry = Guarded::new(stored.copy());
            pick(K::clone(&stored.key), entry.into_inner()?)
        };
        each(owned.filter_map(pick))
    }

    /// Returns the number of incarnations that have a list.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.owners.len()
    }
}

/// Collects users' values. If making one panics, the values made before are dropped one by one.
fn each<T>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut made = Each::default();
    values.for_each(|value| made.push(value));
    made.into_vec()
}

impl<K, M: Send + 'static, V> KeyTable<K, M, V> {
    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.keys.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }
}
