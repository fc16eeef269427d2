//! What a person changes: jobs, and whether a queue is paused.

use crate::batch::{Applied, Batch, Op};
use crate::error::CommitError;
use crate::record::{JobId, RecordState, Timestamp};
use crate::store::Store;

/// The most operations of one commit.
const BATCH: usize = 100;

/// What a person does to a job.
///
/// # Examples
///
/// ```
/// use perennial_durable::RecordState;
/// use perennial_durable::inspect::JobChange;
///
/// assert!(JobChange::Retry.applies_to(RecordState::Dead));
/// assert!(!JobChange::Drop.applies_to(RecordState::Running));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JobChange {
    /// Queues a job again that is over and has not completed, with all its attempts.
    Retry,
    /// Ends a job that waits or runs, without a further attempt.
    Cancel,
    /// Removes a job that does not run.
    Drop,
}

impl JobChange {
    /// Every change.
    pub const ALL: [Self; 3] = [Self::Retry, Self::Cancel, Self::Drop];

    /// Returns the name of the change: `retry`, `cancel` or `drop`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Drop => "drop",
        }
    }

    /// Returns `true` if a job in this state can be changed so.
    #[must_use]
    pub const fn applies_to(self, state: RecordState) -> bool {
        match self {
            Self::Retry => state.is_over() && !matches!(state, RecordState::Completed),
            Self::Cancel => !state.is_over(),
            Self::Drop => !matches!(state, RecordState::Running),
        }
    }

    /// Changes jobs, some in each commit. Returns those that were there, and in a state for it.
    ///
    /// # Errors
    ///
    /// The commit that failed. Those before it have changed their jobs.
    pub async fn apply(
        self,
        store: &dyn Store,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<Vec<JobId>, CommitError> {
        let mut changed = Vec::new();
        for some in jobs.chunks(BATCH) {
            let ops = some.iter().map(|id| self.op(*id)).collect();
            let applied = store.commit(Batch { now, ops }).await?;
            let is_changed = |(_, applied): &(&JobId, Applied)| *applied == Applied::Changed(true);
            changed.extend(some.iter().zip(applied).filter(is_changed).map(|(id, _)| *id));
        }
        Ok(changed)
    }

    const fn op(self, id: JobId) -> Op {
        match self {
            Self::Retry => Op::Retry(id),
            Self::Cancel => Op::Cancel(id),
            Self::Drop => Op::Remove(id),
        }
    }
}

/// Pauses a queue, so that no more of its jobs start, or resumes it.
///
/// # Errors
///
/// The commit failed.
pub async fn set_paused(
    store: &dyn Store,
    queue: &str,
    paused: bool,
    now: Timestamp,
) -> Result<(), CommitError> {
    store.commit(Batch::of(now, Op::Pause { queue: queue.to_owned(), paused })).await.map(drop)
}
