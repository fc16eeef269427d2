//! The trait of stores.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::batch::{Applied, Batch};
use crate::error::{CommitError, StoreError};
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, RecordState};

/// The future of an operation of a [`Store`].
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A place that keeps jobs, events and snapshots, and outlives the process.
///
/// Everything that changes is a [`Batch`]. A store takes one after the other, in any order that is
/// consistent with the answers, and answers when a batch is on the disk. It decides nothing about
/// jobs: which failures are retried, and when, is up to the pool.
///
/// # Promises
///
/// [`conformance`](crate::conformance) has a check for each.
///
/// - **Atomic**: a batch is applied as a whole or not at all, also if the process is killed.
/// - **Durable**: a batch that was acknowledged outlives the process and the power.
/// - **Fenced**: the outcome of an attempt is refused unless that attempt runs, and an event unless
///   it comes from the latest writer of its journal.
/// - **Honest**: a failed commit whose outcome is open is reported as such, and never tried again
///   as if it had not been.
///
/// # Processes
///
/// Each process that opens a store gets the next [`Epoch`]. A store of one process ends all earlier
/// epochs when it is opened. A store of many processes has each of them send heartbeats, and ends
/// an epoch whose heartbeats have stopped, by its own clock; such a process, if it still runs, gets
/// [`StoreError::EpochEnded`]. Either way [`orphans`](Self::orphans) returns the jobs that ran in
/// ended epochs, and the [attempt number](crate::JobRecord::attempt) refuses their late outcomes.
///
/// # Cancel safety
///
/// A request is handed over when its method is called, and the batches of one handle are applied in
/// that order, except that a lease may take new jobs that were handed over later. Dropping a future
/// loses the answer, and changes nothing else.
pub trait Store: Debug + Send + Sync + 'static {
    /// Returns the epoch of this process.
    fn epoch(&self) -> Epoch;

    /// Applies a batch, and resolves when it is on the disk, with the effect of each operation.
    ///
    /// # Errors
    ///
    /// The batch, and why it was not applied or may not have been.
    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>>;

    /// Returns a job, or `None` if there is none with this number.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>>;

    /// Returns the jobs that match a filter, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn jobs(&self, filter: JobFilter) -> StoreFuture<Result<Vec<JobRecord>, StoreError>>;

    /// Returns jobs of a queue that ran in epochs that have ended, in the order of their numbers,
    /// and at most `max`. They run until their attempts are [finished](crate::Op::Finish).
    ///
    /// # Errors
    ///
    /// The store failed.
    fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>>;

    /// Returns how many jobs of a queue are in each state, and whether it is paused.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn queue(&self, queue: &str) -> StoreFuture<Result<QueueInfo, StoreError>>;

    /// Returns the same of each queue that has jobs or is paused. It counts, and reads no job.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn queues(&self) -> StoreFuture<Result<BTreeMap<String, QueueInfo>, StoreError>>;

    /// Returns the events that match a filter, in the order of their positions.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn events(&self, filter: EventFilter) -> StoreFuture<Result<Vec<StoredEvent>, StoreError>>;

    /// Returns the latest snapshot of a journal, or `None` if it has none.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn snapshot(&self, journal: &str) -> StoreFuture<Result<Option<StoredSnapshot>, StoreError>>;

    /// Checks all stored data. It takes as long as reading all of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] with what is damaged, or the store failed.
    fn check(&self) -> StoreFuture<Result<(), StoreError>>;

    /// Returns a number that changes when a batch that [adds](Batch::adds) has been committed, by
    /// whichever process: there may be jobs to lease, or new events. Postgres tells by `NOTIFY`.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Returns a number that changes when the epoch of another process has ended: there may be
    /// orphans. It never changes in a store of one process.
    fn ended_epochs(&self) -> watch::Receiver<u64>;
}

/// Which jobs a caller asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct JobFilter {
    /// Only jobs of this queue.
    pub queue: Option<String>,
    /// Only jobs in this state.
    pub state: Option<RecordState>,
    /// Only jobs with a greater number, to go on after the last of an earlier answer.
    pub after: Option<JobId>,
    /// At most this many jobs; 0 is no limit.
    pub max: usize,
}

/// The jobs of a queue, counted.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct QueueInfo {
    /// How many jobs are in each state; states without jobs are left out.
    pub jobs: BTreeMap<RecordState, u64>,
    /// The queue leases no jobs.
    pub paused: bool,
}

impl QueueInfo {
    /// Adds jobs in the state of a name, as counted by a database.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn add(&mut self, state: &str, count: u64) {
        if let Some(state) = RecordState::from_name(state)
            && count > 0
        {
            *self.jobs.entry(state).or_default() += count;
        }
    }

    /// Returns the number of jobs in a state.
    #[must_use]
    pub fn count(&self, state: RecordState) -> u64 {
        self.jobs.get(&state).copied().unwrap_or_default()
    }
}

/// Which events a caller asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventFilter {
    /// Only events of this journal; `None` asks for those of all journals, in the order of their
    /// commits.
    pub journal: Option<String>,
    /// Only events with a greater sequence number, if a journal is named, and otherwise with a
    /// greater position.
    pub after: u64,
    /// At most this many events; 0 is no limit.
    pub max: usize,
}

/// An event as it is stored.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The place of the event among those of all journals. Positions ascend in the order of
    /// commits, and may have gaps.
    pub position: u64,
    /// The journal.
    pub journal: String,
    /// The place of the event in its journal; the first is 1, and there are no gaps.
    pub sequence: u64,
    /// The event.
    pub payload: Payload,
}

/// A snapshot as it is stored.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StoredSnapshot {
    /// The sequence number of the latest event that the state includes.
    pub sequence: u64,
    /// The state.
    pub state: Payload,
}
