//! The tables of keys that a system shows: to snapshots, metrics and consoles.

use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use perennial_actors::Pid;
use perennial_actors::host::sync::Mutex;
use perennial_actors::host::{Guarded, debug_text};

use super::key_table::KeyTable;

/// The most entries of one table that are listed, and the most characters of a key.
const MAX_LISTED: usize = 100;
const MAX_TEXT: usize = 200;

/// A table of keys as its system shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct KeyTableInfo {
    /// The name of the table.
    pub table: String,
    /// The number of keys, each counted once.
    pub keys: usize,
    /// Entries of running incarnations, sorted by key: all of them or some, and at most 100.
    pub entries: Vec<KeyInfo>,
}

/// An entry of a table of keys.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct KeyInfo {
    /// The first 200 characters of the key, as `Debug` prints it.
    pub key: String,
    /// The incarnation that registered it.
    pub pid: Pid,
}

/// A table that is shown.
trait ShownTable: Send + Sync {
    fn keys(&self) -> usize;
    /// Returns the first entries that are wanted, sorted by key. Of a table with more entries, they
    /// are the first of `most`.
    fn entries(&self, most: usize, is_wanted: &dyn Fn(&KeyInfo) -> bool) -> Vec<KeyInfo>;
}

/// The tables that a system shows, by their names.
#[derive(Default)]
pub(crate) struct ShownTables(Mutex<BTreeMap<String, Weak<dyn ShownTable>>>);

impl<K, M, V> ShownTable for KeyTable<K, M, V>
where
    K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
    M: Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn keys(&self) -> usize {
        self.len()
    }

    fn entries(&self, most: usize, is_wanted: &dyn Fn(&KeyInfo) -> bool) -> Vec<KeyInfo> {
        // No more are kept than are listed: the greatest is removed for each one too many.
        let mut smallest = BinaryHeap::new();
        for stored in self.some(most).into_iter().filter(|stored| stored.is_owned()) {
            let text = debug_text(&**stored.key, MAX_TEXT);
            let key = text.map_or_else(|panicked| panicked.to_string(), |(text, _)| text);
            let entry = KeyInfo { key, pid: stored.pid };
            if is_wanted(&entry) {
                smallest.push(entry);
            }
            if smallest.len() > MAX_LISTED {
                smallest.pop();
            }
        }
        smallest.into_sorted_vec()
    }
}

impl ShownTables {
    /// Shows a table in place of another one of this name.
    pub(crate) fn show<K, M, V>(&self, name: String, table: &Arc<KeyTable<K, M, V>>)
    where
        K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
        M: Send + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let table: Weak<KeyTable<K, M, V>> = Arc::downgrade(table);
        let mut tables = self.0.lock();
        tables.retain(|_, table| table.strong_count() > 0);
        tables.insert(name, table);
    }

    pub(crate) fn list(&self) -> Vec<KeyTableInfo> {
        self.search(|_| true, |_| true)
    }

    /// Lists the tables: some entries of one that is wanted, and of another one those of all its
    /// entries that are wanted.
    pub(crate) fn search(
        &self,
        is_wanted_table: impl Fn(&str) -> bool,
        is_wanted: impl Fn(&KeyInfo) -> bool,
    ) -> Vec<KeyTableInfo> {
        self.map(|table, shown| {
            let entries = if is_wanted_table(&table) {
                shown.entries(MAX_LISTED, &|_| true)
            } else {
                shown.entries(usize::MAX, &is_wanted)
            };
            KeyTableInfo { keys: shown.keys(), table, entries }
        })
    }

    /// Returns how many keys each table has.
    pub(crate) fn count(&self) -> Vec<(String, usize)> {
        self.map(|table, shown| (table, shown.keys()))
    }

    /// Returns what `read` makes of each table that exists. It runs under no lock.
    fn map<R>(&self, read: impl Fn(String, &dyn ShownTable) -> R) -> Vec<R> {
        let tables: Vec<_> =
            self.0.lock().iter().map(|(name, table)| (name.clone(), table.clone())).collect();
        let read = tables.into_iter().filter_map(|(name, table)| {
            // If it is the last reference by now, users' values are dropped here.
            let table = Guarded::new(table.upgrade()?);
            Some(read(name, &**table))
        });
        read.collect()
    }
}
