//! What a store must be able to do so that batches can be applied to it.

use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, Timestamp, Unique};

/// The writer of a journal, and its latest event.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct JournalHead {
    pub(crate) writer: u64,
    pub(crate) sequence: u64,
}

/// The tables of a store within one transaction.
pub(crate) trait Tables {
    type Error;

    /// Stores new jobs, each with the time of its submission, under the next numbers.
    fn insert(&mut self, jobs: &[(&NewJob, Timestamp)]) -> Result<Vec<JobId>, Self::Error>;

    fn get(&mut self, id: JobId) -> Result<Option<JobRecord>, Self::Error>;

    /// Replaces a job, without its payload and its options.
    fn update(&mut self, record: JobRecord) -> Result<(), Self::Error>;

    /// Stores that the next attempts of jobs run, which were leased at once: their numbers, their
    /// process and their start.
    fn start(&mut self, records: &[JobRecord]) -> Result<(), Self::Error> {
        records.iter().try_for_each(|record| self.update(record.clone()))
    }

    /// Ends those of the jobs that it can end without reading them, if this attempt of each runs:
    /// they have completed with one output. Returns them: the records decide on the others. Most
    /// jobs complete at their first attempt.
    fn complete(
        &mut self,
        _jobs: &[JobId],
        _attempt: u32,
        _output: Option<&Payload>,
        _now: Timestamp,
    ) -> Result<Vec<JobId>, Self::Error> {
        Ok(Vec::new())
    }

    fn remove(&mut self, id: JobId) -> Result<(), Self::Error>;

    /// Returns a job of the queue that is the same by this rule, and was submitted since.
    fn find_unique(
        &mut self,
        queue: &str,
        unique: &Unique,
        since: Timestamp,
    ) -> Result<Option<JobId>, Self::Error>;

    /// Queues the delayed jobs that are due.
    fn promote(&mut self, queue: &str, now: Timestamp) -> Result<(), Self::Error>;

    /// Returns up to `max` queued jobs by priority and number, of each key the first, and none of a
    /// key of which a job runs.
    fn ready(&mut self, queue: &str, max: usize) -> Result<Vec<JobRecord>, Self::Error>;

    /// Returns when the next delayed job is due.
    fn next_due(&mut self, queue: &str) -> Result<Option<Timestamp>, Self::Error>;

    fn is_paused(&mut self, queue: &str) -> Result<bool, Self::Error>;

    fn set_paused(&mut self, queue: &str, paused: bool) -> Result<(), Self::Error>;

    /// Returns up to `max` jobs whose retention was over at a time.
    fn outlived(&mut self, now: Timestamp, max: usize) -> Result<Vec<JobId>, Self::Error>;

    fn journal(&mut self, journal: &str) -> Result<Option<JournalHead>, Self::Error>;

    fn set_journal(&mut self, journal: &str, head: JournalHead) -> Result<(), Self::Error>;

    /// Stores an event under the next position.
    fn append(&mut self, journal: &str, sequence: u64, event: &Payload) -> Result<(), Self::Error>;

    /// Replaces the snapshot of a journal.
    fn set_snapshot(&mut self, journal: &str, sequence: u64, state: &Payload) -> Result<(), Self::Error>;

    /// Removes the events and the snapshot of a journal.
    fn erase(&mut self, journal: &str) -> Result<(), Self::Error>;
}
