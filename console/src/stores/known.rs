//! A store that was given to a console, and what is asked of it.

#![cfg_attr(
    not(feature = "durable"),
    expect(dead_code, reason = "without the feature, no store can be given to a console")
)]

#[cfg(feature = "durable")]
use std::sync::Arc;

use crate::actions::JobAction;
use crate::api::{DurableJob, DurableJobPage, DurableJobState, Problem, QueueRow, StoreRow};
use crate::asked::{Answer, Asked};

/// The most queues of a store in a list.
const LISTED: usize = 500;

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
    store: Asked<dyn AnyStore>,
}

impl KnownStore {
    #[cfg(feature = "durable")]
    pub(super) fn new(name: String, store: Arc<dyn AnyStore>) -> Self {
        Self { name, store: Asked::new("store", store) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the store with its queues, or with the reason why they are not known.
    pub(crate) async fn row(&self) -> StoreRow {
        let name = self.name.clone();
        match self.store.read(|store| store.queues()).await {
            Ok(mut queues) => {
                let total = queues.len();
                queues.truncate(LISTED);
                StoreRow { name, problem: None, total, queues }
            }
            Err(problem) => StoreRow { name, problem: Some(problem.detail), ..StoreRow::default() },
        }
    }

    pub(crate) async fn jobs(&self, query: JobsQuery) -> Result<DurableJobPage, Problem> {
        self.store.read(|store| store.jobs(query)).await
    }

    pub(crate) async fn job(&self, id: u64) -> Result<DurableJob, Problem> {
        let found = self.store.read(move |store| store.job(id)).await?;
        found.ok_or_else(|| Problem::not_found("job"))
    }

    pub(crate) async fn act(&self, id: u64, action: JobAction) -> Result<(), Problem> {
        match self.store.change(move |store| store.act(id, action)).await? {
            ActionEffect::Changed => Ok(()),
            ActionEffect::WrongState => Err(Problem::conflict("the job is in no state for it")),
            ActionEffect::Missing => Err(Problem::not_found("job")),
        }
    }

    pub(crate) async fn set_paused(&self, queue: String, paused: bool) -> Result<(), Problem> {
        self.store.change(move |store| store.set_paused(queue, paused)).await
    }
}
