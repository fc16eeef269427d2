//! The table of children, in start order, and the deadlines that run for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::deferred::Transitions;
use super::types::{ChildKey, StartId, State, Time};
use crate::chunk_map::ChunkMap;
use crate::policy::ChildPolicy;

/// A child and what it is doing.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: Arc<str>,
    pub(super) policy: ChildPolicy,
    pub(super) state: State,
    /// Grows with every change of state, so that whatever was put off before is void.
    pub(super) generation: u32,
    /// How often it was restarted.
    pub(super) restarts: u64,
    /// How often in a row, without having been healthy in between.
    pub(super) failures: u32,
    /// Whether it was started by hand, so that it does not come back with its supervisor.
    pub(super) added_at_runtime: bool,
    /// Whether its mailbox takes messages.
    pub(super) mailbox_open: bool,
    deadline: Option<Time>,
}

impl Entry {
    /// Whether there is an incarnation that would have to be stopped.
    pub(super) const fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// Whether it is there for its siblings: it lives and is not on its way out for good, or it is being restarted.
    pub(super) fn is_active(&self) -> bool {
        match &self.state {
            State::Stopped => false,
            State::Stopping(stopping) => stopping.unresponsive && stopping.stop_waiters.is_empty(),
            State::Starting { .. }
            | State::Running { .. }
            | State::Ended { .. }
            | State::Restarting { .. } => true,
        }
    }

    /// Whether `run` is the one this child is in.
    pub(super) fn runs(&self, run: StartId) -> bool {
        match &self.state {
            State::Starting { run: current, .. } | State::Running { run: current, .. } => *current == run,
            State::Stopping(stopping) => stopping.run == run,
            State::Stopped | State::Ended { .. } | State::Restarting { .. } => false,
        }
    }
}

/// The children of one supervisor. Keys are in start order, because they are given in it.
#[derive(Debug, Default)]
pub(super) struct Children {
    entries: ChunkMap<Entry>,
    /// Only of those that have an id of their own.
    ids: HashMap<Arc<str>, ChildKey>,
    deadlines: BTreeSet<(Time, ChildKey)>,
    /// The starts and stops that go on, and the requests that wait for them.
    pub(super) transitions: Transitions,
    next_key: u64,
    live: usize,
}

impl Children {
    /// Takes a child in, as the last in start order. It is found by its id if it is `by_id`. Its
    /// mailbox is closed.
    pub(super) fn add(&mut self, id: Arc<str>, policy: ChildPolicy, by_id: bool, brought: bool) -> ChildKey {
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
            added_at_runtime: brought,
            mailbox_open: false,
            deadline: None,
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

    /// How many have an incarnation that would have to be stopped.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    pub(super) fn get(&self, key: ChildKey) -> Option<&Entry> {
        self.entries.get(key.0)
    }

    /// To change anything but the state, which is for [`set`](Self::set).
    pub(super) fn get_mut(&mut self, key: ChildKey) -> Option<&mut Entry> {
        self.entries.get_mut(key.0)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (ChildKey, &Entry)> {
        self.entries.iter().map(|(key, entry)| (ChildKey(key), entry))
    }

    /// All keys, in start order.
    pub(super) fn keys(&self) -> Vec<ChildKey> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// This key and those after it, in start order.
    pub(super) fn keys_from(&self, first: ChildKey) -> Vec<ChildKey> {
        self.entries.iter_from(first.0).map(|(key, _)| ChildKey(key)).collect()
    }

    /// Puts a child into a state: the deadline of the one before is void, and so is any try that was put off.
    pub(super) fn set(&mut self, key: ChildKey, state: State, deadline: Option<Time>) {
        let Some(entry) = self.entries.get_mut(key.0) else { return };
        self.live = self.live + usize::from(state.is_live()) - usize::from(entry.is_live());
        match (entry.state.is_in_transition(), state.is_in_transition()) {
            (false, true) => self.transitions.begin(key),
            (true, false) => self.transitions.end(key),
            (false, false) | (true, true) => {}
        }
        entry.state = state;
        entry.generation = entry.generation.wrapping_add(1);
        replace(&mut self.deadlines, key, &mut entry.deadline, deadline);
    }

    /// Sets when a [`Tick`](super::LifecycleEvent::Tick) is due for the child as it is.
    pub(super) fn set_deadline(&mut self, key: ChildKey, deadline: Option<Time>) {
        if let Some(entry) = self.entries.get_mut(key.0) {
            replace(&mut self.deadlines, key, &mut entry.deadline, deadline);
        }
    }

    /// From now on nobody comes back with the supervisor, unless it is said again.
    pub(super) fn mark_all_added(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.added_at_runtime = true);
    }

    /// Forgets a child.
    pub(super) fn remove(&mut self, key: ChildKey) {
        self.set(key, State::Stopped, None);
        if let Some(entry) = self.entries.remove(key.0) {
            if self.ids.get(&entry.id) == Some(&key) {
                self.ids.remove(&entry.id);
            }
        }
    }

    /// When the next deadline passes.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// A child whose deadline has passed.
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
