//! Whether a failed attempt is followed by another: pure functions over a record.

use std::time::Duration;

use perennial_supervision::Backoff;
use perennial_supervision::pool::Retry;

use crate::batch::AttemptEnd;
use crate::record::{AttemptFailure, JobRecord, Timestamp};

/// Returns the end of an attempt that returned an error, exceeded its time limit, or lost its
/// worker or its process.
///
/// `retry` is what the pool decided on an error. `draw` is a random number below 1 for the jitter.
pub(super) fn after_failure(
    record: &JobRecord,
    failure: AttemptFailure,
    retry: Retry,
    backoff: Option<&Backoff>,
    draw: f64,
    now: Timestamp,
) -> AttemptEnd {
    if record.job.at_most_once {
        return match failure {
            AttemptFailure::ProcessEnded => AttemptEnd::Unknown(failure),
            AttemptFailure::Released => AttemptEnd::Retry { failure, due: now },
            _ => AttemptEnd::Dead(failure),
        };
    }
    let failures = || record.failures().chain([&failure]);
    let lost = failures().filter(|failure| is_loss(failure)).count();
    let failed = failures().filter(|failure| is_failure(failure)).count();
    let has_left = match &failure {
        AttemptFailure::Released => true,
        AttemptFailure::Undecodable(_) | AttemptFailure::Cancelled => false,
        failure if is_loss(failure) => lost < as_count(record.job.lost_attempts),
        _ => failed < as_count(record.job.attempts),
    };
    let delay = match (&failure, retry) {
        _ if !has_left => return AttemptEnd::Dead(failure),
        (AttemptFailure::Released | AttemptFailure::ProcessEnded, _) => Duration::ZERO,
        (AttemptFailure::Error(_), Retry::Never) => return AttemptEnd::Dead(failure),
        (AttemptFailure::Error(_), Retry::After(delay)) => delay,
        _ => {
            let before = u32::try_from(lost + failed - 1).unwrap_or(u32::MAX);
            backoff.map_or(Duration::ZERO, |backoff| backoff.delay(before, draw))
        }
    };
    AttemptEnd::Retry { failure, due: now.saturating_add(delay) }
}

fn as_count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

const fn is_loss(failure: &AttemptFailure) -> bool {
    matches!(failure, AttemptFailure::WorkerEnded(_) | AttemptFailure::ProcessEnded)
}

const fn is_failure(failure: &AttemptFailure) -> bool {
    matches!(failure, AttemptFailure::Error(_) | AttemptFailure::TimedOut)
}
