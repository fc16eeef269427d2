//! What both kinds of keys are made of.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::mem;
use std::sync::Arc;

use foldhash::fast::RandomState;
use perennial_actors::host::{Each, Guarded, SeqMap, dispose};
use perennial_actors::{Actor, Context, Pid};

use super::entry::{KeyChange, KeyEntry, RegisterError};
use super::slots::{Entry, Held, Shared, Slot, Slots};
use crate::changes::{Changes, Told};
use crate::owners::{Owned, OwnedTable, Owners, ensure_owner};
use crate::sync::{AtomicU64, IdGen, Ordering};
use crate::table::{Retain, Table};

/// So many entries of a key are looked through for one's own. If there are more, one's own list is.
const LINEAR_SCAN_MAX: usize = 8;

/// Keys with their entries, in the order in which they were registered.
pub(crate) struct KeyTable<K, M: Send + 'static, V> {
    hasher: RandomState,
    /// By the hashes of the keys.
    entries: Table<u64, Slots<K, M, V>>,
    owners: Owners<u64>,
    /// Of entries and slots, in the order in which they got into the table.
    numbers: IdGen,
    /// How many slots there are.
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
            // A supervisor that ends an incarnation waits for no user's `Drop`.
            let taken: Vec<_> = taken.collect();
            dispose(taken);
        } else {
            taken.for_each(drop);
        }
    }
}

/// Where the entries of a key are.
#[derive(Clone, Copy)]
struct Place {
    hash: u64,
    slot: u64,
}

/// What was there when a new entry was to get in.
enum Entered<E> {
    At {
        slot: u64,
        number: u64,
    },
    /// A living incarnation has the key; the new entry.
    Owned(Pid, E),
    /// A key has come since that may be this one.
    Unknown(E),
}

impl<K, M, V> KeyTable<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Enters a key; with `alone`, only if no living incarnation has it.
    pub(super) fn register<A: Actor<Msg = M>>(
        self: &Arc<Self>,
        ctx: &Context<A>,
        key: K,
        value: V,
        alone: bool,
    ) -> Result<(), RegisterError<V>>
    where
        V: fmt::Debug,
    {
        self.register_entry(key, KeyEntry { pid: ctx.pid(), address: ctx.address(), value }, alone)
    }

    pub(crate) fn register_entry(
        self: &Arc<Self>,
        key: K,
        entry: KeyEntry<M, V>,
        alone: bool,
    ) -> Result<(), RegisterError<V>>
    where
        V: fmt::Debug,
    {
        // `Hash` and `Eq` may panic: what is here then is dropped under guards.
        let (key, entry) = (Guarded::new(Arc::new(key)), entry.guarded());
        let (pid, hash) = (entry.pid, self.hasher.hash_one(&**key));
        if !ensure_owner(self, &entry.address.handle(), pid) {
            return entry.value.into_inner().map_or(Ok(()), |value| Err(RegisterError::Ended(value)));
        }
        let (slot, number) = match self.enter(hash, &key, entry, alone) {
            Ok(entered) => entered,
            Err((pid, entry)) => {
                let refused = |value| Err(RegisterError::AlreadyRegistered { pid, value });
                return entry.value.into_inner().map_or(Ok(()), refused);
            }
        };
        if self.owners.record(pid, number, Owned { place: slot, key: hash }) {
            return Ok(());
        }
        match self.take(hash, slot, number).and_then(Held::into_value) {
            Some(value) => Err(RegisterError::Ended(value)),
            // It was registered, it has ended, and a successor has the key.
            None => Ok(()),
        }
    }

    /// Enters an entry, whose slot and number come back; or gives it back with the owner of the one that is there. One whose owner has
    /// ended makes room.
    fn enter(
        &self,
        hash: u64,
        key: &Arc<K>,
        mut entry: Entry<M, V>,
        alone: bool,
    ) -> Result<(u64, u64), (Pid, Entry<M, V>)> {
        loop {
            let known = self.known(hash);
            let own = known.iter().find(|(_, other)| **other.key == **key).map(|(slot, _)| *slot);
            let (mut told, mut stale) = (Told::default(), SeqMap::default());
            let entered = self.entries.update_or_insert_with(hash, Slots::default, |slots| {
                let new = |slot: &Slot<K, M, V>| known.iter().all(|(number, _)| slot.number != *number);
                if slots.iter().any(new) && own.is_none_or(|own| slots.get(own).is_none()) {
                    return Entered::Unknown(entry);
                }
                let slot = own.and_then(|own| slots.get_mut(own));
                let others = slot.as_ref().filter(|_| alone).into_iter().flat_map(|slot| slot.entries.iter());
                if let Some(owner) = others.map(|(_, held)| held).find(|held| held.entry.is_owned()) {
                    return Entered::Owned(owner.pid(), entry);
                }
                let held = Held::new(key.clone(), entry);
                let number = self.numbers.next();
                let change = KeyChange::Registered { key: key.clone(), pid: held.pid() };
                let slot = match slot {
                    Some(slot) => {
                        if alone {
                            mem::swap(&mut slot.entries, &mut stale);
                        }
                        stale.iter().for_each(|(_, gone)| self.note_gone(&mut told, gone));
                        slot.entries.insert(number, Arc::new(held));
                        slot.number
                    }
                    None => self.add_slot(slots, number, held),
                };
                self.changes.record(&mut told, || change);
                Entered::At { slot, number }
            });
            match entered {
                Entered::At { slot, number } => return Ok((slot, number)),
                Entered::Owned(owner, entry) => return Err((owner, entry)),
                Entered::Unknown(back) => entry = back,
            }
        }
    }

    /// Adds the slot of a key that has none. Returns its number, which is that of its first entry.
    fn add_slot(&self, slots: &mut Slots<K, M, V>, number: u64, held: Held<K, M, V>) -> u64 {
        let mut entries = SeqMap::default();
        entries.insert(number, Arc::new(held));
        slots.add(Slot { number, entries });
        self.keys.fetch_add(1, Ordering::Relaxed);
        number
    }

    fn note_gone(&self, told: &mut Told<KeyChange<K>>, gone: &Held<K, M, V>) {
        let change = || KeyChange::Unregistered { key: Arc::clone(&gone.key), pid: gone.pid() };
        self.changes.record(told, change);
    }

    /// Takes an entry out.
    fn take(&self, hash: u64, slot: u64, number: u64) -> Option<Shared<K, M, V>> {
        let mut told = Told::default();
        let taken = self.entries.update(&hash, |slots| {
            let taken = slots.get_mut(slot).and_then(|slot| {
                let taken = slot.entries.remove(number)?;
                Some((taken, slot.entries.is_empty()))
            });
            let Some((entry, is_last)) = taken else { return (Retain::Keep, None) };
            self.note_gone(&mut told, &entry);
            if is_last {
                slots.remove(slot);
                self.keys.fetch_sub(1, Ordering::Relaxed);
            }
            (if slots.is_empty() { Retain::Remove } else { Retain::Keep }, Some(entry))
        });
        taken?.0
    }

    /// The slots of a hash, each with an entry that has its key.
    fn known(&self, hash: u64) -> Vec<(u64, Shared<K, M, V>)> {
        let known = |slots: &Slots<K, M, V>| {
            let known = slots.iter().map(|slot| Some((slot.number, slot.entries.first()?.clone())));
            known.flatten().collect()
        };
        self.entries.read(&hash, known).unwrap_or_default()
    }

    /// Where a key is.
    fn place(&self, key: &K) -> Option<Place> {
        let hash = self.hasher.hash_one(key);
        let known = self.known(hash);
        let (slot, _) = known.iter().find(|(_, other)| **other.key == *key)?;
        Some(Place { hash, slot: *slot })
    }

    /// Reads the entries of a key, while they are locked.
    fn read<R>(&self, place: Place, look: impl FnOnce(&SeqMap<Shared<K, M, V>>) -> R) -> Option<R> {
        self.entries.read(&place.hash, |slots| slots.get(place.slot).map(|slot| look(&slot.entries)))?
    }

    /// Gives up entries of one's own.
    pub(crate) fn unregister(&self, pid: Pid, key: &K, is_meant: impl Fn(&V) -> bool) -> Vec<V> {
        let is_meant = Guarded::new(is_meant);
        let Some(place) = self.place(key) else { return Vec::new() };
        let give_up = |number| {
            // What is meant is asked of a shared one: it is not our code, and no entry is locked meanwhile.
            let held = self.read(place, |entries| entries.get(number).cloned())??;
            if !is_meant(&held.entry.value) {
                return None;
            }
            drop(held);
            let entry = self.take(place.hash, place.slot, number)?;
            self.owners.forget(pid, number);
            Held::into_value(entry)
        };
        each(self.numbers_of(pid, place).into_iter().filter_map(give_up))
    }

    /// The numbers of an incarnation's entries of a key.
    fn numbers_of(&self, pid: Pid, place: Place) -> Vec<u64> {
        let if_few = |entries: &SeqMap<Shared<K, M, V>>| {
            let own = entries.iter().filter(|(_, held)| held.pid() == pid).map(|(number, _)| number);
            (entries.len() <= LINEAR_SCAN_MAX).then(|| own.collect())
        };
        match self.read(place, if_few) {
            Some(Some(numbers)) => numbers,
            Some(None) => self.owners.at(pid, place.slot, usize::MAX),
            None => Vec::new(),
        }
    }

    /// Changes the value of an entry of one's own; the old one.
    pub(crate) fn update(&self, pid: Pid, key: &K, value: V) -> Option<V> {
        let value = Guarded::new(value);
        let place = self.place(key)?;
        let mut value = value.into_inner();
        let (updated, _) = self.entries.update(&place.hash, |slots| {
            let old = slots.get_mut(place.slot).and_then(|slot| {
                let number = slot.entries.iter().find(|(_, held)| held.pid() == pid)?.0;
                let held = slot.entries.get_mut(number)?;
                let address = held.entry.address.clone();
                let entry = KeyEntry { pid, address, value: Guarded::new(value.take()?) };
                let next = Held::new(Arc::clone(&held.key), entry);
                Some(mem::replace(held, Arc::new(next)))
            });
            (Retain::Keep, old)
        })?;
        Held::into_value(updated?)
    }

    /// The entries of a key whose owners live.
    pub(crate) fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        let Some(place) = self.place(key) else { return Vec::new() };
        let found = self.read(place, |entries| entries.iter().map(|(_, held)| held.clone()).collect());
        let found: Vec<Shared<K, M, V>> = found.unwrap_or_default();
        each(found.iter().filter(|held| held.entry.is_owned()).map(|held| held.copy()))
    }

    /// The newest entry of a key, if its owner lives.
    pub(super) fn lookup_one(&self, key: &K) -> Option<KeyEntry<M, V>> {
        let hash = self.hasher.hash_one(key);
        // Nearly always the hash leads to one key, and that is the one that is meant.
        let newest = |slots: &Slots<K, M, V>| {
            let mut slots = slots.iter();
            let first = slots.next().and_then(|slot| slot.entries.last().cloned());
            (first, slots.next().is_some())
        };
        let (first, are_more) = self.entries.read(&hash, newest)?;
        let mut found = first.filter(|held| **held.key == *key);
        if found.is_none() && are_more {
            found = self.read(self.place(key)?, |entries| entries.last().cloned())?;
        }
        found.filter(|held| held.entry.is_owned()).map(|held| held.copy())
    }

    pub(super) fn keys_of(&self, pid: Pid) -> Vec<K> {
        let key = |owned: Owned<u64>| {
            let place = Place { hash: owned.key, slot: owned.place };
            let held = self.read(place, |entries| entries.first().cloned())??;
            Some(K::clone(&held.key))
        };
        each(self.owners.all(pid).into_iter().filter_map(key))
    }

    /// What is picked of everything whose owners live. The pick runs under no lock.
    pub(super) fn select<R>(&self, pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        let entries = |_: &u64, slots: &Slots<K, M, V>| {
            let entries = slots.iter().flat_map(|slot| slot.entries.iter());
            Some(entries.map(|(_, held)| held.clone()).collect::<Vec<_>>())
        };
        let all = self.entries.collect(entries).into_iter().flatten();
        let owned = all.filter(|held| held.entry.is_owned());
        let mut pick = Guarded::new(pick);
        let pick = |held: Shared<K, M, V>| {
            let entry = Guarded::new(held.copy());
            pick(K::clone(&held.key), entry.into_inner()?)
        };
        each(owned.filter_map(pick))
    }

    /// How many incarnations are known.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.owners.len()
    }
}

/// Collects users' values. If making one panics, those that were made are dropped one by one.
fn each<T>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut made = Each::default();
    values.for_each(|value| made.push(value));
    made.into_vec()
}

impl<K, M: Send + 'static, V> KeyTable<K, M, V> {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.keys.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }
}
