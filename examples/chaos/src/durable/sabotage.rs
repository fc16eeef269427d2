//! Stores that break their promises, each in one way: the checks must notice.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use perennial::durable::{
    Applied, AttemptEnd, Batch, Bincode, CommitError, Epoch, EventFilter, JobFilter, JobId, JobRecord,
    NewJob, Op, QueueInfo, Store, StoreError, StoreFuture, StoredEvent, StoredSnapshot, Timestamp, decode,
    encode,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::super::options::Sabotage;
use super::jobs::FileJob;

/// How long after its acknowledgement a job is on the disk.
const LATE: Duration = Duration::from_millis(30);

/// The methods of a store that leaves them to its field `inner`.
macro_rules! by_inner {
    ($($which:ident),*) => { $($crate::durable::sabotage::by_inner!(@ $which);)* };
    (@ epoch) => {
        fn epoch(&self) -> Epoch {
            self.inner.epoch()
        }
    };
    (@ job) => {
        fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>> {
            self.inner.job(id)
        }
    };
    (@ jobs) => {
        fn jobs(&self, filter: JobFilter) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
            self.inner.jobs(filter)
        }
    };
    (@ orphans) => {
        fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
            self.inner.orphans(queue, max)
        }
    };
    (@ rest) => {
        fn queue(&self, queue: &str) -> StoreFuture<Result<QueueInfo, StoreError>> {
            self.inner.queue(queue)
        }

        fn queues(&self) -> StoreFuture<Result<BTreeMap<String, QueueInfo>, StoreError>> {
            self.inner.queues()
        }

        fn events(&self, filter: EventFilter) -> StoreFuture<Result<Vec<StoredEvent>, StoreError>> {
            self.inner.events(filter)
        }

        fn snapshot(&self, journal: &str) -> StoreFuture<Result<Option<StoredSnapshot>, StoreError>> {
            self.inner.snapshot(journal)
        }

        fn check(&self) -> StoreFuture<Result<(), StoreError>> {
            self.inner.check()
        }

        fn changes(&self) -> watch::Receiver<u64> {
            self.inner.changes()
        }

        fn ended_epochs(&self) -> watch::Receiver<u64> {
            self.inner.ended_epochs()
        }
    };
}
pub(crate) use by_inner;

/// Returns the store with a sabotage.
pub async fn sabotaged(
    store: Arc<dyn Store>,
    sabotage: Option<Sabotage>,
) -> Result<Arc<dyn Store>, Box<dyn Error + Send + Sync>> {
    Ok(match sabotage {
        Some(Sabotage::AckBeforeCommit) => Arc::new(AckBeforeCommit::new(store).await?),
        Some(Sabotage::NoFencing) => Arc::new(NoFencing { inner: store }),
        _ => store,
    })
}

/// A store that acknowledges a job when it has been handed over, and commits it later.
#[derive(Debug)]
struct AckBeforeCommit {
    inner: Arc<dyn Store>,
    numbers: Mutex<Numbers>,
    late: mpsc::UnboundedSender<(Instant, Batch, u64)>,
    committed: watch::Receiver<u64>,
}

/// The numbers that the jobs will have.
#[derive(Debug)]
struct Numbers {
    next: u64,
    unique: HashMap<(String, String), JobId>,
}

impl Numbers {
    fn acknowledge(&mut self, op: &Op) -> Option<Applied> {
        let Op::Enqueue(job) = op else { return None };
        let key = job.unique.as_ref().map(|unique| unique.key.clone()).unwrap_or_default();
        let key = (job.queue.clone(), key);
        if let Some(id) = self.unique.get(&key) {
            return Some(Applied::Existing(*id));
        }
        let id = JobId(self.next);
        self.next += 1;
        self.unique.insert(key, id);
        Some(Applied::Enqueued(id))
    }
}

impl AckBeforeCommit {
    async fn new(inner: Arc<dyn Store>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let jobs = inner.jobs(JobFilter::default()).await?;
        let last = last_number(&*inner).await?;
        let unique = jobs.into_iter().filter_map(|record| {
            let key = record.job.unique?.key;
            Some(((record.job.queue, key), record.id))
        });
        let numbers = Mutex::new(Numbers { next: last + 1, unique: unique.collect() });
        let (late, mut batches) = mpsc::unbounded_channel::<(Instant, Batch, u64)>();
        let (commit, committed) = watch::channel(last);
        let store = inner.clone();
        tokio::spawn(async move {
            while let Some((due, batch, last)) = batches.recv().await {
                sleep_until(due).await;
                if store.commit(batch).await.is_ok() {
                    commit.send_replace(last);
                }
            }
        });
        Ok(Self { inner, numbers, late, committed })
    }
}

/// Returns the number of a job that is stored and removed again: the next one has the next number.
async fn last_number(store: &dyn Store) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let now = Timestamp(0);
    let job = NewJob::new("chaos numbers", encode::<_, Bincode>(&())?);
    let applied = store.commit(Batch::of(now, Op::Enqueue(Box::new(job)))).await?;
    let [Applied::Enqueued(id)] = applied[..] else { return Err("the store does not number jobs".into()) };
    store.commit(Batch::of(now, Op::Remove(id))).await?;
    Ok(id.0)
}

impl Store for AckBeforeCommit {
    fn commit(&self, mut batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if !batch.ops.iter().all(|op| matches!(op, Op::Enqueue(_))) {
            return self.inner.commit(batch);
        }
        let applied: Vec<Applied> = batch.ops.iter().filter_map(|op| numbers.acknowledge(op)).collect();
        // A server would number what is there already, too.
        let mut is_new = applied.iter().map(|applied| matches!(applied, Applied::Enqueued(_)));
        batch.ops.retain(|_| is_new.next().unwrap_or_default());
        // It fails when the runtime ends.
        let _ = self.late.send((Instant::now() + LATE, batch, numbers.next - 1));
        Box::pin(std::future::ready(Ok(applied)))
    }

    fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>> {
        let next = self.numbers.lock().unwrap_or_else(PoisonError::into_inner).next;
        let (inner, mut committed) = (self.inner.clone(), self.committed.clone());
        Box::pin(async move {
            // As long as the process lives, nothing is noticed.
            if id.0 < next {
                let _ = committed.wait_for(|last| id.0 <= *last).await;
            }
            inner.job(id).await
        })
    }

    by_inner!(epoch, jobs, orphans, rest);
}

/// A store that accepts an outcome of the process that was killed, after another process has begun
/// with the job.
#[derive(Debug)]
struct NoFencing {
    inner: Arc<dyn Store>,
}

impl Store for NoFencing {
    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let (now, committed, inner) = (batch.now, self.inner.commit(batch), self.inner.clone());
        Box::pin(async move {
            let applied = committed.await?;
            for answer in &applied {
                let Applied::Leased(leased) = answer else { continue };
                for record in &leased.jobs {
                    let Some(end) = late_outcome(record.clone()).await else { continue };
                    // The number of the attempt is that of the new one: that is the sabotage.
                    let op = Op::Finish { job: record.id, attempt: record.attempt, end };
                    inner.commit(Batch::of(now, op)).await?;
                }
            }
            Ok(applied)
        })
    }

    by_inner!(epoch, job, jobs, orphans, rest);
}

/// Returns the outcome that the killed process would have had for a job that is tried again.
async fn late_outcome(record: JobRecord) -> Option<AttemptEnd> {
    let killed = record.history.last()?.epoch;
    let job: FileJob = decode(&record.job.payload).ok()?;
    let result = tokio::task::spawn_blocking(move || job.compute(killed.0)).await.ok()?;
    Some(AttemptEnd::Completed(Some(encode::<_, Bincode>(&result).ok()?)))
}
