//! The transitions of one job.

use crate::batch::{AttemptEnd, Conflict};
use crate::history::{AttemptFailure, AttemptRecord, shorten};
use crate::payload::Payload;
use crate::record::{Epoch, JobRecord, RecordState, Timestamp};

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

/// Completes a job by hand that is over.
pub(super) fn resolve(record: &mut JobRecord, output: Option<Payload>, now: Timestamp) -> Retained {
    record.output = output;
    end(record, RecordState::Completed, now)
}

fn wait_until(record: &mut JobRecord, due: Timestamp, now: Timestamp) {
    record.due = due;
    record.state = if due > now { RecordState::Delayed } else { RecordState::Queued };
}

fn end_attempt(record: &mut JobRecord, failure: Option<AttemptFailure>, now: Timestamp) {
    let epoch = record.epoch.take().unwrap_or(Epoch(0));
    let started = record.started.unwrap_or(record.submitted);
    let (number, progress) = (record.attempt, record.progress);
    record.history.push(AttemptRecord { number, epoch, started, ended: now, failure, progress });
    record.forgiven = shorten(&mut record.history, record.forgiven);
}

fn end(record: &mut JobRecord, state: RecordState, now: Timestamp) -> Retained {
    record.state = state;
    record.ended = Some(now);
    let retention = match state {
        RecordState::Dead => record.job.options.retain_dead,
        RecordState::Unknown => None,
        _ => Some(record.job.retention),
    };
    let Some(retention) = retention else { return Retained::Kept };
    if retention.is_zero() {
        return Retained::Removed;
    }
    record.retained_until = Some(now.saturating_add(retention));
    Retained::Kept
}
