//! The transitions of one job.

use crate::batch::{AttemptEnd, Conflict};
use crate::record::{AttemptFailure, AttemptRecord, Epoch, JobRecord, RecordState, Timestamp};

/// What happens to a record after a transition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Retained {
    Kept,
    Removed,
}

/// Starts the next attempt.
pub(super) fn lease(record: &mut JobRecord, epoch: Epoch, now: Timestamp) {
    record.state = RecordState::Running;
    record.attempt += 1;
    record.epoch = Some(epoch);
    record.started = Some(now);
    record.progress = None;
}

/// Returns `true` if a job that waits must not start any more.
pub(super) fn has_expired(record: &JobRecord, now: Timestamp) -> bool {
    record.job.expires.is_some_and(|expires| expires <= now)
}

/// Ends a job that has expired. If it had failed before, it is dead.
pub(super) fn expire(record: &mut JobRecord, now: Timestamp) -> Retained {
    let has_failed = record.failures().any(|failure| *failure != AttemptFailure::Released);
    end(record, if has_failed { RecordState::Dead } else { RecordState::Expired }, now)
}

/// Returns the conflict of an operation of an attempt that does not run.
pub(super) fn check_attempt(record: &JobRecord, attempt: u32) -> Result<(), Conflict> {
    if record.state == RecordState::Running && record.attempt == attempt {
        return Ok(());
    }
    let (job, latest, state) = (record.id, record.attempt, record.state);
    Err(Conflict::StaleAttempt { job, attempt, latest, state })
}

/// Ends the attempt that runs.
pub(super) fn finish(record: &mut JobRecord, attempt_end: AttemptEnd, now: Timestamp) -> Retained {
    match attempt_end {
        AttemptEnd::Completed(output) => {
            end_attempt(record, None, now);
            record.output = output;
            end(record, RecordState::Completed, now)
        }
        AttemptEnd::Retry { failure, due } => {
            end_attempt(record, Some(failure), now);
            wait_until(record, due, now);
            Retained::Kept
        }
        AttemptEnd::Dead(failure) => {
            end_attempt(record, Some(failure), now);
            end(record, RecordState::Dead, now)
        }
        AttemptEnd::Unknown(failure) => {
            end_attempt(record, Some(failure), now);
            end(record, RecordState::Unknown, now)
        }
    }
}

/// Cancels a job that is not over.
pub(super) fn cancel(record: &mut JobRecord, now: Timestamp) -> Retained {
    if record.state == RecordState::Running {
        end_attempt(record, Some(AttemptFailure::Cancelled), now);
    }
    end(record, RecordState::Cancelled, now)
}

/// Queues a job that is over, with all its attempts.
pub(super) fn retry(record: &mut JobRecord, now: Timestamp) {
    record.forgiven = record.history.len().try_into().unwrap_or(u32::MAX);
    record.ended = None;
    record.retained_until = None;
    record.progress = None;
    // It expired after the time of its submission, which is long ago.
    record.job.expires = None;
    wait_until(record, now, now);
}

fn wait_until(record: &mut JobRecord, due: Timestamp, now: Timestamp) {
    record.due = due;
    record.state = if due > now { RecordState::Delayed } else { RecordState::Queued };
}

fn end_attempt(record: &mut JobRecord, failure: Option<AttemptFailure>, now: Timestamp) {
    let epoch = record.epoch.take().unwrap_or(Epoch(0));
    let started = record.started.unwrap_or(record.submitted);
    record.history.push(AttemptRecord { number: record.attempt, epoch, started, ended: now, failure });
}

fn end(record: &mut JobRecord, state: RecordState, now: Timestamp) -> Retained {
    record.state = state;
    record.ended = Some(now);
    if matches!(state, RecordState::Dead | RecordState::Unknown) {
        return Retained::Kept;
    }
    if record.job.retention.is_zero() {
        return Retained::Removed;
    }
    record.retained_until = Some(now.saturating_add(record.job.retention));
    Retained::Kept
}
