//! A store that was given to a console, and the limits of what is asked of it.
//!
//! The code of a store may block or panic, and it may be slow. It runs on threads that are for
//! that, a few at once for each store, so that it holds up no other route.

#![cfg_attr(
    not(feature = "durable"),
    expect(dead_code, reason = "without the feature, no store can be given to a console")
)]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::actions::JobAction;
use crate::api::{DurableJob, DurableJobPage, DurableJobState, Problem, ProblemKind, QueueRow, StoreRow};

/// How long an answer of a store is waited for.
const WAITED: Duration = Duration::from_secs(3);

/// The most requests that one store has at once.
const AT_ONCE: usize = 4;

/// The most queues of a store in a list.
const LISTED: usize = 500;

/// What a client is told if the store takes longer.
const LATE_READ: &str = "the store has not answered within 3 seconds";
const LATE_CHANGE: &str = "the store has not answered within 3 seconds: the action may still take effect";

/// What a store answers.
pub(super) type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send>>;

/// The jobs that a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct JobsQuery {
    pub(crate) queue: String,
    pub(crate) state: Option<DurableJobState>,
    /// The job after which the part begins.
    pub(crate) after: Option<u64>,
    pub(crate) limit: usize,
}

/// What an action on a job has done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ActionEffect {
    Changed,
    /// The job is in no state for it.
    WrongState,
    /// There is no such job.
    Missing,
}

/// What a console asks of a store. Every method may block and panic.
pub(super) trait AnyStore: Send + Sync {
    fn queues(&self) -> Answer<Vec<QueueRow>>;
    fn jobs(&self, query: JobsQuery) -> Answer<DurableJobPage>;
    fn job(&self, id: u64) -> Answer<Option<DurableJob>>;
    fn act(&self, id: u64, action: JobAction) -> Answer<ActionEffect>;
    fn set_paused(&self, queue: String, paused: bool) -> Answer<()>;
}

/// A store that was given to a console.
pub(crate) struct KnownStore {
    name: String,
    store: Arc<dyn AnyStore>,
    asked: Arc<Semaphore>,
}

impl KnownStore {
    #[cfg(feature = "durable")]
    pub(super) fn new(name: String, store: Arc<dyn AnyStore>) -> Self {
        Self { name, store, asked: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the store with its queues, or with the reason why they are not known.
    pub(crate) async fn row(&self) -> StoreRow {
        let name = self.name.clone();
        match self.ask(LATE_READ, |store| store.queues()).await {
            Ok(mut queues) => {
                let total = queues.len();
                queues.truncate(LISTED);
                StoreRow { name, problem: None, total, queues }
            }
            Err(problem) => StoreRow { name, problem: Some(problem.detail), ..StoreRow::default() },
        }
    }

    pub(crate) async fn jobs(&self, query: JobsQuery) -> Result<DurableJobPage, Problem> {
        self.ask(LATE_READ, |store| store.jobs(query)).await
    }

    pub(crate) async fn job(&self, id: u64) -> Result<DurableJob, Problem> {
        let found = self.ask(LATE_READ, move |store| store.job(id)).await?;
        found.ok_or_else(|| Problem::not_found("job"))
    }

    pub(crate) async fn act(&self, id: u64, action: JobAction) -> Result<(), Problem> {
        match self.ask(LATE_CHANGE, move |store| store.act(id, action)).await? {
            ActionEffect::Changed => Ok(()),
            ActionEffect::WrongState => Err(Problem::conflict("the job is in no state for it")),
            ActionEffect::Missing => Err(Problem::not_found("job")),
        }
    }

    pub(crate) async fn set_paused(&self, queue: String, paused: bool) -> Result<(), Problem> {
        self.ask(LATE_CHANGE, move |store| store.set_paused(queue, paused)).await
    }

    /// Asks the store on a thread that may block. If it takes too long, its future is dropped; a
    /// thread that it blocks counts as a request until it returns.
    async fn ask<T: Send + 'static>(
        &self,
        late: &'static str,
        ask: impl FnOnce(&dyn AnyStore) -> Answer<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let until = Instant::now() + WAITED;
        let unavailable = |detail| Err(Problem::new(ProblemKind::Unavailable, detail));
        let Ok(Ok(permit)) = timeout_at(until, self.asked.clone().acquire_owned()).await else {
            return unavailable("the store is busy with earlier requests");
        };
        let (store, runtime) = (self.store.clone(), Handle::current());
        let asking = move || {
            // It may have waited for a thread until its client was told that it is late.
            let may_begin = Instant::now() < until;
            let asked = async { timeout_at(until, ask(&*store)).await.ok() };
            let answer = if may_begin { runtime.block_on(asked) } else { None };
            drop(permit);
            answer
        };
        match timeout_at(until, tokio::task::spawn_blocking(asking)).await {
            Ok(Ok(Some(answer))) => answer,
            Ok(Err(_)) => unavailable("the code of the store panicked"),
            Ok(Ok(None)) | Err(_) => unavailable(late),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    /// A store that records if it was asked to act.
    #[derive(Default)]
    struct Recording(AtomicBool);

    impl AnyStore for Recording {
        fn queues(&self) -> Answer<Vec<QueueRow>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn jobs(&self, _: JobsQuery) -> Answer<DurableJobPage> {
            Box::pin(async { Ok(DurableJobPage::default()) })
        }

        fn job(&self, _: u64) -> Answer<Option<DurableJob>> {
            Box::pin(async { Ok(None) })
        }

        fn act(&self, _: u64, _: JobAction) -> Answer<ActionEffect> {
            self.0.store(true, Ordering::SeqCst);
            Box::pin(async { Ok(ActionEffect::Changed) })
        }

        fn set_paused(&self, _: String, _: bool) -> Answer<()> {
            Box::pin(async { Ok(()) })
        }
    }

    #[test]
    fn action_that_waits_for_a_thread_does_not_begin_after_its_client_was_told_that_it_is_late() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).max_blocking_threads(1).build();
        runtime.expect("it is built").block_on(async {
            let recording = Arc::new(Recording::default());
            let store = KnownStore::new("orders".to_owned(), recording.clone());
            let (release, held) = channel::<()>();
            let holder = tokio::task::spawn_blocking(move || held.recv());
            let acting = tokio::spawn(async move { store.act(7, JobAction::Cancel).await });
            tokio::task::yield_now().await;
            tokio::time::advance(WAITED).await;
            let late = acting.await.expect("it does not panic").expect_err("it is late");
            assert_eq!(late.detail, LATE_CHANGE);
            drop(release);
            holder.await.expect("it does not panic").expect_err("the sender is dropped");
            // The only thread runs what waits in its order.
            tokio::task::spawn_blocking(|| ()).await.expect("it does not panic");
            assert!(!recording.0.load(Ordering::SeqCst));
        });
    }
}
