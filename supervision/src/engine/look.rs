//! What there is to see of an engine from outside.

use std::sync::Arc;

use super::core::Engine;
use super::types::{Key, State};
use crate::policy::ChildPolicy;

/// A child, as its supervisor knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'a> {
    pub(crate) key: Key,
    pub(crate) id: &'a Arc<str>,
    pub(crate) policy: &'a ChildPolicy,
    pub(crate) state: &'a State,
    pub(crate) restarts: u64,
}

impl Engine {
    /// Every child, in start order.
    pub(crate) fn sights(&self) -> impl DoubleEndedIterator<Item = Sight<'_>> {
        self.children.iter().map(|(key, entry)| Sight {
            key,
            id: &entry.id,
            policy: &entry.policy,
            state: &entry.state,
            restarts: entry.restarts,
        })
    }

    /// One child.
    pub(crate) fn sight(&self, key: Key) -> Option<Sight<'_>> {
        self.children.get(key).map(|entry| Sight {
            key,
            id: &entry.id,
            policy: &entry.policy,
            state: &entry.state,
            restarts: entry.restarts,
        })
    }

    /// The child of this id, if children are found by that.
    pub(crate) fn find(&self, id: &str) -> Option<Key> {
        self.children.find(id)
    }
}
