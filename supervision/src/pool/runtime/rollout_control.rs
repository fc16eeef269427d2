//! What the handles of a pool tell its rollout.

use perennial_actors::host::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};
use tokio::sync::{Notify, oneshot};

use crate::pool::handle::PoolError;
use crate::pool::scheduler::RolloutDirection;
use crate::pool::stats::RolloutStatus;

/// What the handles of a pool and its manager know of a rollout.
#[derive(Default)]
pub(crate) struct RolloutControl {
    /// How many workers may run in addition to the wanted ones.
    pub(super) surge: AtomicUsize,
    pub(super) is_paused: AtomicBool,
    pub(super) is_undone: AtomicBool,
    /// The rollout that is under way.
    under_way: Mutex<Option<UnderWay>>,
    /// Notified of a pause, its end, an undo and a resize, when a rollout begins, and when the pool
    /// has started or is stopped.
    pub(crate) changed: Notify,
}

/// A rollout that is under way.
struct UnderWay {
    /// The resizes that it has not begun yet.
    resizes: Vec<Resize>,
    direction: RolloutDirection,
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

    /// Returns the state of the rollouts.
    pub(crate) fn status(&self) -> RolloutStatus {
        let direction = self.under_way.lock().as_ref().map(|rollout| rollout.direction);
        RolloutStatus { paused: self.is_paused.load(Ordering::Acquire), direction }
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
        self.under_way.lock().as_mut()?.resizes.push(Resize { workers, answer });
        self.changed.notify_waiters();
        Some(resized)
    }

    /// Accepts resizes from now on.
    pub(super) fn begin(&self) {
        let begun = UnderWay { resizes: Vec::new(), direction: RolloutDirection::Forward };
        *self.under_way.lock() = Some(begun);
        // A resize that waits for its turn does not wait for the rollout.
        self.changed.notify_waiters();
    }

    /// Sets where the rollout goes now.
    pub(super) fn set_direction(&self, direction: RolloutDirection) {
        if let Some(rollout) = self.under_way.lock().as_mut() {
            rollout.direction = direction;
        }
    }

    /// Returns the resizes since the last call.
    pub(super) fn take_resizes(&self) -> Vec<Resize> {
        let mut rollout = self.under_way.lock();
        rollout.as_mut().map(|rollout| std::mem::take(&mut rollout.resizes)).unwrap_or_default()
    }

    /// Accepts no more resizes. Those that were not begun come after the rollout.
    pub(super) fn end(&self) {
        let remaining = self.under_way.lock().take();
        drop(remaining);
    }
}
