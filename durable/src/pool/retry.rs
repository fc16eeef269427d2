//! Whether a failed attempt is followed by another: pure functions over a record.

use std::time::Duration;

use perennial_supervision::Backoff;
use perennial_supervision::pool::Retry;

use crate::batch::AttemptEnd;
use crate::history::AttemptFailure;
use crate::record::{JobRecord, Timestamp};

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
    let lost = failures().fold(0, |lost, failure| failure.counts().lost.saturating_add(lost));
    let failed = failures().fold(0, |failed, failure| failure.counts().failed.saturating_add(failed));
    let has_left = match &failure {
        AttemptFailure::Released => true,
        AttemptFailure::Undecodable(_) | AttemptFailure::Cancelled => false,
        failure if failure.counts().lost > 0 => lost < record.job.lost_attempts,
        _ => failed < record.job.attempts,
    };
    let delay = match (&failure, retry) {
        _ if !has_left => return AttemptEnd::Dead(failure),
        (AttemptFailure::Released | AttemptFailure::ProcessEnded, _) => Duration::ZERO,
        (AttemptFailure::Error(_), Retry::Never) => return AttemptEnd::Dead(failure),
        (AttemptFailure::Error(_), Retry::After(delay)) => delay,
        _ => {
            let before = lost.saturating_add(failed).saturating_sub(1);
            backoff.map_or(Duration::ZERO, |backoff| backoff.delay(before, draw))
        }
    };
    AttemptEnd::Retry { failure, due: now.saturating_add(delay) }
}
