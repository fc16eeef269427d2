//! The callers that wait for the end of jobs.

use tokio::sync::oneshot;

/// What a caller waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaited {
    /// No job is queued or runs, except calls that outlive jobs whose outcome is decided.
    Jobs,
    /// No job is queued or runs, and no call.
    Calls,
    /// The worker of this slot runs no job.
    Worker(usize),
}

/// A caller that waits for the end of jobs.
pub(crate) struct DrainWaiter {
    pub(super) awaited: Awaited,
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
