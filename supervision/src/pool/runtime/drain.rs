//! The wait for an empty pool.

use perennial_actors::host::wake_safely;

use super::shared::Shared;
use crate::pool::worker::Work;

/// A caller that waits until the pool is empty; counted in `drain_waiters` until it is dropped.
struct DrainGuard<'a, W: Work + 'static>(&'a Shared<W>);

impl<W: Work + 'static> Drop for DrainGuard<'_, W> {
    fn drop(&mut self) {
        self.0.lock_state().drain_waiters -= 1;
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Returns a guard that counts the caller as a waiter, or `None` if the wait is over.
    fn drain_guard(&self) -> Option<DrainGuard<'_, W>> {
        let mut guard = self.lock_synced();
        let is_run_down = guard.state.is_run_down(self.wanted());
        guard.state.drain_waiters += usize::from(!is_run_down);
        guard.end();
        if is_run_down { None } else { Some(DrainGuard(self)) }
    }

    /// Waits until no job is queued or leased, or the pool drains and no worker is left to run one.
    pub(crate) async fn emptied(&self) {
        loop {
            // Registered before the check, so that no notification is missed in between.
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            let Some(_drain_guard) = self.drain_guard() else { return };
            wake_safely(emptied).await;
        }
    }
}
