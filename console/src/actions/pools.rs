//! Actions on a pool, on one of its jobs, and on its dead jobs.

use std::time::Duration;

use crate::api::{ActionOutcome, Problem};
use crate::pools::KnownPool;

/// How long a change of a pool is waited for.
const WAITED: Duration = Duration::from_secs(2);

/// An action on a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PoolAction {
    Pause,
    Resume,
    Resize(usize),
    RollingRestart,
    Drain,
}

/// An action on a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JobAction {
    /// Cancels one that has not ended.
    Cancel,
    /// Submits a dead one again.
    Retry,
    /// Removes a dead one.
    Drop,
}

/// The dead jobs of an action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum DeadJobs {
    Ids(Vec<u64>),
    /// Those with a text in the job or its last error, in any case.
    Containing(String),
}

impl JobAction {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "cancel" => Some(Self::Cancel),
            "retry" => Some(Self::Retry),
            "drop" => Some(Self::Drop),
            _ => None,
        }
    }
}

/// Does something with a pool. What takes long goes on.
pub(crate) async fn act(pool: &KnownPool, action: PoolAction) -> Result<ActionOutcome, Problem> {
    let gone = || Problem::conflict("the pool is gone");
    let change = match action {
        PoolAction::Pause | PoolAction::Resume => {
            let is_there = pool.set_paused(action == PoolAction::Pause);
            return if is_there { Ok(ActionOutcome::done()) } else { Err(gone()) };
        }
        PoolAction::Resize(workers) => pool.resize(workers),
        PoolAction::RollingRestart => pool.rolling_restart(),
        PoolAction::Drain => pool.drain(),
    };
    let rest = if action == PoolAction::Drain { "jobs are left" } else { "it goes on" };
    // A change that has begun goes on when its future is dropped.
    match tokio::time::timeout(WAITED, change.ok_or_else(gone)?).await {
        Ok(changed) => changed.map(|()| ActionOutcome::done()).map_err(Problem::conflict),
        Err(_) => Ok(ActionOutcome { detail: Some(rest.to_owned()), ..ActionOutcome::default() }),
    }
}

/// Does something with a job.
pub(crate) fn act_on_job(pool: &KnownPool, job: u64, action: JobAction) -> Result<ActionOutcome, Problem> {
    let (is_done, what) = match action {
        JobAction::Cancel => (pool.cancel(job), "job that has not ended"),
        JobAction::Retry => (pool.retry(&[job]) == 1, "dead job"),
        JobAction::Drop => (pool.discard(&[job]) == 1, "dead job"),
    };
    if is_done { Ok(ActionOutcome::done()) } else { Err(Problem::not_found(what)) }
}

/// Retries or removes dead jobs.
pub(crate) fn act_on_dead_jobs(
    pool: &KnownPool,
    jobs: DeadJobs,
    action: JobAction,
) -> Result<ActionOutcome, Problem> {
    let jobs = match jobs {
        DeadJobs::Ids(ids) => ids,
        DeadJobs::Containing(text) => pool.dead_with(&text),
    };
    match action {
        JobAction::Retry => Ok(ActionOutcome::counted(pool.retry(&jobs))),
        JobAction::Drop => Ok(ActionOutcome::counted(pool.discard(&jobs))),
        JobAction::Cancel => Err(Problem::not_found("action")),
    }
}
