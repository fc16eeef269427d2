//! What the handles of a pool tell its rollout.

use perennial_actors::host::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};
use tokio::sync::{Notify, oneshot};

use crate::pool::handle::PoolError;

/// What the handles of a pool and its manager know of a rollout.
#[derive(Default)]
pub(crate) struct RolloutControl {
    /// How many workers may run in addition to the wanted ones.
    pub(super) surge: AtomicUsize,
    pub(super) is_paused: AtomicBool,
    pub(super) is_undone: AtomicBool,
    /// The resizes that the rollout has not begun yet, or `None` while there is no rollout.
    resizes: Mutex<Option<Vec<Resize>>>,
    /// Notified of a pause, its end, an undo and a resize, and when a rollout begins.
    pub(crate) changed: Notify,
}

/// A change of the number of workers during a rollout.
pub(super) struct Resize {
    pub(super) workers: usize,
    pub(super) answer: oneshot::Sender<Result<(), PoolError>>,
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

    /// Makes the rollout change the number of workers. Returns `None` if there is no rollout. The
    /// answer fails if the rollout ends before.
    pub(crate) fn resize(&self, workers: usize) -> Option<oneshot::Receiver<Result<(), PoolError>>> {
        let (answer, resized) = oneshot::channel();
        self.resizes.lock().as_mut()?.push(Resize { workers, answer });
        self.changed.notify_waiters();
        Some(resized)
    }

    /// Accepts resizes from now on.
    pub(super) fn begin(&self) {
        *self.resizes.lock() = Some(Vec::new());
        // A resize that waits for its turn does not wait for the rollout.
        self.changed.notify_waiters();
    }

    /// Returns the resizes since the last call.
    pub(super) fn take_resizes(&self) -> Vec<Resize> {
        self.resizes.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Accepts no more resizes. Those that were not begun come after the rollout.
    pub(super) fn end(&self) {
        let remaining = self.resizes.lock().take();
        drop(remaining);
    }
}
