//! Awaits that are counted, and what happens at one of them.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use perennial_actors::ActorHandle;
use perennial_actors::ExitReason;
use perennial_actors::host::OutsideLink;
use perennial_durable::{
    Applied, Batch, CommitError, Epoch, EventFilter, JobFilter, JobId, JobRecord, QueueInfo, Store,
    StoreError, StoreFuture, StoredEvent, StoredSnapshot,
};
use tokio::sync::watch;

/// What happens to the incarnation at a poll.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Interruption {
    /// The future that is polled panics.
    Panic,
    /// The incarnation is killed.
    Kill,
    /// An exit signal of a linked actor cancels the handler.
    Exit,
}

/// Counts the polls of [`step`](Steps::step)s. At one of them, what was armed happens once.
#[derive(Default)]
pub(crate) struct Steps {
    polls: AtomicU32,
    armed: Mutex<Option<Armed>>,
}

struct Armed {
    at: u32,
    interruption: Interruption,
    actor: ActorHandle,
    link: OutsideLink,
}

impl Steps {
    /// Lets the actor be interrupted at the poll of a number; the first is 1.
    pub(crate) fn arm(&self, at: u32, interruption: Interruption, actor: ActorHandle, link: OutsideLink) {
        self.polls.store(0, Ordering::SeqCst);
        *self.armed.lock().expect("no panic under it") = Some(Armed { at, interruption, actor, link });
    }

    /// Returns `true` if the interruption has not happened, and disarms it.
    pub(crate) fn disarm(&self) -> bool {
        self.armed.lock().expect("no panic under it").take().is_some()
    }

    /// Is pending once. Each of its two polls is counted.
    pub(crate) async fn step(&self) {
        let mut is_first = true;
        poll_fn(|cx| {
            self.polled();
            if std::mem::take(&mut is_first) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn polled(&self) {
        let poll = self.polls.fetch_add(1, Ordering::SeqCst) + 1;
        let armed = {
            let mut armed = self.armed.lock().expect("no panic under it");
            armed.take_if(|armed| armed.at == poll)
        };
        let Some(Armed { interruption, actor, link, .. }) = armed else { return };
        match interruption {
            Interruption::Panic => panic!("at poll {poll}"),
            Interruption::Kill => actor.kill().expect("it runs"),
            Interruption::Exit => link.exit(&ExitReason::failed("a linked actor failed")),
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").field("polls", &self.polls).finish_non_exhaustive()
    }
}

/// A store with a step before each commit is handed over, and one before its answer. So many of its
/// reads fail first.
#[derive(Debug)]
pub(crate) struct SteppedStore<S> {
    pub(crate) store: Arc<S>,
    pub(crate) steps: Arc<Steps>,
    pub(crate) failing_reads: AtomicU32,
}

impl<S> SteppedStore<S> {
    /// Returns the answer to a read: an error, as long as reads fail.
    fn read<T: Send + 'static>(
        &self,
        read: StoreFuture<Result<T, StoreError>>,
    ) -> StoreFuture<Result<T, StoreError>> {
        let left =
            self.failing_reads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Box::pin(std::future::ready(Err(StoreError::Busy("it is read".to_owned())))),
            Err(_) => read,
        }
    }
}

impl<S: Store> Store for SteppedStore<S> {
    fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<Vec<Applied>, CommitError>> {
        let (store, steps) = (self.store.clone(), self.steps.clone());
        Box::pin(async move {
            steps.step().await;
            let answer = store.commit(batch).await;
            steps.step().await;
            answer
        })
    }

    fn job(&self, id: JobId) -> StoreFuture<Result<Option<JobRecord>, StoreError>> {
        self.store.job(id)
    }

    fn jobs(&self, filter: JobFilter) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.store.jobs(filter)
    }

    fn orphans(&self, queue: &str, max: usize) -> StoreFuture<Result<Vec<JobRecord>, StoreError>> {
        self.store.orphans(queue, max)
    }

    fn queue(&self, queue: &str) -> StoreFuture<Result<QueueInfo, StoreError>> {
        self.store.queue(queue)
    }

    fn queues(&self) -> StoreFuture<Result<std::collections::BTreeMap<String, QueueInfo>, StoreError>> {
        self.store.queues()
    }

    fn events(&self, filter: EventFilter) -> StoreFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.read(self.store.events(filter))
    }

    fn snapshot(&self, journal: &str) -> StoreFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.read(self.store.snapshot(journal))
    }

    fn check(&self) -> StoreFuture<Result<(), StoreError>> {
        self.store.check()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.store.changes()
    }

    fn ended_epochs(&self) -> watch::Receiver<u64> {
        self.store.ended_epochs()
    }
}
