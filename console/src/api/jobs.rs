//! Pools and their jobs.

use perennial_supervision::pool::PoolInfo;
use serde::{Deserialize, Serialize};

use super::tree::TreeItem;
use super::view::View;

/// A pool.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PoolRow {
    /// The identity of its supervisor.
    pub identity: u64,
    /// Its path.
    pub path: String,
    /// `true` if its jobs are shown, and actions on it are possible.
    pub is_known: bool,
    /// The number of dead jobs that it keeps, if it is known.
    pub dead: Option<usize>,
    /// `true` if no job starts until it is resumed, if it is known.
    pub paused: Option<bool>,
    /// The size and the statistics.
    pub info: PoolInfo,
    /// Its workers, in the order of their slots: a hundred at most.
    pub workers: Vec<TreeItem>,
}

/// A job of a pool in a list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobRow {
    /// The number of the job.
    pub id: u64,
    /// Its state.
    pub state: JobState,
    /// The value of the job as text, if the pool still has it.
    pub text: Option<String>,
    /// The number of its latest attempt; 0 before the first.
    pub attempt: u32,
    /// The failure of its last attempt, if it is dead.
    pub error: Option<String>,
}

/// A job with what happened to it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobDetail {
    /// The job, as in the list.
    pub job: JobRow,
    /// The failures of its attempts, in order, if it is dead.
    pub failures: Vec<String>,
    /// What happened to it since the console has watched, in order.
    pub timeline: Vec<JobStep>,
}

/// The state of a job.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobState {
    /// It waits for a worker.
    Queued,
    /// It waits until its delay is over.
    Delayed,
    /// A worker runs it.
    Running,
    /// It succeeded.
    Done,
    /// It failed and is kept among the dead jobs, or was.
    Dead,
    /// It expired.
    Expired,
    /// It was cancelled.
    Cancelled,
    /// The pool dropped it.
    Dropped,
}

/// Something that happened to a job.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobStep {
    /// When, in milliseconds since the start of the year 1970.
    pub at_millis: u64,
    /// What.
    pub kind: JobStepKind,
}

/// What happened to a job.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobStepKind {
    /// It was accepted.
    Submitted,
    /// An attempt has started.
    Started {
        /// The identity of the worker.
        worker: u64,
        /// The incarnation of the worker.
        incarnation: u32,
    },
    /// An attempt failed, and the job is retried.
    Retried {
        /// Why.
        cause: perennial_supervision::pool::RetryCause,
    },
    /// It ended in this state.
    Ended {
        /// The state.
        state: JobState,
    },
}

/// The most workers of a pool that are shown.
const WORKERS: usize = 100;

/// Returns a pool with its workers. If it is known, `known` has the number of its dead jobs, and
/// whether it is paused.
pub(crate) fn pool_row(view: &View, info: &PoolInfo, known: Option<(usize, bool)>) -> PoolRow {
    let identity = info.status.supervisor.identity();
    let workers = view.tree.find(identity).map(|at| view.tree.children(Some(at))).unwrap_or_default();
    let slot = |at: usize| view.node(at)?.id.parse::<usize>().ok();
    let mut slots: Vec<(usize, usize)> = workers.into_iter().filter_map(|at| Some((slot(at)?, at))).collect();
    slots.sort_unstable();
    let workers = slots.iter().take(WORKERS).filter_map(|(_, at)| TreeItem::at(view, *at));
    PoolRow {
        identity,
        path: info.status.path.to_string(),
        is_known: known.is_some(),
        dead: known.map(|(dead, _)| dead),
        paused: known.map(|(_, paused)| paused),
        info: info.clone(),
        workers: workers.collect(),
    }
}
