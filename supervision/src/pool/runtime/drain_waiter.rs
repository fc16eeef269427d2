//! The callers that wait for the end of jobs.

use tokio::sync::oneshot;

/// A caller that waits until the pool is empty, or until the worker of a slot runs no job.
pub(crate) struct DrainWaiter {
    pub(super) slot: Option<usize>,
    pub(super) waiter: oneshot::Sender<()>,
}

impl DrainWaiter {
    pub(crate) fn is_gone(&self) -> bool {
        self.waiter.is_closed()
    }

    /// Notifies the caller. Its waker may panic.
    pub(crate) fn notify(self) {
        let _ = self.waiter.send(());
    }
}
