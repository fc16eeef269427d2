//! The table behind [`Keys`](super::Keys).

use std::hash::{BuildHasher, Hash};
use std::mem;
use std::sync::Arc;

use foldhash::fast::RandomState;
use perennial_actors::Pid;
use perennial_actors::host::sync::{AtomicU64, IdGen, Ordering};
use perennial_actors::host::{Broadcast, Each, Guarded, SeqMap, dispose};

use super::entry::{KeyChange, KeyEntry};
use super::slots::{Shared, Slot, Slots, StoredEntry};
use crate::error::RegisterError;
use crate::owners::{OwnedTable, Owners, Place, ensure_owner};
use crate::table::Table;

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
    pub(super) changes: Broadcast<KeyChange<K>>,
}

impl<K, M: Send + 'static, V> Default for KeyTable<K, M, V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            entries: Table::default(),
            owners: Owners::default(),
            numbers: IdGen::default(),
            keys: AtomicU64::new(0),
            changes: Broadcast::new(),
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

    fn remove_entries(&self, entries: impl Iterator<Item = (u64, Place<u64>)>) {
        let taken = entries.filter_map(|(number, place)| self.take(place, number));
        if mem::needs_drop::<K>() || mem::needs_drop::<V>() {
            // A supervisor that ends an incarnation does not wait for a user's `Drop`.
            let taken: Vec<_> = taken.collect();
            dispose(taken);
        } else {
            taken.for_each(drop);
        }
    }
}

/// The outcome of one attempt to insert an entry.
enum Insertion {
    /// The entry is at this place, under this number.
    Done(Place<u64>, u64),
    /// This running incarnation has the key.
    Taken(Pid),
    /// A key with the same hash was inserted since the keys were compared.
    Outdated,
}

impl<K, M, V> KeyTable<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Registers a key. If `unique`, it does so only if no running incarnation has it.
    pub(crate) fn register_entry(
        self: &Arc<Self>,
        key: K,
        entry: KeyEntry<M, V>,
        unique: bool,
    ) -> Result<(), RegisterError<V>> {
        let KeyEntry { pid, address, value } = entry;
        let handle = address.handle();
        // `Hash` and `Eq` may panic. Key and value are then dropped under guards.
        let (key, value) = (Guarded::new(Arc::new(key)), Guarded::new(value));
        let entry = Arc::new(StoredEntry { key, pid, address, value });
        let hash = self.hasher.hash_one(&**entry.key);
        if !ensure_owner(self, &handle, pid) {
            return refuse(entry, RegisterError::Ended);
        }
        let (place, number) = match self.insert(hash, &entry, unique) {
            Ok(inserted) => inserted,
            Err(pid) => return refuse(entry, |value| RegisterError::AlreadyRegistered { pid, value }),
        };
        drop(entry);
        if self.owners.record(pid, number, place) {
            return Ok(());
        }
        // If it is not there any more, the incarnation has ended, and a successor has the key.
        self.take(place, number).map_or(Ok(()), |entry| refuse(entry, RegisterError::Ended))
    }

    /// Inserts an entry and returns its place and number. Returns the present owner if the key is
    /// taken. An entry whose owner has ended is replaced.
    fn insert(&self, hash: u64, entry: &Shared<K, M, V>, unique: bool) -> Result<(Place<u64>, u64), Pid> {
        loop {
            let known = self.known(hash);
            let own = known.iter().find(|(_, other)| **other.key == **entry.key).map(|(slot, _)| *slot);
            let mut stale = SeqMap::new();
            let outcome = self.entries.update_or_insert(hash, |slots| {
                let is_new = |slot: &Slot<K, M, V>| known.iter().all(|(number, _)| slot.number != *number);
                if slots.iter().any(is_new) && own.is_none_or(|own| slots.get(own).is_none()) {
                    return Insertion::Outdated;
                }
                let slot = own.and_then(|own| slots.get_mut(own));
                let others = slot.as_deref().filter(|_| unique).map(|slot| &slot.entries);
                let owner = others.and_then(|others| others.values().find(|stored| stored.is_owned()));
                if let Some(owner) = owner {
                    return Insertion::Taken(owner.pid);
                }
                let number = self.numbers.next();
                let slot = match slot {
                    Some(slot) => {
                        if unique {
                            stale = mem::take(&mut slot.entries);
                        }
                        stale.values().for_each(|removed| self.record_removal(removed));
                        slot.entries.insert(number, entry.clone());
                        slot.number
                    }
                    None => {
                        self.keys.fetch_add(1, Ordering::Relaxed);
                        slots.add(Slot { number, entries: SeqMap::from_iter([(number, entry.clone())]) });
                        number
                    }
                };
                self.changes.record(|| KeyChange::Registered { key: Arc::clone(&entry.key), pid: entry.pid });
                Insertion::Done(Place { number: slot, key: hash }, number)
            });
            self.changes.publish();
            match outcome {
                Insertion::Done(place, number) => return Ok((place, number)),
                Insertion::Taken(owner) => return Err(owner),
                Insertion::Outdated => {}
            }
        }
    }

    fn record_removal(&self, removed: &StoredEntry<K, M, V>) {
        self.changes.record(|| KeyChange::Unregistered { key: Arc::clone(&removed.key), pid: removed.pid });
    }

    /// Removes an entry and returns it.
    fn take(&self, place: Place<u64>, number: u64) -> Option<Shared<K, M, V>> {
        let take = |slots: &mut Slots<K, M, V>| {
            let entries = &mut slots.get_mut(place.number)?.entries;
            let entry = entries.remove(number)?;
            if entries.is_empty() {
                slots.remove(place.number);
                self.keys.fetch_sub(1, Ordering::Relaxed);
            }
            self.record_removal(&entry);
            Some(entry)
        };
        let taken = self.entries.update_or_remove(&place.key, take, Slots::is_empty);
        self.changes.publish();
        taken?
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
    fn place(&self, key: &K) -> Option<Place<u64>> {
        let hash = self.hasher.hash_one(key);
        let known = self.known(hash);
        let (slot, _) = known.iter().find(|(_, other)| **other.key == *key)?;
        Some(Place { number: *slot, key: hash })
    }

    /// Reads the entries of a key under their lock.
    fn read<R>(
        &self,
        place: Place<u64>,
        look: impl FnOnce(&SeqMap<Shared<K, M, V>>) -> Option<R>,
    ) -> Option<R> {
        self.entries.read(&place.key, |slots| look(&slots.get(place.number)?.entries))?
    }

    /// Removes the entries of a key that `pid` owns and `is_match` accepts. Returns their values.
    pub(crate) fn unregister(&self, pid: Pid, key: &K, is_match: impl Fn(&V) -> bool) -> Vec<V> {
        let is_match = Guarded::new(is_match);
        let Some(place) = self.place(key) else { return Vec::new() };
        let remove = |number| {
            // `is_match` is foreign code, so it reads a shared entry while none is locked.
            let stored = self.read(place, |entries| entries.get(number).cloned())?;
            if !is_match(&stored.value) {
                return None;
            }
            drop(stored);
            let entry = self.take(place, number)?;
            self.owners.forget(pid, number);
            StoredEntry::into_value(entry)
        };
        each(self.owners.at(pid, place.number, usize::MAX).into_iter().filter_map(remove))
    }

    /// Replaces the value of the oldest entry of a key that `pid` owns. Returns the old value.
    pub(crate) fn update(&self, pid: Pid, key: &K, value: V) -> Option<V> {
        let mut value = Some(Guarded::new(value));
        let place = self.place(key)?;
        let updated = self.entries.update(&place.key, |slots| {
            let mut entries = slots.get_mut(place.number)?.entries.values_mut();
            let stored = entries.find(|stored| stored.pid == pid)?;
            let (key, address) = (Guarded::new(Arc::clone(&stored.key)), stored.address.clone());
            let next = StoredEntry { key, pid, address, value: value.take()? };
            Some(mem::replace(stored, Arc::new(next)))
        })?;
        StoredEntry::into_value(updated?)
    }

    /// Returns the entries of a key whose owners run.
    pub(crate) fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        let entries = self.place(key).and_then(|place| {
            self.read(place, |entries| Some(entries.values().cloned().collect::<Vec<_>>()))
        });
        let entries = entries.unwrap_or_default();
        each(entries.iter().filter(|stored| stored.is_owned()).map(|stored| stored.copy()))
    }

    /// Returns the newest entry of a key if its owner runs.
    pub(super) fn lookup_one(&self, key: &K) -> Option<KeyEntry<M, V>> {
        let hash = self.hasher.hash_one(key);
        // Nearly always the hash has one key, and it is the requested one.
        let newest = |slots: &Slots<K, M, V>| {
            (slots.first.as_ref().and_then(|slot| slot.entries.last().cloned()), !slots.others.is_empty())
        };
        let (first, are_more) = self.entries.read(&hash, newest)?;
        let mut found = first.filter(|stored| **stored.key == *key);
        if found.is_none() && are_more {
            found = self.read(self.place(key)?, |entries| entries.last().cloned());
        }
        found.filter(|stored| stored.is_owned()).map(|stored| stored.copy())
    }

    pub(super) fn keys_of(&self, pid: Pid) -> Vec<K> {
        let key = |place| Some(K::clone(&self.read(place, |entries| entries.first().cloned())?.key));
        each(self.owners.all(pid).into_iter().filter_map(key))
    }

    /// Returns the values that `pick` makes of the entries whose owners run. `pick` runs under no
    /// lock.
    pub(super) fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        let entries = |_: &u64, slots: &Slots<K, M, V>| {
            Some(slots.iter().flat_map(|slot| slot.entries.values().cloned()).collect::<Vec<_>>())
        };
        let all = self.entries.collect(entries).into_iter().flatten();
        let owned = all.filter(|stored| stored.is_owned());
        let mut pick = Guarded::new(pick);
        let pick = |stored: Shared<K, M, V>| {
            let entry = Guarded::new(stored.copy());
            pick(K::clone(&stored.key), entry.into_inner()?)
        };
        each(owned.filter_map(pick))
    }

    /// Returns some entries, at most `most`.
    pub(super) fn some(&self, most: usize) -> Vec<Shared<K, M, V>> {
        let mut left = most;
        let some = |_: &u64, slots: &Slots<K, M, V>| {
            if left == 0 {
                return None;
            }
            let entries = slots.iter().flat_map(|slot| slot.entries.values().cloned());
            let entries: Vec<_> = entries.take(left).collect();
            left -= entries.len();
            Some(entries)
        };
        self.entries.collect_while(some).into_iter().flatten().collect()
    }

    /// Returns the number of incarnations that have a list.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.owners.len()
    }
}

/// Returns the value of an entry that is not registered, in its error.
fn refuse<K, M: Send + 'static, V: Clone>(
    entry: Shared<K, M, V>,
    error: impl FnOnce(V) -> RegisterError<V>,
) -> Result<(), RegisterError<V>> {
    StoredEntry::into_value(entry).map_or(Ok(()), |value| Err(error(value)))
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
