//! A store that tells when the jobs of the killed process run again.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use perennial::durable::{
    Applied, Batch, CommitError, Epoch, EventFilter, JobFilter, JobId, JobRecord, QueueInfo, Store,
    StoreError, StoreFuture, StoredEvent, StoredSnapshot,
};
use tokio::sync::watch;

use super::protocol::Answer;
use super::worker::say;

/// A store that leaves everything to another, and looks at two of its answers.
#[derive(Debug)]
pub struct RescueTimer {
    inner: Arc<dyn Store>,
    rescue: Arc<Mutex<Rescue>>,
}

#[derive(Debug)]
struct Rescue {
    began: Instant,
    found: u64,
    waiting: HashSet<JobId>,
}

impl RescueTimer {
    /// `began` is when the process began.
    pub fn new(inner: Arc<dyn Store>, began: Instant) -> Self {
        let rescue = Rescue { began, found: 0, waiting: HashSet::new() };
        Self { inner, rescue: Arc::new(Mutex::new(rescue)) }
    }
}

impl Rescue {
    fn find(&mut self, orphans: &[JobRecord]) {
        for orphan in orphans {
            self.found += u64::from(self.waiting.insert(orphan.id));
        }
    }

    fn lease(&mut self, applied: &[Applied]) {
        if self.waiting.is_empty() {
            return;
        }
        for answer in applied {
            let Applied::Leased(leased) = answer else { continue };
            for job in &leased.jobs {
                self.waiting.remove(&job.id);
            }
        }
        if self.waiting.is_empty() {
            say(&Answer::Rescued(self.found, self.began.elapsed()));
        }
    }
}

impl Store for RescueTimer {
    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let (committed, rescue) = (self.inner.commit(batch), self.rescue.clone());
        Box::pin(async move {
            let applied = committed.await?;
            rescue.lock().unwrap_or_else(PoisonError::into_inner).lease(&applied);
            Ok(applied)
        })
    }

    fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        let (found, rescue) = (self.inner.orphans(queue, max), self.rescue.clone());
        Box::pin(async move {
            let orphans = found.await?;
            rescue.lock().unwrap_or_else(PoisonError::into_inner).find(&orphans);
            Ok(orphans)
        })
    }

    super::sabotage::by_inner!(epoch, job, jobs, rest);
}
