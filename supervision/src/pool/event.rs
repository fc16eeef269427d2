//! The events of a pool's jobs.

use perennial_actors::host::Broadcast;
use perennial_actors::{Pid, Subscription};

use super::job::JobId;
use super::retry::RetryCause;

/// An event of a job.
///
/// # Ordering
///
/// Subscribers receive events in the order in which they happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum JobEvent {
    /// The job was accepted.
    Submitted(JobId),
    /// A worker has started an attempt.
    Started {
        /// The job.
        id: JobId,
        /// The incarnation of the worker.
        worker: Pid,
    },
    /// The job completed with an output.
    Done(JobId),
    /// An attempt failed or was interrupted, and the job is retried.
    Retried {
        /// The job.
        id: JobId,
        /// The reason.
        cause: RetryCause,
    },
    /// The job failed and is not retried: it returned an error that is not retried, has no attempts
    /// left, or expired before the next.
    Dead(JobId),
    /// The job expired before its first attempt.
    Expired(JobId),
    /// The job was cancelled.
    Cancelled(JobId),
    /// The pool stopped or was cleared before the job was done.
    Dropped(JobId),
}

/// The events of one pool. They are recorded while the queue is locked, which orders them, and
/// published after that.
pub(super) struct Events(Broadcast<JobEvent>);

impl Events {
    pub(super) const fn new() -> Self {
        Self(Broadcast::new())
    }

    pub(super) fn subscribe(&self) -> Subscription<JobEvent> {
        self.0.subscribe()
    }

    /// Returns `true` if there is a subscriber.
    #[inline]
    pub(super) fn has_subscribers(&self) -> bool {
        self.0.has_subscribers()
    }

    /// Records an event. The caller holds the lock of the queue.
    #[inline]
    pub(super) fn record(&self, event: JobEvent) {
        self.0.record(|| event);
    }

    /// Wakes the subscribers that wait for a recorded event. The caller holds no lock.
    #[inline]
    pub(super) fn publish(&self) {
        self.0.publish();
    }
}
