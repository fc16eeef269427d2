//! The end of the work of a pool: the wait until no job is left, the end of its tree, and the child
//! that finishes the jobs before the tree stops the pool.
//!
//! That child starts last, so it stops first: while it stops, the workers and the manager still
//! run.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::wake_safely;
use perennial_actors::{Actor, Context, ExitReason};

use super::shared::Shared;
use crate::policy::Shutdown;
use crate::pool::worker::Work;
use crate::spec::Child;

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
        self.with_queue(|queue| {
            let is_run_down = queue.state.is_run_down(self.wanted());
            queue.state.drain_waiters += usize::from(!is_run_down);
            (!is_run_down).then(|| DrainGuard(self))
        })
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

    /// Handles the start of the tree or of a part of it: watches for the end of the tree.
    pub(crate) fn tree_started(self: &Arc<Self>) {
        let Some(supervisor) = self.supervisor.upgrade() else { return };
        let watches = self.lock_state().start_watching(self.wanted());
        let pool = Arc::downgrade(self);
        let close = move || {
            if let Some(pool) = pool.upgrade() {
                pool.close();
            }
        };
        if !watches && !supervisor.handle().on_close(close) {
            self.close();
        }
    }

    /// Handles the end of the tree: drops the queued jobs, because no worker will run them. The
    /// tree may start again.
    pub(crate) fn close(&self) {
        let dropped = self.with_queue_in_supervisor(|queue| {
            (queue.state.tree_ended, queue.state.is_watching) = (true, false);
            queue.clear()
        });
        if let Some(supervisor) = self.supervisor.upgrade() {
            supervisor.count_dropped_jobs(dropped);
        }
    }
}

/// The child of a pool that finishes the jobs. See the [module](self).
pub(crate) struct Drainer<W: Work + 'static>(Arc<Shared<W>>);

/// Makes the drainer finish the jobs of its pool.
pub(crate) struct Drain;

impl<W: Work + 'static> Actor for Drainer<W> {
    type Msg = Drain;
    type Args = Arc<Shared<W>>;

    async fn init(pool: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(pool.clone()))
    }

    /// Rejects new jobs until the tree starts again, resumes a paused pool, and waits for the jobs.
    async fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.with_queue(|queue| {
            queue.state.is_draining = true;
            queue.reschedule(|scheduler| scheduler.pause(false));
        });
        self.0.emptied().await;
        Ok(())
    }
}

impl<W: Work + 'static> Drainer<W> {
    /// Returns the child spec of the drainer, with this shutdown time.
    pub(crate) fn child(pool: Arc<Shared<W>>, time: Duration) -> Child<Drain> {
        let child = Child::new::<Self>("drain", pool).internal().shutdown(Shutdown::Drain(time));
        let drainer = child.address();
        child.stop_hook(move |_, drains| {
            if drains {
                // If it has ended, the jobs are dropped with the pool.
                let _ = drainer.cast(Drain);
            }
        })
    }
}
