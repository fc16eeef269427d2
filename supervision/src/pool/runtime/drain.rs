//! The end of the work of a pool: the wait until no job is left, the end of its tree, and the child
//! that finishes the jobs before the tree stops the pool.
//!
//! That child starts last, so it stops first: while it stops, the workers and the manager still
//! run.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::host::{cast_unlinked, wake_safely};
use perennial_actors::{Actor, Context, ExitReason};
use tokio::sync::oneshot;

use super::drain_waiter::{Awaited, DrainWaiter};
use super::shared::{Shared, State};
use crate::policy::Shutdown;
use crate::pool::worker::Work;
use crate::spec::Child;

impl<W: Work + 'static> State<W> {
    /// Removes the callers whose wait is over.
    pub(crate) fn take_drained(&mut self, wanted: usize) -> Vec<DrainWaiter> {
        if !self.drain_waiters.iter().any(|waiter| self.is_over(waiter.awaited, wanted)) {
            return Vec::new();
        }
        let waiters = mem::take(&mut self.drain_waiters);
        let is_over = |waiter: &DrainWaiter| self.is_over(waiter.awaited, wanted);
        let (over, waiting) = waiters.into_iter().partition(is_over);
        self.drain_waiters = waiting;
        over
    }

    fn is_over(&self, awaited: Awaited, wanted: usize) -> bool {
        match awaited {
            Awaited::Jobs => self.is_run_down(wanted),
            Awaited::Calls => self.is_run_down(wanted) && self.terminating.len() == 0,
            Awaited::Worker(slot) => !self.scheduler.has_lease(slot) && !self.terminating.has_call(slot),
        }
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Waits until the worker of a slot runs no job.
    pub(crate) async fn job_finished(&self, slot: usize) {
        let finished = self.with_queue(|queue| {
            let (waiter, finished) = oneshot::channel();
            queue.state.drain_waiters.push(DrainWaiter { awaited: Awaited::Worker(slot), waiter });
            finished
        });
        // The pool is there as long as its queue: the waiter is never dropped unanswered.
        let _ = wake_safely(finished).await;
    }

    /// Waits until no job is queued or runs, or the pool drains and no worker is left to run one.
    /// Calls that outlive jobs whose outcome is decided are not waited for.
    pub(crate) async fn emptied(&self) {
        self.wait_for(Awaited::Jobs).await;
    }

    /// Like `emptied`, and waits for all calls.
    pub(crate) async fn calls_returned(&self) {
        self.wait_for(Awaited::Calls).await;
    }

    async fn wait_for(&self, awaited: Awaited) {
        let wait = || {
            self.with_queue(|queue| {
                let (waiter, emptied) = oneshot::channel();
                queue.state.drain_waiters.push(DrainWaiter { awaited, waiter });
                (!queue.state.is_over(awaited, self.wanted())).then_some(emptied)
            })
        };
        while let Some(emptied) = wait() {
            // The pool is there as long as its queue: the waiter is never dropped unanswered.
            let _ = wake_safely(emptied).await;
        }
    }

    /// Waits for the end of the tree, without keeping the pool.
    pub(crate) async fn ended(pool: Weak<Self>) {
        let Some(mut ended) = pool.upgrade().map(|pool| pool.ended.subscribe()) else { return };
        // An error says that the pool is gone.
        drop(wake_safely(ended.wait_for(|ended| *ended)).await);
    }

    /// Handles the start of the tree or of a part of it: watches for the end of the tree.
    pub(crate) fn tree_started(self: &Arc<Self>) {
        let Some(supervisor) = self.supervisor.upgrade() else { return };
        let watches = self.lock_state().start_watching(self.wanted());
        if !watches {
            self.ended.send_replace(false);
        }
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
        let dropped = self.with_queue_disposing(|queue| {
            (queue.state.tree_ended, queue.state.is_watching) = (true, false);
            queue.clear()
        });
        self.report_terminating();
        self.readiness_changed.notify_waiters();
        if let Some(supervisor) = self.supervisor.upgrade() {
            supervisor.count_dropped_jobs(dropped);
        }
        self.ended.send_replace(true);
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
        let child =
            Child::new::<Self>("drain", pool).internal().stops_first().shutdown(Shutdown::Drain(time));
        let drainer = child.address();
        child.stop_hook(move |_, drains| {
            if drains {
                // If it has ended, the jobs are dropped with the pool.
                let _ = cast_unlinked(&drainer, Drain);
            }
        })
    }
}
