//! The jobs that a feeder has leased, which outlive its incarnations.

use std::collections::HashSet;

use tokio::task::JoinSet;

use crate::batch::AttemptEnd;
use crate::record::JobId;

/// An attempt that has ended and is not committed.
#[derive(Clone, Debug)]
pub(super) struct EndedAttempt {
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) end: AttemptEnd,
}

/// The jobs in work: those that run, and those that have ended and are not committed.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    pub(super) running: JoinSet<EndedAttempt>,
    pub(super) ended: Vec<EndedAttempt>,
    /// The numbers of both.
    pub(super) held: HashSet<JobId>,
}

impl InFlight {
    /// Collects the attempts that have ended, without waiting.
    pub(super) fn collect(&mut self) {
        while let Some(ended) = self.running.try_join_next() {
            // A task that was aborted belongs to a runtime that ends.
            self.ended.extend(ended);
        }
    }

    /// Waits for the end of an attempt; for ever if none runs.
    pub(super) async fn next_ended(&mut self) {
        match self.running.join_next().await {
            Some(ended) => self.ended.extend(ended),
            None => std::future::pending().await,
        }
    }
}
