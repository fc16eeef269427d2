//! What both kinds of keys are made of.

use std::error::Error;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use perennial_actors::host::{Carried, CarriesValue};
use perennial_actors::{Actor, Address, Context, Pid};

use crate::changes::Changes;
use crate::numbered::Numbered;
use crate::owners::{Estate, Owners, list};
use crate::sync::Numbers;
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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RegisterError<V> {
    /// An incarnation has it, which may be this one.
    AlreadyRegistered {
        /// The incarnation.
        pid: Pid,
        /// The value.
        value: V,
    },
    /// This incarnation has ended: its mailbox was taken away from it.
    Ended(V),
}

impl<V> fmt::Display for RegisterError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered { pid, .. } => write!(f, "the key is registered by {pid}"),
            Self::Ended(_) => f.write_str("the incarnation has ended"),
        }
    }
}

impl<V: fmt::Debug + 'static> Error for RegisterError<V> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<V: fmt::Debug + 'static> CarriesValue for RegisterError<V> {
    type Bare = RegisterError<()>;

    fn into_bare(self) -> RegisterError<()> {
        match self {
            Self::AlreadyRegistered { pid, .. } => RegisterError::AlreadyRegistered { pid, value: () },
            Self::Ended(_) => RegisterError::Ended(()),
        }
    }
}

/// So many entries of a key are looked through for one's own. If there are more, one's own list is.
const FEW: usize = 8;

/// Keys with their entries, in the order in which they were registered.
pub(crate) struct Core<K, M: Send + 'static, V> {
    entries: Table<K, Numbered<KeyEntry<M, V>>>,
    owners: Owners<K>,
    /// Of entries, in the order in which they got into the table.
    numbers: Numbers,
    pub(super) changes: Changes<KeyChange<K>>,
}

impl<K: Clone + Eq + Hash, M: Send + 'static, V> Default for Core<K, M, V> {
    fn default() -> Self {
        let (entries, owners) = (Table::default(), Owners::default());
        Self { entries, owners, numbers: Numbers::default(), changes: Changes::default() }
    }
}

impl<K, M, V> Estate for Core<K, M, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Key = K;

    fn owners(&self) -> &Owners<K> {
        &self.owners
    }

    fn disown(&self, key: &K, number: u64) {
        drop(self.take(key, number));
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
        let pid = entry.pid;
        if !list(self, &entry.address.handle(), pid) {
            return Err(RegisterError::Ended(entry.value));
        }
        let number = match self.enter(&key, entry, alone) {
            Ok(number) => number,
            Err((owner, entry)) => {
                return Err(RegisterError::AlreadyRegistered { pid: owner, value: entry.value });
            }
        };
        self.changes.tell();
        let its_key = key.clone();
        if self.owners.own(pid, number, key) {
            return Ok(());
        }
        match self.take(&its_key, number) {
            Some(entry) => Err(RegisterError::Ended(entry.value)),
            // It was registered, it has ended, and a successor has the key.
            None => Ok(()),
        }
    }

    /// Enters an entry, whose number comes back; or gives it back with the owner of the one that is there. One whose owner has
    /// ended makes room.
    fn enter(&self, key: &K, entry: KeyEntry<M, V>, alone: bool) -> Result<u64, (Pid, KeyEntry<M, V>)> {
        let (outcome, stale) = self.entries.enter_with(key.clone(), Default::default, |entries| {
            let mut stale = Numbered::default();
            if alone {
                if let Some((_, owner)) = entries.iter().find(|(_, entry)| entry.is_owned()) {
                    return (Err((owner.pid, entry)), stale);
                }
                std::mem::swap(entries, &mut stale);
            }
            for (_, gone) in stale.iter() {
                self.changes.note(|| KeyChange::Unregistered { key: key.clone(), pid: gone.pid });
            }
            self.changes.note(|| KeyChange::Registered { key: key.clone(), pid: entry.pid });
            let number = self.numbers.next();
            entries.insert(number, entry);
            (Ok(number), stale)
        });
        drop(stale);
        outcome
    }

    /// Takes an entry out.
    fn take(&self, key: &K, number: u64) -> Option<KeyEntry<M, V>> {
        let taken = self.entries.change(key, |entries| {
            let taken = entries.remove(number);
            if let Some(entry) = &taken {
                self.changes.note(|| KeyChange::Unregistered { key: key.clone(), pid: entry.pid });
            }
            (if entries.is_empty() { Fate::Remove } else { Fate::Keep }, taken)
        });
        self.changes.tell();
        taken?.0
    }

    /// Gives up entries of one's own.
    pub(crate) fn unregister(&self, pid: Pid, key: &K, is_meant: impl Fn(&V) -> bool) -> Vec<V> {
        let give_up = |number| {
            // What is meant is asked of a copy: it is not our code, and no entry is locked meanwhile.
            let value = self.entries.read(key, |entries| Some(entries.get(number)?.value.clone()))??;
            if !is_meant(&value) {
                return None;
            }
            let entry = self.take(key, number)?;
            self.owners.give_up(pid, number);
            Some(entry.value)
        };
        self.numbers_of(pid, key).into_iter().filter_map(give_up).collect()
    }

    /// The numbers of an incarnation's entries of a key.
    fn numbers_of(&self, pid: Pid, key: &K) -> Vec<u64> {
        let if_few = |entries: &Numbered<KeyEntry<M, V>>| {
            let own = entries.iter().filter(|(_, entry)| entry.pid == pid).map(|(number, _)| number);
            (entries.len() <= FEW).then(|| own.collect())
        };
        match self.entries.read(key, if_few) {
            Some(Some(numbers)) => numbers,
            Some(None) => self.owners.numbers(pid, key),
            None => Vec::new(),
        }
    }

    /// Changes the value of an entry of one's own; the old one.
    pub(crate) fn update(&self, pid: Pid, key: &K, value: V) -> Option<V> {
        let mut value = Some(value);
        let updated = self.entries.change(key, |entries| {
            let own = entries.iter_mut().find(|entry| entry.pid == pid);
            let old = own.and_then(|entry| Some(std::mem::replace(&mut entry.value, value.take()?)));
            (Fate::Keep, old)
        });
        updated?.0
    }

    /// The entries of a key whose owners live.
    pub(crate) fn lookup(&self, key: &K) -> Vec<KeyEntry<M, V>> {
        let mut found = self.entries.read(key, copies).unwrap_or_default();
        found.retain(KeyEntry::is_owned);
        found
    }

    /// The newest entry of a key, if its owner lives.
    pub(super) fn lookup_one(&self, key: &K) -> Option<KeyEntry<M, V>> {
        let newest = |entries: &Numbered<KeyEntry<M, V>>| entries.last().cloned();
        self.entries.read(key, newest)?.filter(KeyEntry::is_owned)
    }

    pub(super) fn keys_of(&self, pid: Pid) -> Vec<K> {
        self.owners.keys(pid)
    }

    /// What is picked of everything whose owners live. The pick runs under no lock.
    pub(super) fn select<R>(&self, mut pick: impl FnMut(K, KeyEntry<M, V>) -> Option<R>) -> Vec<R> {
        let all = self.entries.collect(|key, entries| Some((key.clone(), copies(entries))));
        let pairs = all
            .into_iter()
            .flat_map(|(key, entries)| entries.into_iter().map(move |entry| (key.clone(), entry)));
        pairs.filter(|(_, entry)| entry.is_owned()).filter_map(|(key, entry)| pick(key, entry)).collect()
    }

    /// How many incarnations are known.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.owners.len()
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn copies<M: Send + 'static, V: Clone>(entries: &Numbered<KeyEntry<M, V>>) -> Vec<KeyEntry<M, V>> {
    entries.iter().map(|(_, entry)| entry.clone()).collect()
}
