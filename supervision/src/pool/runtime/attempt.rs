//! One attempt at a job: what its context refers to.

use std::sync::Arc;

use perennial_actors::host::sync::OnceLock;

use super::job_state::JobState;
use crate::pool::job::JobId;
use crate::pool::worker::Work;

/// The numbers of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptInfo {
    pub(crate) id: JobId,
    /// The number of the start; the first is 1.
    pub(crate) number: u32,
}

/// A running attempt, held by its worker.
pub(crate) struct RunningAttempt<W: Work + 'static> {
    pub(crate) task: Arc<JobState<W>>,
    info: AttemptInfo,
    /// What contexts of other tasks refer to. Most jobs have none.
    owned: OnceLock<Arc<OwnedAttempt>>,
}

impl<W: Work + 'static> RunningAttempt<W> {
    pub(crate) fn new(task: Arc<JobState<W>>, number: u32) -> Self {
        Self { info: AttemptInfo { id: task.id, number }, task, owned: OnceLock::new() }
    }
}

/// An attempt at a job of any type.
pub(crate) trait AnyAttempt: Send + Sync {
    fn info(&self) -> &AttemptInfo;

    /// Returns what contexts of other tasks refer to. Made on demand.
    fn owned(&self) -> &Arc<OwnedAttempt>;
}

impl<W: Work + 'static> AnyAttempt for RunningAttempt<W> {
    fn info(&self) -> &AttemptInfo {
        &self.info
    }

    fn owned(&self) -> &Arc<OwnedAttempt> {
        self.owned.get_or_init(|| Arc::new(OwnedAttempt { info: self.info }))
    }
}

/// What the contexts of an attempt in other tasks refer to.
pub(crate) struct OwnedAttempt {
    pub(crate) info: AttemptInfo,
}
