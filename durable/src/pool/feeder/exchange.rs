//! The batch by which a feeder commits how attempts have ended, and leases the next jobs.

use std::fmt::Display;

use perennial_supervision::pool::Work;

use super::turns::{Feeder, or_broken};
use crate::batch::{Applied, Op};
use crate::error::{CommitErrorKind, StoreError};
use crate::pool::attempt;
use crate::pool::event::DurableEvent;
use crate::pool::in_flight::EndedAttempt;
use crate::wire::Wire;

impl<W> Feeder<'_, W>
where
    W: Work<Job: Wire, Output: Wire, Error: Display> + 'static,
{
    /// Returns how many more jobs may be leased when the ends of attempts are committed.
    pub(super) fn room(&self) -> usize {
        if self.in_flight.is_closed {
            return 0;
        }
        let most = self.shared.settings.lock().prefetch;
        let most = most.unwrap_or_else(|| self.shared.pool.stats().workers.wanted.saturating_mul(2));
        let held = self.in_flight.held.len().saturating_sub(self.in_flight.ended.len());
        most.max(1).saturating_sub(held)
    }

    /// Commits how attempts have ended and leases up to `room` jobs, as one batch. What is not
    /// committed is kept.
    pub(super) async fn exchange(&mut self, room: usize) -> Result<(), StoreError> {
        let ended = std::mem::take(&mut self.in_flight.ended);
        let mut ops: Vec<_> = ended.iter().flat_map(finish).collect();
        if room > 0 {
            self.may_lease = false;
            ops.push(Op::Lease { queue: self.shared.queue.to_string(), max: room });
        }
        if ops.is_empty() {
            return Ok(());
        }
        let is_alone = ended.len() + usize::from(room > 0) == 1;
        let committed = self.shared.commit_all(ops).await;
        let error = match committed.map_err(|error| error.kind) {
            Ok(applied) => {
                ended.iter().for_each(|ended| self.forget(ended, true));
                if room > 0 {
                    self.start(room, applied);
                }
                return Ok(());
            }
            // The attempt was cancelled, or committed by an answer that was lost.
            Err(CommitErrorKind::Conflict { .. }) if is_alone => {
                ended.iter().for_each(|ended| self.forget(ended, false));
                return Ok(());
            }
            Err(error) => error,
        };
        self.in_flight.ended.extend(ended);
        self.may_lease |= room > 0;
        match error {
            // One of them was cancelled, or is too large for what is left of the disk.
            CommitErrorKind::Conflict { .. } => self.commit_singly().await,
            CommitErrorKind::NotApplied(StoreError::Full(_)) if !is_alone => self.commit_singly().await,
            CommitErrorKind::NotApplied(error) => Err(error),
            CommitErrorKind::Unknown(error) => {
                // Jobs may have been leased to this process without its knowledge.
                self.must_recover |= room > 0;
                Err(or_broken(error))
            }
        }
    }

    /// Commits how attempts have ended, each by itself.
    async fn commit_singly(&mut self) -> Result<(), StoreError> {
        let ended = std::mem::take(&mut self.in_flight.ended);
        let commits: Vec<_> = ended
            .into_iter()
            .map(|ended| (self.shared.commit_all(finish(&ended).collect()), ended))
            .collect();
        let mut failure = None;
        for (commit, ended) in commits {
            match commit.await.map_err(|error| error.kind) {
                Ok(_) => self.forget(&ended, true),
                Err(CommitErrorKind::Conflict { .. }) => self.forget(&ended, false),
                Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error)) => {
                    self.in_flight.ended.push(ended);
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(or_broken(error)))
    }

    /// Forgets an attempt whose end was committed, or refused.
    fn forget(&mut self, ended: &EndedAttempt, is_committed: bool) {
        if is_committed {
            self.shared.publish_end(ended.job, ended.attempt, &ended.end);
        }
        self.in_flight.held.remove(&ended.job);
        self.shared.notify(ended.job);
    }

    /// Starts the jobs that were leased by the last operation of a batch.
    fn start(&mut self, room: usize, mut applied: Vec<Applied>) {
        let Some(Applied::Leased(leased)) = applied.pop() else { return };
        self.next_due = leased.next_due;
        self.may_lease = leased.jobs.len() >= room;
        for id in leased.expired {
            self.shared.publish(DurableEvent::Expired(id));
            self.shared.notify(id);
        }
        for record in leased.jobs {
            #[cfg(feature = "metrics")]
            crate::pool::counts::sample_wait(&self.shared.queue, &record);
            self.in_flight.held.insert(record.id);
            self.shared.publish(DurableEvent::Leased { id: record.id, attempt: record.attempt });
            self.in_flight.running.spawn(attempt::start(self.shared, record));
        }
    }
}

/// Returns the operations that end an attempt. It reported its last progress before.
fn finish(ended: &EndedAttempt) -> impl Iterator<Item = Op> + use<> {
    let EndedAttempt { job, attempt, end, progress, .. } = ended.clone();
    let progress = progress.map(|progress| Op::Progress { job, attempt, progress });
    progress.into_iter().chain([Op::Finish { job, attempt, end }])
}
