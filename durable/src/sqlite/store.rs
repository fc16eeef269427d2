//! The handle of the store in one file.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::{AtomicBool, Mutex, Ordering};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::cache::Cache;
use super::open::{attach, connect, lock, open};
use super::queries;
use super::queue::{Work, WorkQueue};
use super::reader::{self, Read};
use super::rows::store_error;
use super::transaction::{Caller, SqliteTransaction, TransactionError};
use super::writer::{self, Writer};
use crate::batch::{Applied, Batch, Op};
use crate::error::{CommitError, CommitErrorKind, OpenError, StoreError};
use crate::record::{Epoch, JobId, JobRecord};
use crate::request::Request;
use crate::store::{EventFilter, JobFilter, QueueInfo, Store, StoreFuture, StoredEvent, StoredSnapshot};

/// A store in one SQLite file: see the [module](crate::sqlite).
///
/// When it is dropped, the batches that were handed over are committed, and the file is free for
/// the next process. The drop waits for both.
///
/// # Examples
///
/// ```
/// use perennial_durable::sqlite::SqliteStore;
/// use perennial_durable::{OpenError, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("jobs.db");
/// let store = SqliteStore::open(&path)?;
/// let first = store.epoch();
/// assert!(matches!(SqliteStore::open(&path), Err(OpenError::InUse { .. })));
/// drop(store);
/// assert!(SqliteStore::open(&path)?.epoch() > first);
/// # Ok(())
/// # }
/// ```
pub struct SqliteStore {
    path: PathBuf,
    epoch: Epoch,
    queue: Arc<WorkQueue>,
    /// Shared with the reads that wait until the file is open again. Empty once this is dropped.
    reads: Arc<Mutex<Option<Sender<Read>>>>,
    threads: Vec<JoinHandle<()>>,
    is_broken: Arc<AtomicBool>,
    changes: watch::Sender<u64>,
    ended_epochs: watch::Sender<u64>,
    /// Unlocked when the threads have ended. `None` if the file is another process's.
    lock: Option<File>,
}

impl SqliteStore {
    /// Opens the file, or makes it. It is brought to the latest schema, and the next epoch begins.
    ///
    /// # Errors
    ///
    /// - [`OpenError::InUse`] if another process, or another store of this one, has it open;
    /// - [`OpenError::NewerSchema`] if a newer version of this library has written it;
    /// - [`OpenError::NotAStore`] if it is damaged or belongs to another program;
    /// - [`OpenError::Store`] if the file cannot be read or written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path.as_ref(), writer::commit)
    }

    pub(super) fn open_with(path: &Path, commit: writer::CommitFn) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let (connection, epoch) = open(path)?;
        Self::start(path, (connection, epoch), Some(lock), commit)
    }

    /// Opens a file that is there, beside the process that has it open, to look at its jobs and to
    /// change what waits or is over: to retry, remove, cancel and submit jobs, and to pause queues.
    /// `perennial-jobs` does.
    ///
    /// It begins no epoch, so the jobs of the other process go on. It leases no jobs: a
    /// [`Lease`](crate::Op::Lease) is refused. The other process notices a change within a second.
    ///
    /// # Errors
    ///
    /// - [`OpenError::NewerSchema`] if a newer version of this library has written it;
    /// - [`OpenError::NotAStore`] if there is no such file, if it is damaged or belongs to another
    ///   program, or if it is of an older schema, which [`open`](Self::open) brings up to date;
    /// - [`OpenError::Store`] if the file cannot be read.
    pub fn attach(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        Self::start(path, attach(path)?, None, writer::commit)
    }

    fn start(
        path: &Path,
        (connection, epoch): (Connection, Epoch),
        lock: Option<File>,
        commit: writer::CommitFn,
    ) -> Result<Self, OpenError> {
        let reader = connect(path)?;
        let is_broken = Arc::new(AtomicBool::new(false));
        let changes = watch::Sender::new(0);
        let queue = Arc::<WorkQueue>::default();
        let writer = Writer {
            queue: queue.clone(),
            next: VecDeque::new(),
            path: path.to_owned(),
            epoch,
            connection: Some(connection),
            is_broken: is_broken.clone(),
            changes: changes.clone(),
            cache: Cache::default(),
            commit,
            committed_in: Duration::ZERO,
        };
        let (reads, to_read) = channel::<Read>();
        let told = changes.clone();
        let mut store = Self {
            path: path.to_owned(),
            epoch,
            queue,
            reads: Arc::new(Mutex::new(Some(reads))),
            threads: Vec::new(),
            is_broken,
            changes,
            ended_epochs: watch::Sender::new(0),
            lock,
        };
        // If one cannot be started, the drop of the store ends the other.
        store.threads.push(spawn("sqlite writer", move || writer.run())?);
        store.threads.push(spawn("sqlite reader", move || reader::run(&reader, &to_read, &told))?);
        Ok(store)
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a closure as one transaction, on the thread that writes, and resolves with what it
    /// returns when that is on the disk. It reads and writes tables of its own, and
    /// [enqueues](SqliteTransaction::enqueue) jobs: all of it is stored or nothing, as by
    /// `Oban.insert` in an `Ecto.Multi` and by `InsertTx` of River.
    ///
    /// The transaction has no other requests in it. If the closure returns an error or panics, it
    /// is rolled back. Other requests wait meanwhile, so the closure must not wait for anything. It
    /// must not end the transaction, and must leave the tables of this library and the settings of
    /// the connection alone.
    ///
    /// # Errors
    ///
    /// Why the transaction was not committed, or may not have been.
    ///
    /// # Cancel safety
    ///
    /// The closure is handed over when this is called. Dropping the future loses the answer only.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_durable::sqlite::SqliteStore;
    /// use perennial_durable::{JobFilter, Store};
    /// # use perennial_durable::{NewJob, Payload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let payload = Payload { tag: "t".into(), version: 1, codec: "raw".into(), bytes: vec![] };
    /// # let mail = NewJob::new("mails", payload);
    /// let store = SqliteStore::open(folder.path().join("shop.db"))?;
    /// // mail is `mails.submit(job).prepare()?`
    /// let id = store
    ///     .transaction(move |shop| {
    ///         shop.execute_batch("CREATE TABLE IF NOT EXISTS orders (item TEXT)")?;
    ///         shop.execute("INSERT INTO orders VALUES (?1)", ["a book"])?;
    ///         shop.enqueue(mail)
    ///     })
    ///     .await?;
    /// assert_eq!(store.jobs(JobFilter::default()).await?[0].id, id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn transaction<T, E, F>(&self, run: F) -> StoreFuture<Result<T, TransactionError<E>>>
    where
        F: FnOnce(&SqliteTransaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work = Work::Caller(Box::new(Caller::new(run, answer)));
        let is_sent = match self.queue.push(work) {
            Ok(()) => true,
            // The closure is a value of the caller.
            Err(unsent) => {
                ignore_panic(|| drop(unsent));
                false
            }
        };
        Box::pin(async move {
            match answered.await {
                Ok(answer) => answer,
                Err(_) if is_sent => Err(TransactionError::Unknown(StoreError::Closed)),
                Err(_) => Err(TransactionError::NotApplied(StoreError::Closed)),
            }
        })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        let is_broken = self.is_broken.clone();
        // The reader would see a state that the disk may not have.
        let read: Read = Box::new(move |connection| {
            let outcome = if is_broken.load(Ordering::SeqCst) { Err(broken()) } else { read(connection) };
            let _ = answer.send(outcome);
        });
        let reads = self.reads.clone();
        // If the thread is gone, the sender of the answer is dropped with the closure.
        let hand_over = move || drop(reads.lock().as_ref().map(|reads| reads.send(read)));
        let answered = async move { answered.await.unwrap_or(Err(StoreError::Closed)) };
        if !self.is_broken.load(Ordering::SeqCst) {
            hand_over();
            return Box::pin(answered);
        }
        // The writer opens the file again, also for a batch of nothing.
        let opened = self.commit(Batch::default());
        Box::pin(async move {
            match opened.await.map_err(|error| error.kind) {
                Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error)) => {
                    return Err(error);
                }
                Ok(_) | Err(CommitErrorKind::Conflict { .. }) => {}
            }
            hand_over();
            answered.await
        })
    }

    fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> StoreFuture<Result<T, StoreError>> {
        self.read(move |connection| query(connection).map_err(|error| store_error(&error)))
    }
}

fn broken() -> StoreError {
    StoreError::Broken("a commit failed, and the next request opens the file again".to_owned())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let spawned = Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| OpenError::Store(StoreError::Failed(error.to_string())))
}

impl Store for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let leases = batch.ops.iter().any(|op| matches!(op, Op::Lease { .. }));
        let (request, answered) = Request::new(batch);
        if leases && self.lock.is_none() {
            request.refuse(StoreError::Failed("a file that is attached leases no jobs".to_owned()));
        } else if let Err(Work::Batch(request)) = self.queue.push(Work::Batch(request)) {
            request.refuse(StoreError::Closed);
        }
        answered
    }

    fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>> {
        self.query(move |connection| queries::job(connection, id))
    }

    fn jobs(&self, filter: JobFilter) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.query(move |connection| queries::jobs(connection, &filter))
    }

    fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        let (queue, epoch) = (queue.to_owned(), self.epoch);
        self.query(move |connection| queries::orphans(connection, &queue, epoch, max))
    }

    fn queue(&self, queue: &str) -> StoreFuture<Result<QueueInfo, StoreError>> {
        let queue = queue.to_owned();
        self.query(move |connection| queries::queue(connection, &queue))
    }

    fn queues(&self) -> StoreFuture<Result<BTreeMap<String, QueueInfo>, StoreError>> {
        self.query(queries::queues)
    }

    fn events(&self, filter: EventFilter) -> StoreFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.query(move |connection| queries::events(connection, &filter))
    }

    fn snapshot(&self, journal: &str) -> StoreFuture<Result<Option<StoredSnapshot>, StoreError>> {
        let journal = journal.to_owned();
        self.query(move |connection| queries::snapshot(connection, &journal))
    }

    fn check(&self) -> StoreFuture<Result<(), StoreError>> {
        self.read(queries::check)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn ended_epochs(&self) -> watch::Receiver<u64> {
        self.ended_epochs.subscribe()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
        drop(self.reads.lock().take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, epoch, .. } = self;
        f.debug_struct("SqliteStore").field("path", path).field("epoch", epoch).finish_non_exhaustive()
    }
}
