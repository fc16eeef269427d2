//! What there is to see of an engine from outside.

use std::sync::Arc;

use super::children::Entry;
use super::core::Engine;
use super::types::{ChildKey, StartCause, State};
use crate::policy::ChildPolicy;
use crate::tree::ChildState;

/// A child, as its supervisor knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildView<'a> {
    pub(crate) key: ChildKey,
    pub(crate) id: &'a Arc<str>,
    pub(crate) policy: &'a ChildPolicy,
    /// What others are told that it is doing: trees, lists and counts all tell this.
    pub(crate) shown: ChildState,
    pub(crate) restarts: u64,
    #[cfg(test)]
    pub(crate) state: &'a State,
}

/// Returns what others are told that a child is doing.
const fn shown(entry: &Entry, is_leaving: bool, is_group_restart: bool) -> ChildState {
    match &entry.state {
        State::Starting { cause: StartCause::Transition, .. } if is_group_restart => ChildState::Restarting,
        // Its mailbox takes messages for the incarnation whose turn is still to come.
        State::Stopped if entry.mailbox_open && !is_leaving => ChildState::Waiting,
        State::Stopped => ChildState::Stopped,
        // OTP tells nothing during a restart, and that it is restarting after one that failed.
        State::Starting { cause: StartCause::Restart, .. }
        | State::Ended { .. }
        | State::Restarting { .. } => ChildState::Restarting,
        State::Starting { .. } => ChildState::Starting,
        State::Running { .. } => ChildState::Running,
        State::Stopping(_) => ChildState::Stopping,
    }
}

impl Engine {
    /// Every child, in start order.
    pub(crate) fn sights(&self) -> impl DoubleEndedIterator<Item = ChildView<'_>> {
        self.children.iter().map(|(key, entry)| self.sight_of(key, entry))
    }

    /// One child.
    pub(crate) fn sight(&self, key: ChildKey) -> Option<ChildView<'_>> {
        self.children.get(key).map(|entry| self.sight_of(key, entry))
    }

    fn sight_of<'a>(&self, key: ChildKey, entry: &'a Entry) -> ChildView<'a> {
        ChildView {
            key,
            id: &entry.id,
            policy: &entry.policy,
            shown: shown(entry, self.is_leaving(), self.is_group_restart()),
            restarts: entry.restarts,
            #[cfg(test)]
            state: &entry.state,
        }
    }

    /// The child of this id, if children are found by that.
    pub(crate) fn find(&self, id: &str) -> Option<ChildKey> {
        self.children.find(id)
    }
}
