//! The readiness of workers: it is set by the worker itself or by the readiness probe, and awaited
//! by changes of the pool.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Weak};

use perennial_actors::host::wake_safely;

use super::lease::WorkerId;
use super::shared::{Jobs, Shared};
use crate::pool::scheduler::ReadinessSource;
use crate::pool::worker::Work;

/// Sets the readiness of one incarnation, independent of the types of its jobs. Clones belong to
/// the same incarnation.
#[derive(Clone)]
pub(crate) struct ReadinessGate(Arc<dyn SetReady>);

trait SetReady: Send + Sync {
    fn set_ready(&self, source: ReadinessSource, ready: bool);
    fn worker_id(&self) -> WorkerId;
}

/// An incarnation and its pool. The reference is weak: a worker does not keep its pool.
struct Incarnation<W: Work + 'static> {
    pool: Weak<Shared<W>>,
    worker_id: WorkerId,
}

impl<W: Work + 'static> SetReady for Incarnation<W> {
    fn set_ready(&self, source: ReadinessSource, ready: bool) {
        if let Some(pool) = self.pool.upgrade() {
            pool.set_ready(self.worker_id, source, ready);
        }
    }

    fn worker_id(&self) -> WorkerId {
        self.worker_id
    }
}

impl ReadinessGate {
    pub(crate) fn new<W: Work + 'static>(pool: &Arc<Shared<W>>, worker_id: WorkerId) -> Self {
        Self(Arc::new(Incarnation { pool: Arc::downgrade(pool), worker_id }))
    }

    pub(crate) fn set(&self, source: ReadinessSource, ready: bool) {
        self.0.set_ready(source, ready);
    }
}

impl fmt::Debug for ReadinessGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadinessGate").field(&self.0.worker_id()).finish()
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Sets whether an incarnation is ready. An incarnation that has ended changes nothing.
    fn set_ready(&self, worker_id: WorkerId, source: ReadinessSource, ready: bool) {
        let WorkerId { slot, pid } = worker_id;
        self.reschedule(|scheduler| scheduler.set_ready(slot, pid.incarnation(), source, ready));
        self.readiness_changed.notify_waiters();
    }

    /// Waits until the readiness of the workers is as wanted. Returns `false` if the tree of the
    /// pool has ended instead. It may have changed again when this returns.
    pub(crate) async fn until_ready(&self, is_as_wanted: impl Fn(&Jobs<W>) -> bool) -> bool {
        loop {
            let mut changed = pin!(self.readiness_changed.notified());
            // Registered before the check, so that no change is missed.
            changed.as_mut().enable();
            {
                let state = self.lock_state();
                if state.tree_ended || is_as_wanted(&state.scheduler) {
                    return !state.tree_ended;
                }
            }
            wake_safely(changed).await;
        }
    }
}
