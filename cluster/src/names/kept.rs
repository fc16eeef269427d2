//! Names that are kept of a peer, within a limit of their number and their bytes.

use std::collections::BTreeMap;

use super::table::with_prefix;
use crate::wire::NAME_BYTES;

/// The bytes that the names have on average, at most. One long name is allowed beside.
const MEAN_BYTES: usize = 256;

/// Names, and when each was bound.
#[derive(Debug)]
pub(super) struct KeptNames {
    names: BTreeMap<String, u64>,
    bytes: usize,
}

impl KeptNames {
    pub(super) const fn new() -> Self {
        Self { names: BTreeMap::new(), bytes: 0 }
    }

    /// Returns `true` if a name is there, or may be added where at most so many are kept.
    pub(super) fn has_room(&self, name: &str, max: usize) -> bool {
        let max_bytes = max.saturating_mul(MEAN_BYTES).saturating_add(NAME_BYTES);
        let has_room = self.names.len() < max && self.bytes + name.len() <= max_bytes;
        has_room || self.names.contains_key(name)
    }

    /// Adds or replaces a name. Returns `true` if it is new.
    pub(super) fn insert(&mut self, name: String, bound_at: u64) -> bool {
        let bytes = name.len();
        let is_new = self.names.insert(name, bound_at).is_none();
        self.bytes += if is_new { bytes } else { 0 };
        is_new
    }

    /// Removes a name. Returns `true` if it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let is_removed = self.names.remove(name).is_some();
        self.bytes -= if is_removed { name.len() } else { 0 };
        is_removed
    }

    pub(super) fn get(&self, name: &str) -> Option<u64> {
        self.names.get(name).copied()
    }

    /// Returns the names that begin with a text.
    pub(super) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = &String> {
        with_prefix(&self.names, prefix)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &u64)> {
        self.names.iter()
    }

    pub(super) fn into_names(self) -> impl Iterator<Item = String> {
        self.names.into_keys()
    }
}
