//! The names of this node.

use std::collections::BTreeMap;

use crate::wire::{Delta, Snapshot};

/// Returns the names that begin with a text.
pub(super) fn with_prefix<'a>(
    names: &'a BTreeMap<String, u64>,
    prefix: &str,
) -> impl Iterator<Item = &'a String> + use<'a> {
    let prefix = prefix.to_owned();
    let from = names.range(prefix.clone()..).map(|(name, _)| name);
    from.take_while(move |name| name.starts_with(&prefix))
}

/// The names that are exposed and bound here, and the number of changes that led to them.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    version: u64,
    /// When each name was bound.
    names: BTreeMap<String, u64>,
}

impl NameTable {
    /// Adds or replaces a name. Returns the change for the peers.
    pub(crate) fn set(&mut self, name: &str, bound_at: u64) -> Delta {
        self.names.insert(name.to_owned(), bound_at);
        self.next(name, Some(bound_at))
    }

    /// Removes a name. Returns the change for the peers, if the name was there.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Delta> {
        self.names.remove(name)?;
        Some(self.next(name, None))
    }

    /// Returns when a name was bound.
    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.names.get(name).copied()
    }

    /// Returns the names, and when each was bound.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &u64)> {
        self.names.iter()
    }

    /// Returns the names that begin with a text.
    pub(crate) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = &String> {
        with_prefix(&self.names, prefix)
    }

    fn next(&mut self, name: &str, bound_at: Option<u64>) -> Delta {
        self.version += 1;
        Delta { version: self.version, name: name.to_owned(), bound_at }
    }

    /// Returns all names, in parts whose names have about `bytes` bytes each. There is at least one
    /// part.
    pub(crate) fn snapshot(&self, bytes: usize) -> Vec<Snapshot> {
        let mut parts = vec![self.part(true)];
        let mut size = 0;
        for (name, bound_at) in &self.names {
            size += name.len() + 16;
            if size > bytes {
                size = 0;
                parts.push(self.part(false));
            }
            if let Some(part) = parts.last_mut() {
                part.names.push((name.clone(), *bound_at));
            }
        }
        if let Some(part) = parts.last_mut() {
            part.is_last = true;
        }
        parts
    }

    const fn part(&self, is_first: bool) -> Snapshot {
        Snapshot { version: self.version, is_first, is_last: false, names: Vec::new() }
    }
}
