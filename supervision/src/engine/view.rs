//! Read access to the children of an engine.

use std::sync::Arc;

use super::children::Entry;
use super::core::Engine;
use super::state::{StartCause, State};
use super::types::{ChildKey, Time};
use crate::policy::ChildPolicy;
use crate::tree::ChildState;

/// A child, as its supervisor knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildView<'a> {
    pub(crate) key: ChildKey,
    pub(crate) id: &'a Arc<str>,
    pub(crate) policy: &'a ChildPolicy,
    /// The state that trees, lists and counts all show.
    pub(crate) shown: ChildState,
    pub(crate) restarts: u64,
    /// Whether it was killed and when its time is over, if it is being stopped.
    pub(crate) stop: Option<(bool, Option<Time>)>,
    #[cfg(test)]
    pub(crate) state: &'a State,
}

/// Returns the state of a child that others see.
const fn shown(entry: &Entry, is_stopping_or_ended: bool, is_group_restart: bool) -> ChildState {
    match &entry.state {
        State::Starting { cause: StartCause::Transition, .. } if is_group_restart => ChildState::Restarting,
        // Its mailbox is open for the incarnation that is due later.
        State::Stopped if entry.mailbox_open && !is_stopping_or_ended => ChildState::Waiting,
        State::Stopped => ChildState::Stopped,
        // OTP shows nothing during a restart, and `restarting` after a restart that failed.
        State::Starting { cause: StartCause::Restart | StartCause::FirstStart, .. }
        | State::Ended { .. }
        | State::CheckingCondition { .. }
        | State::Restarting { .. } => ChildState::Restarting,
        State::Starting { .. } => ChildState::Starting,
        State::Running { .. } => ChildState::Running,
        State::Stopping(_) => ChildState::Stopping,
        State::Failed => ChildState::Failed,
    }
}

impl Engine {
    /// Returns all children, in start order.
    pub(crate) fn views(&self) -> impl DoubleEndedIterator<Item = ChildView<'_>> {
        self.children.iter().map(|(key, entry)| self.view_of(key, entry))
    }

    /// Returns one child.
    pub(crate) fn view(&self, key: ChildKey) -> Option<ChildView<'_>> {
        self.children.get(key).map(|entry| self.view_of(key, entry))
    }

    fn view_of<'a>(&self, key: ChildKey, entry: &'a Entry) -> ChildView<'a> {
        ChildView {
            key,
            id: &entry.id,
            policy: &entry.policy,
            shown: shown(entry, self.is_stopping_or_ended(), self.is_group_restart()),
            restarts: entry.restarts,
            stop: match &entry.state {
                State::Stopping(stopping) => Some((stopping.killed, entry.deadline())),
                _ => None,
            },
            #[cfg(test)]
            state: &entry.state,
        }
    }

    /// Returns how many restarts the supervisor tolerates at `now`.
    pub(crate) fn restarts_left_at(&self, now: Time) -> u32 {
        self.window.left_at(now, self.children.len())
    }

    /// Returns the child with this id, if children of this supervisor can be found by id.
    pub(crate) fn find(&self, id: &str) -> Option<ChildKey> {
        self.children.find(id)
    }
}
