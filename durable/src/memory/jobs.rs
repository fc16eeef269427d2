//! The jobs of the store in memory, with their indexes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::record::{JobId, JobRecord, RecordState, Timestamp};

/// The jobs of one queue that wait, in the order in which they start.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    queued: BTreeSet<(Reverse<u8>, JobId)>,
    delayed: BTreeSet<(Timestamp, JobId)>,
    /// How many jobs of each key run.
    running_keys: HashMap<String, usize>,
}

/// The jobs by number, and indexes of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    all: BTreeMap<JobId, JobRecord>,
    queues: HashMap<String, Waiting>,
    /// By queue and key.
    unique: HashMap<(String, String), BTreeSet<JobId>>,
    retained: BTreeSet<(Timestamp, JobId)>,
}

impl Jobs {
    pub(super) const fn all(&self) -> &BTreeMap<JobId, JobRecord> {
        &self.all
    }

    /// Replaces or removes a job. Returns the one that was there.
    pub(super) fn set(&mut self, id: JobId, record: Option<JobRecord>) -> Option<JobRecord> {
        let before = self.all.remove(&id);
        if let Some(before) = &before {
            self.index(before, false);
        }
        if let Some(record) = record {
            self.index(&record, true);
            self.all.insert(id, record);
        }
        before
    }

    fn index(&mut self, record: &JobRecord, is_there: bool) {
        let id = record.id;
        let waiting = self.queues.entry(record.job.queue.clone()).or_default();
        match (record.state, &record.job.key) {
            (RecordState::Queued, _) => {
                put(&mut waiting.queued, (Reverse(record.job.priority), id), is_there);
            }
            (RecordState::Delayed, _) => put(&mut waiting.delayed, (record.due, id), is_there),
            (RecordState::Running, Some(key)) => {
                let running = waiting.running_keys.entry(key.clone()).or_default();
                *running = if is_there { *running + 1 } else { running.saturating_sub(1) };
                if *running == 0 {
                    waiting.running_keys.remove(key);
                }
            }
            _ => {}
        }
        if let Some(unique) = &record.job.unique {
            let key = (record.job.queue.clone(), unique.key.clone());
            let same = self.unique.entry(key.clone()).or_default();
            put(same, id, is_there);
            if same.is_empty() {
                self.unique.remove(&key);
            }
        }
        if let Some(until) = record.retained_until {
            put(&mut self.retained, (until, id), is_there);
        }
    }

    /// Returns the jobs with a unique key.
    pub(super) fn same(&self, queue: &str, key: &str) -> impl Iterator<Item = &JobRecord> {
        let ids = self.unique.get(&(queue.to_owned(), key.to_owned()));
        ids.into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    /// Returns the delayed jobs of a queue that are due.
    pub(super) fn due(&self, queue: &str, now: Timestamp) -> Vec<JobId> {
        let delayed = self.queues.get(queue).into_iter().flat_map(|waiting| &waiting.delayed);
        delayed.take_while(|(due, _)| *due <= now).map(|(_, id)| *id).collect()
    }

    pub(super) fn next_due(&self, queue: &str) -> Option<Timestamp> {
        self.queues.get(queue)?.delayed.first().map(|(due, _)| *due)
    }

    /// Returns the queued jobs that may start, of each key the first.
    pub(super) fn ready(&self, queue: &str, max: usize) -> Vec<JobRecord> {
        let Some(waiting) = self.queues.get(queue) else { return Vec::new() };
        let mut keys = BTreeSet::new();
        let queued = waiting.queued.iter().filter_map(|(_, id)| self.all.get(id));
        let may_start = queued.filter(|record| {
            let key = record.job.key.as_deref();
            key.is_none_or(|key| !waiting.running_keys.contains_key(key) && keys.insert(key))
        });
        may_start.take(max).cloned().collect()
    }

    pub(super) fn outlived(&self, now: Timestamp, max: usize) -> Vec<JobId> {
        let over = self.retained.iter().take_while(|(until, _)| *until <= now);
        over.take(max).map(|(_, id)| *id).collect()
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, value: T, is_there: bool) {
    if is_there {
        set.insert(value);
    } else {
        set.remove(&value);
    }
}
