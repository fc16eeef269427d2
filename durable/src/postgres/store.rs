//! The handle of a store in a server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use perennial_actors::host::sync::{AtomicBool, Ordering};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};
use tokio_postgres::Transaction;

use super::open::Opened;
use super::queries;
use super::reader::{Read, Reading};
use super::session::Session;
use crate::batch::{Applied, Batch, Op};
use crate::error::{CommitError, CommitErrorKind, StoreError};
use crate::record::{Epoch, JobId, JobRecord, NewJob};
use crate::request::Request;
use crate::store::{EventFilter, JobFilter, QueueInfo, Store, StoreFuture, StoredEvent, StoredSnapshot};

/// A store in a PostgreSQL server: see the [module](crate::postgres).
///
/// When it is dropped, the batches that were handed over are committed, and its epoch ends, unless
/// it was [attached](crate::postgres::PostgresBuilder::attach). The drop waits for both.
pub struct PostgresStore {
    epoch: Epoch,
    schema: String,
    requests: Option<UnboundedSender<Request>>,
    reads: Option<UnboundedSender<Read>>,
    is_broken: Arc<AtomicBool>,
    changes: watch::Sender<u64>,
    ended_epochs: watch::Sender<u64>,
    thread: Option<JoinHandle<()>>,
    is_attached: bool,
}

impl PostgresStore {
    pub(super) fn new(opened: Opened, thread: JoinHandle<()>, is_attached: bool) -> Self {
        let Opened { epoch, schema, requests, reads, is_broken, changes, ended_epochs } = opened;
        let (requests, reads, thread) = (Some(requests), Some(reads), Some(thread));
        Self { epoch, schema, requests, reads, is_broken, changes, ended_epochs, thread, is_attached }
    }

    /// Returns the schema of the tables.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Stores a job in a transaction of the caller: it is there if and when that is committed, and
    /// processes are told then. As `insert_tx` of River. A job that is [unique](NewJob::unique) has
    /// other submitters of its key wait until then.
    ///
    /// The connection needs the right to insert into the table `jobs`, and to use the sequence
    /// `job_numbers`, of the [schema](Self::schema).
    ///
    /// Returns [`Applied::Enqueued`] or [`Applied::Existing`].
    ///
    /// # Errors
    ///
    /// The statement failed. The transaction cannot be committed then.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the job may or may not be stored when the transaction is committed. Roll
    /// it back.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use perennial_durable::NewJob;
    /// use perennial_durable::postgres::PostgresStore;
    ///
    /// # async fn pay(
    /// #     store: &PostgresStore,
    /// #     client: &mut tokio_postgres::Client,
    /// #     mail: NewJob,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let transaction = client.transaction().await?;
    /// transaction.execute("UPDATE orders SET paid = true WHERE id = $1", &[&7_i64]).await?;
    /// store.enqueue_in(&transaction, mail).await?;
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enqueue_in(
        &self,
        transaction: &Transaction<'_>,
        job: NewJob,
    ) -> Result<Applied, StoreError> {
        super::enqueue::enqueue_in(transaction, &self.schema, job).await
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl for<'a> Fn(&'a Session) -> Reading<'a, T> + Send + Sync + 'static,
    ) -> StoreFuture<Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        let read: Read = Box::new(move |readers| {
            Box::pin(async move {
                // A caller that does not wait any more wants no answer.
                let _ = answer.send(readers.read(read).await);
            })
        });
        let reads = self.reads.clone();
        let hand_over = move || drop(reads.map(|reads| reads.send(read)));
        let answered = async move { answered.await.unwrap_or(Err(StoreError::Closed)) };
        if !self.is_broken.load(Ordering::SeqCst) {
            hand_over();
            return Box::pin(answered);
        }
        // What became of a commit is known when the writer has connected again.
        let connected = self.commit(Batch::default());
        Box::pin(async move {
            match connected.await.map_err(|error| error.kind) {
                Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error))
                    if error != StoreError::EpochEnded =>
                {
                    return Err(error);
                }
                _ => {}
            }
            hand_over();
            answered.await
        })
    }
}

impl Store for PostgresStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let leases = batch.ops.iter().any(|op| matches!(op, Op::Lease { .. }));
        let (request, answered) = Request::new(batch);
        match &self.requests {
            Some(_) if leases && self.is_attached => {
                request.refuse(StoreError::Failed("a store that is attached leases no jobs".to_owned()));
            }
            Some(requests) => {
                if let Err(unsent) = requests.send(request) {
                    unsent.0.refuse(StoreError::Closed);
                }
            }
            None => request.refuse(StoreError::Closed),
        }
        answered
    }

    fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>> {
        self.read(move |session| Box::pin(queries::job(session, id)))
    }

    fn jobs(&self, filter: JobFilter) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.read(move |session| {
            let filter = filter.clone();
            Box::pin(async move { queries::jobs(session, &filter).await })
        })
    }

    fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        let queue = queue.to_owned();
        self.read(move |session| {
            let queue = queue.clone();
            Box::pin(async move { queries::orphans(session, &queue, max).await })
        })
    }

    fn queue(&self, queue: &str) -> StoreFuture<Result<QueueInfo, StoreError>> {
        let queue = queue.to_owned();
        self.read(move |session| {
            let queue = queue.clone();
            Box::pin(async move { queries::queue(session, &queue).await })
        })
    }

    fn queues(&self) -> StoreFuture<Result<BTreeMap<String, QueueInfo>, StoreError>> {
        self.read(|session| Box::pin(queries::queues(session)))
    }

    fn events(&self, filter: EventFilter) -> StoreFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.read(move |session| {
            let filter = filter.clone();
            Box::pin(async move { queries::events(session, &filter).await })
        })
    }

    fn snapshot(&self, journal: &str) -> StoreFuture<Result<Option<StoredSnapshot>, StoreError>> {
        let journal = journal.to_owned();
        self.read(move |session| {
            let journal = journal.clone();
            Box::pin(async move { queries::snapshot(session, &journal).await })
        })
    }

    fn check(&self) -> StoreFuture<Result<(), StoreError>> {
        self.read(|session| Box::pin(queries::check(session)))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn ended_epochs(&self) -> watch::Receiver<u64> {
        self.ended_epochs.subscribe()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        drop(self.requests.take());
        drop(self.reads.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, epoch, .. } = self;
        f.debug_struct("PostgresStore").field("schema", schema).field("epoch", epoch).finish_non_exhaustive()
    }
}
