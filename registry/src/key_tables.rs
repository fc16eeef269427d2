//! Tables of keys that a registry shows to snapshots, metrics and consoles.

use std::fmt::Debug;
use std::hash::Hash;

use crate::keys::{KeyInfo, KeyTableInfo, Keys};
use crate::registry::Registry;

impl Registry {
    /// Shows a table of keys under a name: in [`key_tables`](Self::key_tables), and so in snapshots
    /// and metrics of this system. A table that had this name is not shown any more. One whose last
    /// clone is dropped is not either.
    #[doc = registry_example!(r#"let sessions = UniqueKeys::<u64, String>::new();
registry.show_keys("sessions", &sessions);
assert_eq!(registry.key_tables()[0].table, "sessions");"#)]
    pub fn show_keys<K, M, V, P>(&self, name: impl Into<String>, keys: &Keys<K, M, V, P>)
    where
        K: Clone + Debug + Eq + Hash + Send + Sync + 'static,
        M: Send + 'static,
        V: Clone + Send + Sync + 'static,
    {
        self.0.shown_keys.show(name.into(), &keys.0);
    }

    /// Returns the tables of keys that are [shown](Self::show_keys), sorted by name, with some of
    /// their entries.
    #[doc = registry_example!(r#"let sessions = UniqueKeys::<u64, String>::new();
registry.show_keys("sessions", &sessions);
assert_eq!(registry.key_tables()[0].keys, 0);"#)]
    #[must_use]
    pub fn key_tables(&self) -> Vec<KeyTableInfo> {
        self.0.shown_keys.list()
    }

    /// Returns the tables of keys that are [shown](Self::show_keys), sorted by name. A table for
    /// whose name `is_wanted_table` returns `true` has some of its entries, as in
    /// [`key_tables`](Self::key_tables). Another one has the entries for which `is_wanted` returns
    /// `true`: the first hundred. `is_wanted` is called for every entry of these tables: this takes
    /// as long as they are large.
    #[doc = registry_example!(r#"let sessions = UniqueKeys::<u64, String>::new();
registry.show_keys("sessions", &sessions);
let found = registry.search_keys(|table| table == "users", |entry| entry.key.contains("42"));
assert!(found[0].entries.is_empty());"#)]
    #[must_use]
    pub fn search_keys(
        &self,
        is_wanted_table: impl Fn(&str) -> bool,
        is_wanted: impl Fn(&KeyInfo) -> bool,
    ) -> Vec<KeyTableInfo> {
        self.0.shown_keys.search(is_wanted_table, is_wanted)
    }

    /// Returns the names of the tables of keys that are [shown](Self::show_keys), sorted, and how
    /// many keys each has. It reads no entry.
    #[doc = registry_example!(r#"let sessions = UniqueKeys::<u64, String>::new();
registry.show_keys("sessions", &sessions);
assert_eq!(registry.key_counts(), [("sessions".to_owned(), 0)]);"#)]
    #[must_use]
    pub fn key_counts(&self) -> Vec<(String, usize)> {
        self.0.shown_keys.count()
    }
}
