//! Stores that break their promises to durable actors, each in one way: the checks must notice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use perennial::durable::{
    Applied, Batch, CommitError, Epoch, EventFilter, JobFilter, JobId, JobRecord, Op, QueueInfo, Store,
    StoreError, StoreFuture, StoredEvent, StoredSnapshot,
};
use tokio::sync::watch;
use tokio::time::sleep;

use super::super::durable::sabotage::by_inner;
use super::super::options::Sabotage;
use super::fences::detached;

/// How long after its answer a transfer is on the disk.
const LATE: Duration = Duration::from_millis(30);

/// Returns the store with a sabotage.
pub fn sabotaged(store: Arc<dyn Store>, sabotage: Option<Sabotage>) -> Arc<dyn Store> {
    match sabotage {
        Some(Sabotage::ReplyBeforeCommit) => Arc::new(LateCommit { inner: store }),
        Some(Sabotage::NoEpoch) => Arc::new(NoEpoch { inner: store, ends: Arc::default() }),
        _ => store,
    }
}

/// A store that commits events late, so that a kill falls between the answer and the commit.
#[derive(Debug)]
struct LateCommit {
    inner: Arc<dyn Store>,
}

impl Store for LateCommit {
    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        if !batch.ops.iter().any(|op| matches!(op, Op::Append { .. })) {
            return self.inner.commit(batch);
        }
        let inner = self.inner.clone();
        Box::pin(async move {
            sleep(LATE).await;
            inner.commit(batch).await
        })
    }

    by_inner!(epoch, job, jobs, orphans, rest);
}

/// A store that takes what an earlier incarnation writes for that of the latest one.
#[derive(Debug)]
struct NoEpoch {
    inner: Arc<dyn Store>,
    ends: Arc<Mutex<HashMap<String, SharedEnd>>>,
}

/// The end of a journal. One commit of a journal follows the other.
type SharedEnd = Arc<tokio::sync::Mutex<End>>;

/// The latest writer of a journal, and the sequence number of the latest event.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    writer: u64,
    sequence: u64,
}

impl End {
    fn forge(self, batch: &mut Batch) {
        for op in &mut batch.ops {
            match op {
                // That is the sabotage.
                Op::Append { writer, expected, .. } => (*writer, *expected) = (self.writer, self.sequence),
                Op::Snapshot { writer, .. } => *writer = self.writer,
                _ => {}
            }
        }
    }

    fn note(&mut self, applied: &[Applied]) {
        for answer in applied {
            match *answer {
                Applied::Claimed { writer, sequence } => *self = Self { writer, sequence },
                Applied::Appended(sequence) => self.sequence = sequence,
                _ => {}
            }
        }
    }
}

/// Returns the journal of a batch.
fn journal(batch: &Batch) -> Option<String> {
    batch.ops.iter().find_map(|op| match op {
        Op::Claim { journal } | Op::Append { journal, .. } | Op::Snapshot { journal, .. } => {
            Some(journal.clone())
        }
        _ => None,
    })
}

impl Store for NoEpoch {
    fn commit(&self, mut batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let Some(journal) = journal(&batch) else { return self.inner.commit(batch) };
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let (end, inner) = (ends.entry(journal).or_default().clone(), self.inner.clone());
        drop(ends);
        detached(async move {
            let mut end = end.lock().await;
            end.forge(&mut batch);
            let applied = inner.commit(batch).await?;
            end.note(&applied);
            Ok(applied)
        })
    }

    by_inner!(epoch, job, jobs, orphans, rest);
}
