//! The handle of a store in memory.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use perennial_actors::host::sync::Mutex;
use tokio::sync::watch;

use super::state::MemoryState;
use crate::batch::{Applied, Batch};
use crate::error::{CommitError, CommitErrorKind, StoreError};
use crate::record::{Epoch, JobId, JobRecord};
use crate::store::{EventFilter, JobFilter, QueueInfo, Store, StoreFuture, StoredEvent, StoredSnapshot};

/// A store in memory. It ends with its process: it is for tests, and for pools that need the
/// features of durable ones and nothing durable.
///
/// # Examples
///
/// ```
/// use perennial_durable::{MemoryStore, Store};
///
/// let store = MemoryStore::new();
/// let after_a_restart = store.restart();
/// assert!(store.epoch() < after_a_restart.epoch());
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    epoch: Epoch,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<MemoryState>,
    changes: watch::Sender<u64>,
    ended_epochs: watch::Sender<u64>,
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        let mut state = MemoryState::default();
        let epoch = state.begin_epoch();
        let (changes, ended_epochs) = (watch::Sender::new(0), watch::Sender::new(0));
        let shared = Shared { state: Mutex::new(state), changes, ended_epochs };
        Self { epoch, shared: Arc::new(shared) }
    }

    /// Returns the handle of a process that starts after all others have ended. Earlier handles
    /// cannot commit any more.
    #[must_use]
    pub fn restart(&self) -> Self {
        let mut state = self.shared.state.lock();
        state.end_epochs();
        let epoch = state.begin_epoch();
        drop(state);
        Self { epoch, shared: self.shared.clone() }
    }

    /// Returns the handle of another process, beside those that live.
    #[must_use]
    pub fn join(&self) -> Self {
        let epoch = self.shared.state.lock().begin_epoch();
        Self { epoch, shared: self.shared.clone() }
    }

    /// Ends the epoch of this handle, as if its process had been killed or were frozen for too
    /// long.
    pub fn end(&self) {
        self.shared.state.lock().end_epoch(self.epoch);
        self.shared.ended_epochs.send_modify(|number| *number += 1);
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&MemoryState) -> T,
    ) -> StoreFuture<Result<T, StoreError>> {
        let answer = read(&self.shared.state.lock());
        Box::pin(ready(Ok(answer)))
    }

    fn apply(&self, batch: Batch) -> Result<Vec<Applied>, CommitError> {
        let mut state = self.shared.state.lock();
        if state.has_ended(self.epoch) {
            return Err(CommitError { kind: CommitErrorKind::NotApplied(StoreError::EpochEnded), batch });
        }
        let applied = state.apply(batch.now, &batch.ops, self.epoch);
        drop(state);
        match applied {
            Ok(applied) => {
                if batch.adds() {
                    self.shared.changes.send_modify(|number| *number += 1);
                }
                Ok(applied)
            }
            Err((op, conflict)) => {
                Err(CommitError { kind: CommitErrorKind::Conflict { op, conflict }, batch })
            }
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        Box::pin(ready(self.apply(batch)))
    }

    fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>> {
        self.read(|state| state.job(id))
    }

    fn jobs(&self, filter: JobFilter) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.read(|state| state.jobs(&filter))
    }

    fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.read(|state| state.orphans(queue, max))
    }

    fn queue(&self, queue: &str) -> StoreFuture<Result<QueueInfo, StoreError>> {
        self.read(|state| state.queue(queue))
    }

    fn queues(&self) -> StoreFuture<Result<BTreeMap<String, QueueInfo>, StoreError>> {
        self.read(MemoryState::queues)
    }

    fn events(&self, filter: EventFilter) -> StoreFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.read(|state| state.events(&filter))
    }

    fn snapshot(&self, journal: &str) -> StoreFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.read(|state| state.snapshot(journal))
    }

    fn check(&self) -> StoreFuture<Result<(), StoreError>> {
        self.read(|_| ())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    fn ended_epochs(&self) -> watch::Receiver<u64> {
        self.shared.ended_epochs.subscribe()
    }
}
