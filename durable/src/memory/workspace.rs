//! A part of a store in a server, in memory: what a group of batches needs is loaded, the batches
//! are applied to it, and what has changed is written back.

use std::collections::{BTreeMap, BTreeSet};

use super::state::MemoryState;
use crate::batch::{Applied, Conflict, Op};
use crate::engine::JournalHead;
use crate::record::{Epoch, JobId, JobRecord, Timestamp};
use crate::store::{StoredEvent, StoredSnapshot};

/// The loaded part of a store, to which batches are applied as to the store in memory.
#[derive(Debug)]
pub(crate) struct Workspace {
    state: MemoryState,
    loaded: BTreeSet<JobId>,
    heads: BTreeMap<String, JournalHead>,
    erased: BTreeSet<String>,
    paused: BTreeMap<String, bool>,
}

/// What is to be written back.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    /// New jobs.
    pub(crate) inserted: Vec<&'a JobRecord>,
    /// Jobs that may have changed.
    pub(crate) updated: Vec<&'a JobRecord>,
    pub(crate) removed: Vec<JobId>,
    /// Queues that are paused or not from now on.
    pub(crate) paused: Vec<(&'a str, bool)>,
    /// Journals of which the earlier events and the snapshot are removed.
    pub(crate) erased: Vec<&'a str>,
    pub(crate) heads: Vec<(&'a str, JournalHead)>,
    /// New events, in order.
    pub(crate) events: Vec<&'a StoredEvent>,
    pub(crate) snapshots: Vec<(&'a str, &'a StoredSnapshot)>,
}

impl Workspace {
    /// Makes an empty part, with the numbers of the jobs that will be stored.
    pub(crate) fn new(numbers: impl IntoIterator<Item = JobId>) -> Self {
        let mut state = MemoryState::default();
        state.reserved.extend(numbers);
        state.touched = Some(BTreeSet::new());
        Self {
            state,
            loaded: BTreeSet::new(),
            heads: BTreeMap::new(),
            erased: BTreeSet::new(),
            paused: BTreeMap::new(),
        }
    }

    /// Loads a job, unless it is there.
    pub(crate) fn load_job(&mut self, record: JobRecord) {
        if self.loaded.insert(record.id) {
            self.state.jobs.set(record.id, Some(record));
        }
    }

    pub(crate) fn load_paused(&mut self, queue: String) {
        self.state.paused.insert(queue);
    }

    pub(crate) fn load_journal(&mut self, name: String, head: JournalHead) {
        self.state.journals.entry(name.clone()).or_default().head = head;
        self.heads.insert(name, head);
    }

    /// Applies operations of a batch, all or none.
    pub(crate) fn apply(
        &mut self,
        now: Timestamp,
        ops: &[Op],
        epoch: Epoch,
    ) -> Result<Vec<Applied>, (usize, Conflict)> {
        let applied = self.state.apply(now, ops, epoch)?;
        for (op, applied) in ops.iter().zip(&applied) {
            match (op, applied) {
                (Op::Pause { queue, paused }, _) => {
                    self.paused.insert(queue.clone(), *paused);
                }
                (Op::Erase { journal }, Applied::Changed(true)) => {
                    self.erased.insert(journal.clone());
                }
                _ => {}
            }
        }
        Ok(applied)
    }

    /// Returns what has changed since it was loaded.
    pub(crate) fn changes(&self) -> Changes<'_> {
        let mut changes = Changes::default();
        for id in self.state.touched.iter().flatten() {
            match (self.state.jobs.all().get(id), self.loaded.contains(id)) {
                (Some(record), true) => changes.updated.push(record),
                (Some(record), false) => changes.inserted.push(record),
                (None, true) => changes.removed.push(*id),
                (None, false) => {}
            }
        }
        changes.paused = self.paused.iter().map(|(queue, paused)| (queue.as_str(), *paused)).collect();
        changes.erased = self.erased.iter().map(String::as_str).collect();
        for (name, journal) in &self.state.journals {
            if self.heads.get(name).copied().unwrap_or_default() != journal.head {
                changes.heads.push((name, journal.head));
            }
            changes.snapshots.extend(journal.snapshot.as_ref().map(|snapshot| (name.as_str(), snapshot)));
        }
        changes.events = self.state.feed.values().collect();
        changes
    }
}
