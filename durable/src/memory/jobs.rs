//! The jobs of the store in memory, with their indexes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::record::{JobId, JobRecord, RecordState, Timestamp};

/// The jobs of one queue: those that wait, in the order in which they start.
#[derive(Clone, Debug, Default)]
struct Queue {
    queued: BTreeSet<(Reverse<u8>, JobId)>,
    delayed: BTreeSet<(Timestamp, JobId)>,
    /// How many jobs of each key run.
    running_keys: HashMap<String, usize>,
    /// By their keys.
    unique: HashMap<String, BTreeSet<JobId>>,
    /// How many jobs are in each state.
    counts: BTreeMap<RecordState, u64>,
}

/// The jobs by number, and indexes of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    all: BTreeMap<JobId, JobRecord>,
    indexes: Indexes,
}

#[derive(Clone, Debug, Default)]
struct Indexes {
    queues: HashMap<String, Queue>,
    retained: BTreeSet<(Timestamp, JobId)>,
}

impl Jobs {
    pub(super) const fn all(&self) -> &BTreeMap<JobId, JobRecord> {
        &self.all
    }

    /// Replaces or removes a job. Returns the one that was there.
    pub(super) fn set(&mut self, id: JobId, record: Option<JobRecord>) -> Option<JobRecord> {
        if let Some(before) = self.all.get(&id) {
            self.indexes.set(before, false);
        }
        match record {
            Some(record) => {
                self.indexes.set(&record, true);
                self.all.insert(id, record)
            }
            None => self.all.remove(&id),
        }
    }

    /// Returns how many jobs of a queue are in each state; states without jobs are left out.
    pub(super) fn counts(&self, queue: &str) -> BTreeMap<RecordState, u64> {
        let counts = self.queue(queue).into_iter().flat_map(|queue| &queue.counts);
        counts.filter(|(_, count)| **count > 0).map(|(state, count)| (*state, *count)).collect()
    }

    /// Returns the names of the queues that have had jobs.
    pub(super) fn queues(&self) -> impl Iterator<Item = &String> {
        self.indexes.queues.keys()
    }

    fn queue(&self, queue: &str) -> Option<&Queue> {
        self.indexes.queues.get(queue)
    }

    /// Returns the jobs with a unique key.
    pub(super) fn same(&self, queue: &str, key: &str) -> impl Iterator<Item = &JobRecord> {
        let ids = self.queue(queue).and_then(|queue| queue.unique.get(key));
        ids.into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    /// Returns the delayed jobs of a queue that are due.
    pub(super) fn due(&self, queue: &str, now: Timestamp) -> Vec<JobId> {
        let delayed = self.queue(queue).into_iter().flat_map(|queue| &queue.delayed);
        delayed.take_while(|(due, _)| *due <= now).map(|(_, id)| *id).collect()
    }

    pub(super) fn next_due(&self, queue: &str) -> Option<Timestamp> {
        self.queue(queue)?.delayed.first().map(|(due, _)| *due)
    }

    /// Returns the queued jobs that may start, of each key the first.
    pub(super) fn ready(&self, queue: &str, max: usize) -> Vec<JobRecord> {
        let Some(queue) = self.queue(queue) else { return Vec::new() };
        let mut keys = BTreeSet::new();
        let queued = queue.queued.iter().filter_map(|(_, id)| self.all.get(id));
        let may_start = queued.filter(|record| {
            let key = record.job.key.as_deref();
            key.is_none_or(|key| !queue.running_keys.contains_key(key) && keys.insert(key))
        });
        may_start.take(max).cloned().collect()
    }

    pub(super) fn outlived(&self, now: Timestamp, max: usize) -> Vec<JobId> {
        let over = self.indexes.retained.iter().take_while(|(until, _)| *until <= now);
        over.take(max).map(|(_, id)| *id).collect()
    }
}

impl Indexes {
    /// Adds a job, or removes it as it was added.
    fn set(&mut self, record: &JobRecord, is_there: bool) {
        let name = &record.job.queue;
        if let Some(queue) = self.queues.get_mut(name) {
            queue.set(record, is_there);
        } else {
            self.queues.entry(name.clone()).or_default().set(record, is_there);
        }
        if let Some(until) = record.retained_until {
            put(&mut self.retained, (until, record.id), is_there);
        }
    }
}

impl Queue {
    fn set(&mut self, record: &JobRecord, is_there: bool) {
        let id = record.id;
        let count = self.counts.entry(record.state).or_default();
        *count = if is_there { *count + 1 } else { count.saturating_sub(1) };
        match (record.state, &record.job.key) {
            (RecordState::Queued, _) => {
                put(&mut self.queued, (Reverse(record.job.priority), id), is_there);
            }
            (RecordState::Delayed, _) => put(&mut self.delayed, (record.due, id), is_there),
            (RecordState::Running, Some(key)) => {
                let running = self.running_keys.entry(key.clone()).or_default();
                *running = if is_there { *running + 1 } else { running.saturating_sub(1) };
                if *running == 0 {
                    self.running_keys.remove(key);
                }
            }
            _ => {}
        }
        if let Some(unique) = &record.job.unique {
            let same = self.unique.entry(unique.key.clone()).or_default();
            put(same, id, is_there);
            if same.is_empty() {
                self.unique.remove(&unique.key);
            }
        }
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, value: T, is_there: bool) {
    if is_there {
        set.insert(value);
    } else {
        set.remove(&value);
    }
}
