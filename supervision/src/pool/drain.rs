//! Waiting until nothing waits in a pool and nothing is worked at.

use perennial_actors::host::wake_safely;

use super::shared::Shared;

/// A caller that waits until the pool is empty, for as long as it does.
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
    /// Counts one more that waits until it is empty.
    fn drain_guard(&self) -> Option<DrainGuard<'_, J, T, E>> {
        let mut guard = self.lock_synced();
        let is_empty = guard.state.scheduler.is_empty();
        guard.state.drain_waiters += usize::from(!is_empty);
        guard.end();
        if is_empty { None } else { Some(DrainGuard(self)) }
    }

    /// Waits until nothing waits and nothing is worked at.
    pub(super) async fn emptied(&self) {
        loop {
            // Enlisted before it looks, so that nothing comes between the two unheard.
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            let Some(_drain_guard) = self.drain_guard() else { return };
            wake_safely(emptied).await;
        }
    }
}
