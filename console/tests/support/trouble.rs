//! A durable store that is in trouble when a test says so.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Mutex;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use perennial_durable::{
    Applied, Batch, CommitError, CommitErrorKind, Epoch, EventFilter, JobFilter, JobId, JobRecord,
    MemoryStore, QueueInfo, Store, StoreError, StoreFuture, StoredEvent, StoredSnapshot,
};
use tokio::sync::watch;
use tokio::time::sleep;

/// How a store answers.
#[derive(Debug)]
pub(crate) enum Trouble {
    Fails,
    Panics,
    /// No future is ever ready.
    Hangs,
    /// Each answer takes two seconds.
    IsSlow,
    /// A call blocks its thread until the sender is dropped.
    Blocks(Mutex<Receiver<()>>),
}

/// A store in memory with a trouble.
#[derive(Debug)]
pub(crate) struct TroubledStore {
    inner: MemoryStore,
    trouble: Trouble,
}

impl TroubledStore {
    pub(crate) fn new(trouble: Trouble) -> Self {
        Self { inner: MemoryStore::new(), trouble }
    }

    /// Returns the answer, unless there is a trouble that keeps it.
    fn answer<T: Send + 'static>(
        &self,
        answer: StoreFuture<Result<T, StoreError>>,
    ) -> StoreFuture<Result<T, StoreError>> {
        match &self.trouble {
            Trouble::Fails => {
                Box::pin(async { Err(StoreError::Disconnected("the cable is cut".to_owned())) })
            }
            Trouble::Panics => panic!("the store is broken"),
            Trouble::Hangs => Box::pin(pending()),
            Trouble::IsSlow => Box::pin(async {
                sleep(Duration::from_secs(2)).await;
                answer.await
            }),
            Trouble::Blocks(held) => {
                // It ends with the error of a channel without a sender.
                let _ = held.lock().expect("no call panics").recv();
                answer
            }
        }
    }
}

impl Store for TroubledStore {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let answer = self.answer(Box::pin(async { Ok(Vec::new()) }));
        Box::pin(async move {
            answer.await.map_err(|error| CommitError { kind: CommitErrorKind::Unknown(error), batch })
        })
    }

    fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>> {
        self.answer(self.inner.job(id))
    }

    fn jobs(&self, filter: JobFilter) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.answer(self.inner.jobs(filter))
    }

    fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.answer(self.inner.orphans(queue, max))
    }

    fn queue(&self, queue: &str) -> StoreFuture<Result<QueueInfo, StoreError>> {
        self.answer(self.inner.queue(queue))
    }

    fn queues(&self) -> StoreFuture<Result<BTreeMap<String, QueueInfo>, StoreError>> {
        self.answer(self.inner.queues())
    }

    fn events(&self, filter: EventFilter) -> StoreFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.answer(self.inner.events(filter))
    }

    fn snapshot(&self, journal: &str) -> StoreFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.answer(self.inner.snapshot(journal))
    }

    fn check(&self) -> StoreFuture<Result<(), StoreError>> {
        self.answer(self.inner.check())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }

    fn ended_epochs(&self) -> watch::Receiver<u64> {
        self.inner.ended_epochs()
    }
}
