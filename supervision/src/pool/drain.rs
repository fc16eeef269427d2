//! The wait for an empty pool.

use perennial_actors::host::wake_safely;

use super::shared::Shared;

/// A caller that waits until the pool is empty; counted in `drain_waiters` until it is dropped.
struct DrainGuard<'a, J, T, E>(&'a Shared<J, T, E>);

impl<J, T, E> Drop for DrainGuard<'_, J, T, E> {
    fn drop(&mut self) {
        self.0.lock_state().drain_waiters -= 1;
    }
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Returns a guard that counts the caller as a waiter, or `None` if the wait is over.
    fn drain_guard(&self) -> Option<DrainGuard<'_, J, T, E>> {
        let mut guard = self.lock_synced();
        let is_run_down = guard.state.is_run_down(self.wanted());
        guard.state.drain_waiters += usize::from(!is_run_down);
        guard.end();
        if is_run_down { None } else { Some(DrainGuard(self)) }
    }

    /// Waits until no job is queued or leased, or the pool drains and no worker is left to run one.
    pub(super) async fn emptied(&self) {
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
