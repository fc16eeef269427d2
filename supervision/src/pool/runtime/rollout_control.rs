//! What the handles of a pool tell its rollout.

use perennial_actors::host::sync::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// What the handles of a pool and its manager know of a rollout.
#[derive(Default)]
pub(crate) struct RolloutControl {
    /// How many workers may run in addition to the wanted ones.
    pub(super) surge: AtomicUsize,
    pub(super) is_paused: AtomicBool,
    pub(super) is_undone: AtomicBool,
    /// Notified when one of the two above changes.
    pub(super) changed: Notify,
}

impl RolloutControl {
    pub(crate) fn surge(&self) -> usize {
        self.surge.load(Ordering::Acquire)
    }

    pub(crate) fn pause(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(crate) fn undo(&self) {
        self.is_undone.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }
}
