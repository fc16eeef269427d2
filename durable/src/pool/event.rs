//! The events of a durable pool's jobs.

use crate::batch::AttemptEnd;
use crate::record::{JobId, Timestamp};

/// An event of a durable job in this process. What it says is on the disk.
///
/// # Ordering
///
/// The events of one job are in the order in which they happened. Those of other processes are not
/// among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DurableEvent {
    /// The job was stored.
    Submitted(JobId),
    /// The job was leased, and its attempt is counted. It starts when a worker is free.
    Leased {
        /// The job.
        id: JobId,
        /// The number of the attempt; the first is 1.
        attempt: u32,
    },
    /// The job completed with an output, or was completed by hand.
    Completed(JobId),
    /// An attempt failed or was given back, and the job is tried again.
    Retried {
        /// The job.
        id: JobId,
        /// The number of the attempt.
        attempt: u32,
        /// The next attempt does not start before this time.
        due: Timestamp,
    },
    /// The job failed and is not retried.
    Dead(JobId),
    /// The outcome of the job is unknown, and the job must not start twice.
    Unknown(JobId),
    /// The job had not started when it expired. It is dead if it had failed before.
    Expired(JobId),
    /// The job was cancelled.
    Cancelled(JobId),
    /// The job was removed.
    Removed(JobId),
}

impl DurableEvent {
    /// Returns the job.
    #[must_use]
    pub const fn id(&self) -> JobId {
        match self {
            Self::Leased { id, .. } | Self::Retried { id, .. } => *id,
            Self::Submitted(id)
            | Self::Completed(id)
            | Self::Dead(id)
            | Self::Unknown(id)
            | Self::Expired(id)
            | Self::Cancelled(id)
            | Self::Removed(id) => *id,
        }
    }

    /// Returns `true` if the job is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        !matches!(self, Self::Submitted(_) | Self::Leased { .. } | Self::Retried { .. })
    }

    /// Returns the event of an attempt that has ended.
    pub(super) const fn of_end(id: JobId, attempt: u32, end: &AttemptEnd) -> Self {
        match end {
            AttemptEnd::Completed(_) => Self::Completed(id),
            AttemptEnd::Retry { due, .. } => Self::Retried { id, attempt, due: *due },
            AttemptEnd::Dead(_) => Self::Dead(id),
            AttemptEnd::Unknown(_) => Self::Unknown(id),
        }
    }
}
