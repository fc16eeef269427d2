//! The table of children in start order, and their deadlines.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use perennial_actors::host::SeqMap;

use super::deferred::ChildTransitions;
use super::start_times::StartTimes;
use super::state::{NextStart, State};
use super::types::{ChildKey, StartId, Time};
use crate::policy::ChildPolicy;

/// A child and its state.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: Arc<str>,
    /// Shared with the child's spec, and with other children that have the same.
    pub(super) policy: Arc<ChildPolicy>,
    pub(super) state: State,
    /// Increases with each change of state, which voids every retry that was scheduled before.
    pub(super) generation: u32,
    /// The number of its restarts.
    pub(super) restarts: u64,
    /// The number of restarts in a row without a healthy time in between.
    pub(super) failures: u32,
    /// The starts that count for its start limit. `None` until there is one.
    pub(super) starts: Option<Box<StartTimes>>,
    /// `true` once a start has succeeded.
    pub(super) has_started: bool,
    /// `true` if it was added at runtime, so that the next incarnation of the supervisor does not
    /// start it.
    pub(super) added_at_runtime: bool,
    /// `true` if its mailbox accepts messages.
    pub(super) mailbox_open: bool,
    deadline: Option<Time>,
    /// The number of its start or stop in progress.
    transition: u64,
}

impl Entry {
    pub(super) const fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// Returns `true` if there is an incarnation, which a shutdown would have to stop.
    pub(super) const fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// Returns `true` if the child counts as present for its siblings: it runs and is not being
    /// stopped for good, or it restarts.
    pub(super) fn is_active(&self) -> bool {
        match &self.state {
            State::Stopped | State::Failed => false,
            State::Stopping(stopping) => stopping.unresponsive && stopping.stop_waiters.is_empty(),
            State::Starting { .. }
            | State::Running { .. }
            | State::Ended { .. }
            | State::CheckingCondition { .. }
            | State::Restarting { .. } => true,
        }
    }

    /// Returns `true` if a start is due that restarts the siblings too, or may be due.
    pub(super) fn restarts_its_group(&self) -> bool {
        match &self.state {
            State::Restarting { next, .. } => !matches!(next, NextStart::FirstStart),
            State::CheckingCondition { .. } => !self.retries_first_start(),
            _ => false,
        }
    }

    /// Returns `true` if a failed start is the failure of a first start that is tried again.
    pub(super) fn retries_first_start(&self) -> bool {
        !self.has_started && self.policy.retry_start.is_some()
    }

    /// Returns `true` if `run` is the current start of the child.
    pub(super) fn is_current(&self, run: StartId) -> bool {
        match &self.state {
            State::Starting { run: current, .. } | State::Running { run: current, .. } => *current == run,
            State::Stopping(stopping) => stopping.run == run,
            State::Stopped
            | State::Ended { .. }
            | State::CheckingCondition { .. }
            | State::Restarting { .. }
            | State::Failed => false,
        }
    }
}

/// The children of one supervisor. Keys are assigned in start order.
#[derive(Debug, Default)]
pub(super) struct Children {
    entries: SeqMap<Entry>,
    /// The children that can be found by id.
    ids: HashMap<Arc<str>, ChildKey>,
    deadlines: BTreeSet<(Time, ChildKey)>,
    /// The starts and stops in progress, and the requests that wait for them.
    pub(super) transitions: ChildTransitions,
    next_key: u64,
    live: usize,
}

impl Children {
    /// Adds a child as the last one in start order, with a closed mailbox. It can be found by its
    /// id if `by_id` is set.
    pub(super) fn add(
        &mut self,
        id: Arc<str>,
        policy: Arc<ChildPolicy>,
        by_id: bool,
        added_at_runtime: bool,
    ) -> ChildKey {
        let key = ChildKey(self.next_key);
        self.next_key += 1;
        if by_id {
            self.ids.insert(id.clone(), key);
        }
        let entry = Entry {
            id,
            policy,
            state: State::Stopped,
            generation: 0,
            restarts: 0,
            failures: 0,
            starts: None,
            has_started: false,
            added_at_runtime,
            mailbox_open: false,
            deadline: None,
            transition: 0,
        };
        self.entries.insert(key.0, entry);
        key
    }

    pub(super) fn find(&self, id: &str) -> Option<ChildKey> {
        self.ids.get(id).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the number of children with an incarnation.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    pub(super) fn get(&self, key: ChildKey) -> Option<&Entry> {
        self.entries.get(key.0)
    }

    /// Returns a child for changes of anything but its state. Use [`set`](Self::set) for that.
    pub(super) fn get_mut(&mut self, key: ChildKey) -> Option<&mut Entry> {
        self.entries.get_mut(key.0)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (ChildKey, &Entry)> {
        self.entries.iter().map(|(key, entry)| (ChildKey(key), entry))
    }

    /// Returns all keys, in start order.
    pub(super) fn keys(&self) -> Vec<ChildKey> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// Returns this key and all later ones, in start order.
    pub(super) fn keys_from(&self, first: ChildKey) -> Vec<ChildKey> {
        self.entries.iter_from(first.0).map(|(key, _)| ChildKey(key)).collect()
    }

    /// Sets the state of a child. This voids the deadline of the previous state and every scheduled
    /// retry.
    pub(super) fn set(&mut self, key: ChildKey, state: State, deadline: Option<Time>) {
        let Some(entry) = self.entries.get_mut(key.0) else { return };
        self.live = self.live + usize::from(state.is_live()) - usize::from(entry.is_live());
        match (entry.state.is_in_transition(), state.is_in_transition()) {
            (false, true) => entry.transition = self.transitions.begin(),
            (true, false) => self.transitions.end(key, entry.transition),
            (false, false) | (true, true) => {}
        }
        entry.state = state;
        entry.generation = entry.generation.wrapping_add(1);
        replace(&mut self.deadlines, key, &mut entry.deadline, deadline);
    }

    /// Sets when a [`Tick`](super::Event::Tick) is due for the child in its current state.
    pub(super) fn set_deadline(&mut self, key: ChildKey, deadline: Option<Time>) {
        if let Some(entry) = self.entries.get_mut(key.0) {
            replace(&mut self.deadlines, key, &mut entry.deadline, deadline);
        }
    }

    /// Marks all children as added at runtime, so that the next incarnation of the supervisor
    /// starts none of them.
    pub(super) fn mark_all_added(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.added_at_runtime = true);
    }

    /// Removes a child.
    pub(super) fn remove(&mut self, key: ChildKey) {
        self.set(key, State::Stopped, None);
        if let Some(entry) = self.entries.remove(key.0) {
            if self.ids.get(&entry.id) == Some(&key) {
                self.ids.remove(&entry.id);
            }
        }
    }

    /// Returns the earliest deadline.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Returns a child whose deadline has passed.
    pub(super) fn overdue(&self, now: Time) -> Option<ChildKey> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, key)| *key)
    }
}

/// Replaces the deadline of a child.
fn replace(
    deadlines: &mut BTreeSet<(Time, ChildKey)>,
    key: ChildKey,
    old: &mut Option<Time>,
    new: Option<Time>,
) {
    if let Some(old) = std::mem::replace(old, new) {
        deadlines.remove(&(old, key));
    }
    deadlines.extend(new.map(|new| (new, key)));
}
