//! The time of a durable pool.

use tokio::time::Instant;

use crate::record::Timestamp;

/// A clock that goes on from the time of the system, by tokio's clock. So it never goes back, and
/// tests can pause it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Timestamp,
    at: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { began: Timestamp::now(), at: Instant::now() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.began.saturating_add(self.at.elapsed())
    }

    /// Returns when this clock shows a time, or `None` if that is too late for tokio.
    pub(super) fn instant(&self, time: Timestamp) -> Option<Instant> {
        // A millisecond that has only begun is over when it is awaited.
        self.at.checked_add(time.since(self.began))
    }
}
