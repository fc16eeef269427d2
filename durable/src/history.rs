//! The history of a job: its attempts, and a summary of those that are too many.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::numbers::{Epoch, Timestamp};

/// The most entries of the history of a job. A job that is given back 10,000 times does not grow.
pub const MAX_HISTORY: usize = 100;

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct RecordedProgress {
    /// The steps that are done.
    pub done: u64,
    /// All steps.
    pub total: u64,
}

/// An attempt that has ended.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The number of the attempt; the first is 1.
    pub number: u32,
    /// The process that ran it.
    pub epoch: Epoch,
    /// When it started.
    pub started: Timestamp,
    /// When its end was stored.
    pub ended: Timestamp,
    /// Why it failed; `None` if it completed.
    pub failure: Option<AttemptFailure>,
    /// The progress that it reported last.
    #[serde(default)]
    pub progress: Option<RecordedProgress>,
}

/// The reason why an attempt failed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum AttemptFailure {
    /// The worker returned an error.
    Error(String),
    /// The attempt exceeded its time limit.
    TimedOut,
    /// The worker ended: it crashed, was killed, or hung and was abandoned.
    WorkerEnded(String),
    /// The process ended.
    ProcessEnded,
    /// The job could not be decoded. No worker has seen it.
    Undecodable(String),
    /// The job was cancelled.
    Cancelled,
    /// The attempt was given back by a pool that stopped. It has used up nothing.
    Released,
    /// A summary of the first attempts of a history that had more than [`MAX_HISTORY`]. Its record
    /// begins with the first of them and ends with the last.
    Earlier(EarlierAttempts),
}

/// How many attempts are not in a history any more, and what they count for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct EarlierAttempts {
    /// The number of attempts.
    pub attempts: u32,
    /// How many of them returned an error or exceeded their time limit. Those before a retry by
    /// hand do not count.
    pub failed: u32,
    /// How many of them lost their worker or their process. Those before a retry by hand do not
    /// count.
    pub lost: u32,
}

impl AttemptFailure {
    /// Returns what the failure counts for.
    #[must_use]
    pub const fn counts(&self) -> EarlierAttempts {
        match self {
            Self::Error(_) | Self::TimedOut => EarlierAttempts { attempts: 1, failed: 1, lost: 0 },
            Self::WorkerEnded(_) | Self::ProcessEnded => EarlierAttempts { attempts: 1, failed: 0, lost: 1 },
            Self::Undecodable(_) | Self::Cancelled | Self::Released => {
                EarlierAttempts { attempts: 1, failed: 0, lost: 0 }
            }
            Self::Earlier(earlier) => *earlier,
        }
    }
}

impl fmt::Display for AttemptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.write_str(error),
            Self::TimedOut => f.write_str("the attempt timed out"),
            Self::WorkerEnded(reason) => write!(f, "the worker ended: {reason}"),
            Self::ProcessEnded => f.write_str("the process ended"),
            Self::Undecodable(reason) => write!(f, "the job cannot be decoded: {reason}"),
            Self::Cancelled => f.write_str("the job was cancelled"),
            Self::Released => f.write_str("the pool stopped"),
            Self::Earlier(earlier) => write!(f, "{} earlier attempts", earlier.attempts),
        }
    }
}

/// Shortens a history to [`MAX_HISTORY`] entries. Returns how many of those that are left are
/// forgiven, given how many were.
pub(crate) fn shorten(history: &mut Vec<AttemptRecord>, forgiven: u32) -> u32 {
    if history.len() <= MAX_HISTORY {
        return forgiven;
    }
    // One more, for the summary.
    let surplus = history.len() - MAX_HISTORY + 1;
    let was_forgiven = usize::try_from(forgiven).unwrap_or(usize::MAX);
    let mut earlier = EarlierAttempts::default();
    let mut summary: Option<AttemptRecord> = None;
    for (index, attempt) in history.drain(..surplus).enumerate() {
        let counts = attempt
            .failure
            .as_ref()
            .map_or(EarlierAttempts { attempts: 1, ..EarlierAttempts::default() }, AttemptFailure::counts);
        earlier.attempts = earlier.attempts.saturating_add(counts.attempts);
        if index >= was_forgiven {
            earlier.failed = earlier.failed.saturating_add(counts.failed);
            earlier.lost = earlier.lost.saturating_add(counts.lost);
        }
        let (first, progress) = summary.map_or((attempt.started, None), |last| (last.started, last.progress));
        let progress = attempt.progress.or(progress);
        summary = Some(AttemptRecord { started: first, progress, ..attempt });
    }
    if let Some(summary) = summary {
        history.insert(0, AttemptRecord { failure: Some(AttemptFailure::Earlier(earlier)), ..summary });
    }
    match was_forgiven.checked_sub(surplus) {
        // The summary is forgiven with those after it.
        Some(left @ 1..) => u32::try_from(left + 1).unwrap_or(u32::MAX),
        _ => 0,
    }
}
