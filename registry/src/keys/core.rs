//! What both kinds of keys are made of.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use perennial_actors::{Actor, Address, Context, Pid};

use crate::changes::Changes;
use crate::owners::{Estate, Owners, list};
use crate::table::{Fate, Table};

/// A key's owner, and what it says of it.
#[non_exhaustive]
pub struct KeyEntry<M: Send + 'static, V> {
    /// The incarnation that has registered the key.
    pub pid: Pid,
    /// The address of the actor.
    pub address: Address<M>,
    /// The value.
    pub value: V,
}

impl<M: Send + 'static, V: Clone> Clone for KeyEntry<M, V> {
    fn clone(&self) -> Self {
        Self { pid: self.pid, address: self.address.clone(), value: self.value.clone() }
    }
}

impl<M: Send + 'static, V: fmt::Debug> fmt::Debug for KeyEntry<M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEntry").field("pid", &self.pid).field("value", &self.value).finish_non_exhaustive()
    }
}

impl<M: Send + 'static, V> KeyEntry<M, V> {
    /// Whether the incarnation lives. Between its end and the hook that follows it, its entries are there and it does not.
    fn is_owned(&self) -> bool {
        self.address.pid() == Some(self.pid)
    }
}

/// Something that changed among keys. Of one key, listeners are told in the order in which it did, before the call that changed it
/// returns; of an end, before any link or monitor hears of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyChange<K> {
    /// An incarnation has registered a key.
    Registered {
        /// The key.
        key: K,
        /// The incarnation.
        pid: Pid,
    },
    /// An incarnation has given up a key, or has ended.
    Unregistered {
        /// The key.
        key: K,
        /// The incarnation.
        pid: Pid,
    },
}

/// Why a key was not registered; with the value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError<V: fmt::Debug> {
    /// An incarnation has it, which may be this one.
    #[error("the key is registered by {pid}")]
    AlreadyRegistered {
        /// The incarnation.
        pid: Pid,
        /// The value.
        value: V,
    },
    /// This incarnation has ended: its mailbox was taken away from it.
    #[error("the incarnation has ended")]
    Ended(V),
}

/// Keys with their entries, in the order in which they were registered.
pub(super) struct Core<K, M: Send + 'static, V> {
    entries: Table<K, Vec<KeyEntry<M, V>>>,
    owners: Owners<K>,
    pub(super) changes: Changes<KeyChange<K>>,
}

impl<K: Clone + Eq + Hash, M: Send + 'static, V> Default for Core<K, M, V> {
    fn default() -> Self {
        Self { entries: Table::default(), owners: Owners::default(), changes: Changes::default() }
    }
}

impl<K, M, V> Estate for Core<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Thing = K;

    fn owners(&self) -> &Owners<K> {
        &self.owners
    }

    fn disown(&self, pid: Pid, key: &K) {
        drop(self.take(key, |entry| entry.pid == pid));
    }
}

impl<K, M, V> Core<K, M, V>
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
        let (pid, address) = (ctx.pid(), ctx.address());
        if !list(self, &address.handle(), pid, &key) {
            return Err(RegisterError::Ended(value));
        }
        let entry = KeyEntry { pid, address, value };
        if let Err((owner, entry)) = self.enter(&key, entry, alone) {
            self.owners.unlist(pid, &key);
            return Err(RegisterError::AlreadyRegistered { pid: owner, value: entry.value });
        }
        self.changes.tell();
        if self.owners.is_listed(pid) {
            return Ok(());
        }
        match self.take(&key, |entry| entry.pid == pid).pop() {
            Some(entry) => Err(RegisterError::Ended(entry.value)),
            // The hook has seen to it.
            None => Ok(()),
        }
    }

    /// Enters an entry, or gives it back with the owner of the one that is there. One whose owner has ended makes room.
    fn enter(&self, key: &K, entry: KeyEntry<M, V>, alone: bool) -> Result<(), (Pid, KeyEntry<M, V>)> {
        let (outcome, stale) = self.entries.enter_default(key.clone(), |entries| {
            let mut stale = Vec::new();
            if alone {
                if let Some(owner) = entries.iter().find(|entry| entry.is_owned()) {
                    return (Err((owner.pid, entry)), stale);
                }
                stale.append(entries);
            }
            for gone in &stale {
                self.changes.note(|| KeyChange::Unregistered { key: key.clone(), pid: gone.pid });
            }
            self.changes.note(|| KeyChange::Registered { key: key.clone(), pid: entry.pid });
            entries.push(entry);
            (Ok(()), stale)
        });
        drop(stale);
        outcome
    }

    /// Takes the entries of a key out that are meant.
    pub(super) fn take(&self, key: &K, is_meant: impl Fn(&KeyEntry<M, V>) -> bool) -> Vec<KeyEntry<M, V>> {
        let taken = self.entries.change(key, |entries| {
            let mut taken = Vec::new();
            let mut kept = Vec::with_capacity(entries.len());
            for entry in entries.drain(..) {
                if is_meant(&entry) { taken.push(entry) } else { kept.push(entry) }
            }
            for entry in &taken {
                self.changes.note(|| KeyChange::Unregistered { key: key.clone(), pid: entry.pid });
            }
            *entries = kept;
            (if entries.is_empty() { Fate::Remove } else { Fate::Keep }, taken)
        });
        self.changes.tell();
        taken.map(|(taken, _)| taken).unwrap_or_default()
    }

    /// Gives up entries of one's own.
    pub(super) fn unregister(&self, pid: Pid, key: &K, is_meant: impl Fn(&V) -> bool) -> Vec<V> {
        // What is meant is asked of copies: it is not our code, and no entry is locked meanwhile. Nobody else takes these out.
        let own: Vec<bool> = self
            .all(key)
            .iter()
            .filter(|entry| entry.pid == pid)
            .map(|entry| is_meant(&entry.value))
            .collect();
        let place = std::cell::Cell::new(0);
        let taken = self.take(key, |entry| {
            if entry.pid != pid {
                return false;
            }
            let meant = own.get(place.get()).copied().unwrap_or(false);
            place.set(place.get() + 1);
            meant
        });
        taken.iter().for_each(|_| self.owners.unlist(pid, key));
        taken.into_iter().map(|entry| entry.value).collect()
    }

    /// Changes the value of an entry of one's own; the old one.
    pub(super) fn update(&self, pid: Pid, key: &K, value: V) -> Option<V> {
        let mut value = Some(value);
        let updated = self.entries.change(key, |entries| {
            let own = entries.iter_mut().find(|entry| entry.pid == pid);
            let old = own.and_then(|entry| Some(std::mem::replace(&mut entry.value, value.take()?)));
            (Fate::Keep, old)
        });
        updated?.0
    }

    /// The entries of a key whose owners live.
    pub(super) fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        let mut found = self.all(key);
        found.retain(KeyEntry::is_owned);
        found
    }

    fn all(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        self.entries.read(key, Clone::clone).unwrap_or_default()
    }

    pub(super) fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.owners.of(pid)
    }

    /// Everything, whose owners live.
    pub(super) fn everything(&self) -> Vec<(K, KeyEntry<M, V>)> {
        let copies = self.entries.collect(|key, entries| Some((key.clone(), entries.clone())));
        let pairs = copies
            .into_iter()
            .flat_map(|(key, entries)| entries.into_iter().map(move |entry| (key.clone(), entry)));
        pairs.filter(|(_, entry)| entry.is_owned()).collect()
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
