//! The jobs that a feeder has leased, which outlive its incarnations.

use std::collections::HashSet;

use tokio::task::JoinSet;

use crate::batch::AttemptEnd;
use crate::record::{JobId, RecordedProgress};

/// An attempt that has ended and is not committed.
#[derive(Clone, Debug)]
pub(super) struct EndedAttempt {
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) end: AttemptEnd,
    /// What it has reported since the last commit.
    pub(super) progress: Option<RecordedProgress>,
    /// The pool in memory has stopped for good and accepted no job.
    pub(super) is_refused: bool,
}

/// The jobs in work: those that run, and those that have ended and are not committed.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    pub(super) running: JoinSet<EndedAttempt>,
    pub(super) ended: Vec<EndedAttempt>,
    /// The numbers of both.
    pub(super) held: HashSet<JobId>,
    /// The pool in memory has stopped for good.
    pub(super) is_closed: bool,
}

impl InFlight {
    /// Collects the attempts that have ended, without waiting.
    pub(super) fn collect(&mut self) {
        while let Some(ended) = self.running.try_join_next() {
            // A task that was aborted belongs to a runtime that ends.
            self.add(ended.ok());
        }
    }

    /// Waits for the end of an attempt; for ever if none runs.
    pub(super) async fn next_ended(&mut self) {
        match self.running.join_next().await {
            Some(ended) => self.add(ended.ok()),
            None => std::future::pending().await,
        }
    }

    fn add(&mut self, ended: Option<EndedAttempt>) {
        self.is_closed |= ended.as_ref().is_some_and(|ended| ended.is_refused);
        self.ended.extend(ended);
    }
}
