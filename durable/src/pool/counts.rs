//! Counts what happens to the jobs of a durable pool.

use std::sync::Arc;
use std::time::Duration;

use ::metrics::SharedString;

use super::event::DurableEvent;
use crate::batch::AttemptEnd;
use crate::history::AttemptFailure;
use crate::metrics::{ATTEMPTS, ENDED, RESCUED, RETRIES, SUBMITTED, WAIT, count, sample};
use crate::record::JobRecord;

/// Counts an event.
pub(super) fn count_event(queue: &Arc<str>, event: &DurableEvent) {
    let queue = SharedString::from(queue.clone());
    let outcome = match event {
        DurableEvent::Submitted(_) => return count(SUBMITTED, [queue]),
        DurableEvent::Retried { .. } => return count(RETRIES, [queue]),
        // A job that is removed was over before, or is wanted by nothing.
        DurableEvent::Leased { .. } | DurableEvent::Removed(_) => return,
        DurableEvent::Completed(_) => "completed",
        DurableEvent::Dead(_) => "dead",
        DurableEvent::Unknown(_) => "unknown",
        DurableEvent::Expired(_) => "expired",
        DurableEvent::Cancelled(_) => "cancelled",
    };
    count(ENDED, [queue, outcome.into()]);
}

/// Counts the end of an attempt.
pub(super) fn count_end(queue: &Arc<str>, end: &AttemptEnd) {
    let queue = SharedString::from(queue.clone());
    let why = match end {
        AttemptEnd::Completed(_) => "completed",
        AttemptEnd::Retry { failure, .. } | AttemptEnd::Dead(failure) | AttemptEnd::Unknown(failure) => {
            why(failure)
        }
    };
    count(ATTEMPTS, [queue.clone(), why.into()]);
    if let AttemptEnd::Retry { failure: AttemptFailure::ProcessEnded, .. } = end {
        count(RESCUED, [queue]);
    }
}

const fn why(failure: &AttemptFailure) -> &'static str {
    match failure {
        AttemptFailure::Error(_) => "failed",
        AttemptFailure::TimedOut => "timed_out",
        AttemptFailure::WorkerEnded(_) => "worker_ended",
        AttemptFailure::ProcessEnded => "process_ended",
        AttemptFailure::Undecodable(_) => "undecodable",
        AttemptFailure::Cancelled => "cancelled",
        AttemptFailure::Released => "released",
        // A summary in a history, and the end of no attempt.
        AttemptFailure::Earlier(_) => "earlier",
    }
}

/// Takes the time that a job has waited for its lease.
pub(super) fn sample_wait(queue: &Arc<str>, record: &JobRecord) {
    let Some(started) = record.started else { return };
    let waited = Duration::from_millis(started.0.saturating_sub(record.due.0));
    sample(WAIT, [SharedString::from(queue.clone())], waited.as_secs_f64());
}
