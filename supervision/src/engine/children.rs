//! The table of children, in start order, and the deadlines that run for them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

use super::types::{ChildPolicy, Key, Run, State, Time};

/// A child and what it is doing.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) policy: ChildPolicy,
    pub(super) state: State,
    pub(super) generation: u32,
    pub(super) restarts: u64,
    deadline: Option<Time>,
}

impl Entry {
    /// Whether there is an incarnation that would have to be stopped.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.state, State::Starting { .. } | State::Running { .. } | State::Stopping { .. })
    }

    /// Whether `run` is the one this child is in.
    pub(super) fn runs(&self, run: Run) -> bool {
        match self.state {
            State::Starting { run: current, .. }
            | State::Running { run: current }
            | State::Stopping { run: current, .. } => current == run,
            State::Stopped | State::Ended { .. } | State::Restarting { .. } => false,
        }
    }
}

/// The children of one supervisor. Keys are in start order, because they are given in it.
#[derive(Debug, Default)]
pub(super) struct Children {
    entries: BTreeMap<Key, Entry>,
    deadlines: BTreeSet<(Time, Key)>,
}

impl Children {
    pub(super) fn add(&mut self, key: Key, policy: ChildPolicy) {
        let entry = Entry { policy, state: State::Stopped, generation: 0, restarts: 0, deadline: None };
        self.entries.insert(key, entry);
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Entry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    /// The keys of a part of the start order, in it.
    pub(super) fn keys(&self, range: impl RangeBounds<Key>) -> Vec<Key> {
        self.entries.range(range).map(|(key, _)| *key).collect()
    }

    /// Puts a child into a state: the deadline of the one before is void, and so is any try that was put off.
    pub(super) fn set(&mut self, key: Key, state: State, deadline: Option<Time>) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if let Some(old) = entry.deadline.take() {
            self.deadlines.remove(&(old, key));
        }
        entry.state = state;
        entry.generation = entry.generation.wrapping_add(1);
        entry.deadline = deadline;
        self.deadlines.extend(deadline.map(|deadline| (deadline, key)));
    }

    /// Forgets a child.
    pub(super) fn remove(&mut self, key: Key) {
        self.set(key, State::Stopped, None);
        self.entries.remove(&key);
    }

    /// When the next deadline passes.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// A child whose deadline has passed.
    pub(super) fn overdue(&self, now: Time) -> Option<Key> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, key)| *key)
    }
}
