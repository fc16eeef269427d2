//! The handle of the store that fails.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use tokio::sync::watch;
use tokio::time::sleep;

use super::disk::{Disk, Entry};
use super::plan::{Draws, Fault, Faults};
use crate::batch::{Applied, Batch};
use crate::error::{CommitError, CommitErrorKind, StoreError};
use crate::memory::MemoryState;
use crate::record::{Epoch, JobId, JobRecord};
use crate::store::{EventFilter, JobFilter, QueueInfo, Store, StoreFuture, StoredEvent, StoredSnapshot};

/// A store in memory whose disk fails: see the [module](crate::faults).
///
/// # Examples
///
/// ```
/// use perennial_durable::faults::{FaultStore, Faults};
/// use perennial_durable::{Batch, JobFilter, NewJob, Op, Payload, Store, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let payload = Payload { tag: "t".into(), version: 1, codec: "raw".into(), bytes: vec![] };
/// let store = FaultStore::new(7, Faults { full: 500, ..Faults::default() });
/// let mut stored = 0;
/// for _ in 0..100 {
///     let new = Op::Enqueue(Box::new(NewJob::new("q", payload.clone())));
///     stored += usize::from(store.commit(Batch::of(Timestamp(1), new)).await.is_ok());
/// }
/// let store = store.restart();
/// assert_eq!(store.jobs(JobFilter::default()).await.unwrap().len(), stored);
/// # }
/// ```
#[derive(Debug)]
pub struct FaultStore {
    epoch: Epoch,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
    ended_epochs: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    state: MemoryState,
    disk: Disk,
    faults: Faults,
    draws: Draws,
    /// A sync failed, and the store has not been opened again.
    is_broken: bool,
    /// How often the store was opened. What was written before an open and not synced may be lost.
    opened: u64,
}

/// A commit that was handed over: what its answer is after the sync.
enum Handed {
    Refused(CommitErrorKind),
    Written(Written),
    /// It is acknowledged although it is not synced.
    Early(Vec<Applied>),
}

/// A commit that is in the log and not synced.
struct Written {
    applied: Vec<Applied>,
    /// The length of the log with it, and which open of the store it belongs to.
    length: usize,
    opened: u64,
    sync_time: Duration,
    is_answer_lost: bool,
}

impl FaultStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        let inner = Inner {
            state: MemoryState::default(),
            disk: Disk::default(),
            faults,
            draws: Draws::new(seed),
            is_broken: false,
            opened: 0,
        };
        let (changes, ended_epochs) = (watch::Sender::new(0), watch::Sender::new(0));
        let shared = Arc::new(Shared { inner: Mutex::new(inner), changes, ended_epochs });
        let epoch = shared.inner.lock().open();
        Self { epoch, shared }
    }

    /// Returns the handle of a process that starts after this one was killed. Of what was not
    /// synced, a part is left, which may end within a batch. Earlier handles cannot commit any
    /// more.
    #[must_use]
    pub fn restart(&self) -> Self {
        let epoch = self.shared.inner.lock().open();
        Self { epoch, shared: self.shared.clone() }
    }

    /// Sets the faults of the commits from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.inner.lock().faults = faults;
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&MemoryState) -> T,
    ) -> StoreFuture<Result<T, StoreError>> {
        let mut inner = self.shared.inner.lock();
        if inner.is_broken {
            inner.reopen();
        }
        Box::pin(ready(Ok(read(&inner.state))))
    }
}

fn broken() -> StoreError {
    StoreError::Broken("a sync failed before that of this commit".to_owned())
}

impl Inner {
    /// Opens the store in the place of a process that was killed.
    fn open(&mut self) -> Epoch {
        self.reopen();
        // The log of this store refuses no entry of this kind.
        let length = self.disk.write(&Entry::Opened).unwrap_or_default();
        self.disk.sync(length);
        self.state.end_epochs();
        self.state.begin_epoch()
    }

    /// Reads what is left of the disk.
    fn reopen(&mut self) {
        let unsynced: u64 = self.disk.unsynced().try_into().unwrap_or(u64::MAX);
        let kept = self.draws.below(unsynced.saturating_add(1));
        self.disk.tear(kept.try_into().unwrap_or(usize::MAX));
        self.state = self.disk.recover();
        self.is_broken = false;
        self.opened += 1;
    }

    fn hand_over(&mut self, batch: &Batch, epoch: Epoch) -> Handed {
        let refused = |error| Handed::Refused(CommitErrorKind::NotApplied(error));
        if self.state.has_ended(epoch) {
            return refused(StoreError::EpochEnded);
        }
        if self.is_broken {
            self.reopen();
        }
        let fault = self.faults.draw(&mut self.draws);
        let text = || "injected".to_owned();
        match fault {
            Fault::Full => return refused(StoreError::Full(text())),
            Fault::Busy => return refused(StoreError::Busy(text())),
            Fault::Disconnected => return refused(StoreError::Disconnected(text())),
            Fault::None | Fault::LostAnswer | Fault::FailedSync => {}
        }
        let applied = match self.state.apply(batch.now, &batch.ops, epoch) {
            Ok(applied) => applied,
            Err((op, conflict)) => return Handed::Refused(CommitErrorKind::Conflict { op, conflict }),
        };
        let length = match self.disk.write(&Entry::Committed(epoch, batch.clone())) {
            Ok(length) => length,
            Err(error) => return refused(StoreError::Failed(error.to_string())),
        };
        if fault == Fault::FailedSync {
            self.is_broken = true;
            return Handed::Refused(CommitErrorKind::Unknown(StoreError::Failed(text())));
        }
        if self.faults.acknowledges_early {
            return Handed::Early(applied);
        }
        let sync_time = self.faults.draw_sync_time(&mut self.draws);
        let is_answer_lost = fault == Fault::LostAnswer;
        Handed::Written(Written { applied, length, opened: self.opened, sync_time, is_answer_lost })
    }
}

impl Shared {
    /// Waits for the sync. Fails if the process was killed or a sync has failed meanwhile.
    async fn synced(
        self: Arc<Self>,
        epoch: Epoch,
        adds: bool,
        handed: Handed,
    ) -> Result<Vec<Applied>, CommitErrorKind> {
        let written = match handed {
            Handed::Refused(kind) => return Err(kind),
            Handed::Early(applied) => return Ok(applied),
            Handed::Written(written) => written,
        };
        if !written.sync_time.is_zero() {
            sleep(written.sync_time).await;
        }
        let mut inner = self.inner.lock();
        let unknown = |error| Err(CommitErrorKind::Unknown(error));
        if inner.state.has_ended(epoch) {
            return unknown(StoreError::EpochEnded);
        }
        if inner.is_broken || inner.opened != written.opened {
            return unknown(broken());
        }
        inner.disk.sync(written.length);
        drop(inner);
        if adds {
            self.changes.send_modify(|number| *number += 1);
        }
        if written.is_answer_lost {
            return unknown(StoreError::Disconnected("injected".to_owned()));
        }
        Ok(written.applied)
    }
}

impl Store for FaultStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let handed = self.shared.inner.lock().hand_over(&batch, self.epoch);
        let synced = self.shared.clone().synced(self.epoch, batch.adds(), handed);
        Box::pin(async move { synced.await.map_err(|kind| CommitError { kind, batch }) })
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
