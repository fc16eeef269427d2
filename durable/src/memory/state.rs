//! The tables of the store in memory, and how a batch is undone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;

use super::jobs::Jobs;
use crate::batch::{Applied, Conflict, Op};
use crate::engine::{ApplyError, JournalHead, Tables, apply};
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, NewJob, RecordState, Timestamp, Unique};
use crate::store::{EventFilter, JobFilter, QueueInfo, StoredEvent, StoredSnapshot};

/// All that a store knows, as plain values. A clone is a copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryState {
    pub(super) jobs: Jobs,
    pub(super) paused: BTreeSet<String>,
    pub(super) journals: BTreeMap<String, Journal>,
    pub(super) feed: BTreeMap<u64, StoredEvent>,
    /// The numbers of the next jobs; after them, the one after the last.
    pub(super) reserved: VecDeque<JobId>,
    /// The jobs that were stored, changed or removed; `None` if it does not matter.
    pub(super) touched: Option<BTreeSet<JobId>>,
    last_job: u64,
    last_position: u64,
    last_epoch: u64,
    ended_epochs: BTreeSet<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    pub(super) head: JournalHead,
    /// The positions of the events.
    events: Vec<u64>,
    pub(super) snapshot: Option<StoredSnapshot>,
}

/// What a change replaced.
enum Undo {
    Job(JobId, Option<Box<JobRecord>>),
    Paused(String, bool),
    Journal(String, Option<Journal>),
    Head(String, JournalHead),
    Event(String),
    Snapshot(String, Option<StoredSnapshot>),
    Erased(Vec<StoredEvent>),
}

/// A batch in progress.
struct Transaction<'a> {
    state: &'a mut MemoryState,
    undo: Vec<Undo>,
}

impl MemoryState {
    /// Begins the epoch of a process. The epochs of processes that still live go on.
    pub(crate) fn begin_epoch(&mut self) -> Epoch {
        self.last_epoch += 1;
        Epoch(self.last_epoch)
    }

    /// Ends all epochs.
    pub(crate) fn end_epochs(&mut self) {
        self.ended_epochs.extend(1..=self.last_epoch);
    }

    pub(crate) fn end_epoch(&mut self, epoch: Epoch) {
        self.ended_epochs.insert(epoch.0);
    }

    pub(crate) fn has_ended(&self, epoch: Epoch) -> bool {
        self.ended_epochs.contains(&epoch.0)
    }

    /// Applies operations of a batch, all or none.
    pub(crate) fn apply(
        &mut self,
        now: Timestamp,
        ops: &[Op],
        epoch: Epoch,
    ) -> Result<Vec<Applied>, (usize, Conflict)> {
        let numbers = (self.last_job, self.last_position);
        let mut transaction = Transaction { state: self, undo: Vec::new() };
        match apply(&mut transaction, now, ops, epoch) {
            Ok(applied) => Ok(applied),
            Err(ApplyError::Conflict { op, conflict }) => {
                transaction.roll_back();
                (self.last_job, self.last_position) = numbers;
                Err((op, conflict))
            }
            Err(ApplyError::Store(never)) => match never {},
        }
    }

    pub(crate) fn job(&self, id: JobId) -> Option<JobRecord> {
        self.jobs.all().get(&id).cloned()
    }

    pub(crate) fn jobs(&self, filter: &JobFilter) -> Vec<JobRecord> {
        let first = JobId(filter.after.map_or(0, |id| id.0.saturating_add(1)));
        let all = self.jobs.all().range(first..).map(|(_, record)| record);
        let matching = all.filter(|record| {
            filter.queue.as_ref().is_none_or(|queue| *queue == record.job.queue)
                && filter.state.is_none_or(|state| state == record.state)
        });
        matching.take(limit(filter.max)).cloned().collect()
    }

    pub(crate) fn orphans(&self, queue: &str, max: usize) -> Vec<JobRecord> {
        let lost = |record: &&JobRecord| {
            record.job.queue == queue
                && record.state == RecordState::Running
                && record.epoch.is_none_or(|epoch| self.has_ended(epoch))
        };
        self.jobs.all().values().filter(lost).take(max).cloned().collect()
    }

    pub(crate) fn queue(&self, queue: &str) -> QueueInfo {
        QueueInfo { jobs: self.jobs.counts(queue), paused: self.paused.contains(queue) }
    }

    pub(crate) fn queues(&self) -> BTreeMap<String, QueueInfo> {
        let names: BTreeSet<&String> = self.jobs.queues().chain(&self.paused).collect();
        let queues = names.into_iter().map(|queue| (queue.clone(), self.queue(queue)));
        queues.filter(|(_, info)| info.paused || !info.jobs.is_empty()).collect()
    }

    pub(crate) fn events(&self, filter: &EventFilter) -> Vec<StoredEvent> {
        let max = limit(filter.max);
        let Some(journal) = &filter.journal else {
            let after = filter.after.saturating_add(1);
            return self.feed.range(after..).take(max).map(|(_, event)| event.clone()).collect();
        };
        let positions = self.journals.get(journal).map_or(&[][..], |journal| &journal.events);
        let skipped = filter.after.try_into().unwrap_or(usize::MAX);
        let events = positions.iter().skip(skipped).filter_map(|position| self.feed.get(position));
        events.take(max).cloned().collect()
    }

    pub(crate) fn snapshot(&self, journal: &str) -> Option<StoredSnapshot> {
        self.journals.get(journal)?.snapshot.clone()
    }
}

const fn limit(max: usize) -> usize {
    if max == 0 { usize::MAX } else { max }
}

impl Transaction<'_> {
    fn set_job(&mut self, id: JobId, record: Option<JobRecord>) {
        let before = self.state.jobs.set(id, record);
        if let Some(touched) = &mut self.state.touched {
            touched.insert(id);
        }
        self.undo.push(Undo::Job(id, before.map(Box::new)));
    }

    fn roll_back(self) {
        let Self { state, undo } = self;
        for change in undo.into_iter().rev() {
            match change {
                Undo::Job(id, before) => {
                    state.jobs.set(id, before.map(|record| *record));
                }
                Undo::Paused(queue, true) => {
                    state.paused.insert(queue);
                }
                Undo::Paused(queue, false) => {
                    state.paused.remove(&queue);
                }
                Undo::Journal(name, Some(before)) => {
                    state.journals.insert(name, before);
                }
                Undo::Journal(name, None) => {
                    state.journals.remove(&name);
                }
                Undo::Head(name, head) => state.journals.entry(name).or_default().head = head,
                Undo::Event(name) => {
                    let position = state.journals.entry(name).or_default().events.pop();
                    position.and_then(|position| state.feed.remove(&position));
                }
                Undo::Snapshot(name, before) => {
                    state.journals.entry(name).or_default().snapshot = before;
                }
                Undo::Erased(events) => {
                    state.feed.extend(events.into_iter().map(|event| (event.position, event)));
                }
            }
        }
    }
}

impl Tables for Transaction<'_> {
    type Error = Infallible;

    fn insert(&mut self, jobs: &[(&NewJob, Timestamp)]) -> Result<Vec<JobId>, Infallible> {
        let ids = jobs.iter().map(|(job, now)| {
            let id = self.state.reserved.pop_front().unwrap_or(JobId(self.state.last_job + 1));
            self.state.last_job = id.0;
            self.set_job(id, Some(JobRecord::new(id, (*job).clone(), *now)));
            id
        });
        Ok(ids.collect())
    }

    fn get(&mut self, id: JobId) -> Result<Option<JobRecord>, Infallible> {
        Ok(self.state.job(id))
    }

    fn update(&mut self, record: JobRecord) -> Result<(), Infallible> {
        self.set_job(record.id, Some(record));
        Ok(())
    }

    fn remove(&mut self, id: JobId) -> Result<(), Infallible> {
        self.set_job(id, None);
        Ok(())
    }

    fn find_unique(
        &mut self,
        queue: &str,
        unique: &Unique,
        since: Timestamp,
    ) -> Result<Option<JobId>, Infallible> {
        let mut same = self.state.jobs.same(queue, &unique.key);
        let counts = |record: &&JobRecord| {
            record.submitted >= since && (unique.over_counts || !record.state.is_over())
        };
        Ok(same.find(counts).map(|record| record.id))
    }

    fn promote(&mut self, queue: &str, now: Timestamp) -> Result<(), Infallible> {
        for id in self.state.jobs.due(queue, now) {
            if let Some(mut record) = self.state.job(id) {
                record.state = RecordState::Queued;
                self.set_job(id, Some(record));
            }
        }
        Ok(())
    }

    fn ready(&mut self, queue: &str, max: usize) -> Result<Vec<JobRecord>, Infallible> {
        Ok(self.state.jobs.ready(queue, max))
    }

    fn next_due(&mut self, queue: &str) -> Result<Option<Timestamp>, Infallible> {
        Ok(self.state.jobs.next_due(queue))
    }

    fn is_paused(&mut self, queue: &str) -> Result<bool, Infallible> {
        Ok(self.state.paused.contains(queue))
    }

    fn set_paused(&mut self, queue: &str, paused: bool) -> Result<(), Infallible> {
        let was_paused = self.state.paused.contains(queue);
        self.undo.push(Undo::Paused(queue.to_owned(), was_paused));
        if paused {
            self.state.paused.insert(queue.to_owned());
        } else {
            self.state.paused.remove(queue);
        }
        Ok(())
    }

    fn outlived(&mut self, now: Timestamp, max: usize) -> Result<Vec<JobId>, Infallible> {
        Ok(self.state.jobs.outlived(now, max))
    }

    fn journal(&mut self, journal: &str) -> Result<Option<JournalHead>, Infallible> {
        Ok(self.state.journals.get(journal).map(|journal| journal.head))
    }

    fn set_journal(&mut self, journal: &str, head: JournalHead) -> Result<(), Infallible> {
        let name = journal.to_owned();
        match self.state.journals.get_mut(journal) {
            Some(there) => {
                self.undo.push(Undo::Head(name, there.head));
                there.head = head;
            }
            None => {
                self.undo.push(Undo::Journal(name.clone(), None));
                self.state.journals.insert(name, Journal { head, ..Journal::default() });
            }
        }
        Ok(())
    }

    fn append(&mut self, journal: &str, sequence: u64, event: &Payload) -> Result<(), Infallible> {
        self.state.last_position += 1;
        let position = self.state.last_position;
        let name = journal.to_owned();
        self.state.journals.entry(name.clone()).or_default().events.push(position);
        self.undo.push(Undo::Event(name.clone()));
        let event = StoredEvent { position, journal: name, sequence, payload: event.clone() };
        self.state.feed.insert(position, event);
        Ok(())
    }

    fn set_snapshot(&mut self, journal: &str, sequence: u64, state: &Payload) -> Result<(), Infallible> {
        let name = journal.to_owned();
        let snapshot = StoredSnapshot { sequence, state: state.clone() };
        let before = self.state.journals.entry(name.clone()).or_default().snapshot.replace(snapshot);
        self.undo.push(Undo::Snapshot(name, before));
        Ok(())
    }

    fn erase(&mut self, journal: &str) -> Result<(), Infallible> {
        let Some(erased) = self.state.journals.get_mut(journal) else { return Ok(()) };
        let before = std::mem::replace(erased, Journal { head: erased.head, ..Journal::default() });
        let events = before.events.iter().filter_map(|position| self.state.feed.remove(position));
        self.undo.push(Undo::Erased(events.collect()));
        self.undo.push(Undo::Journal(journal.to_owned(), Some(before)));
        Ok(())
    }
}
