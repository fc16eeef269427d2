//! The end of an attempt whose call still runs, and the return of that call.

use std::sync::Arc;
use std::time::Duration;

use super::lease::{AttemptResult, WorkerId};
use super::queue::Queue;
use super::shared::Shared;
use super::submit_buffer::Queued;
use super::terminating::{AfterReturn, JobEnd, TerminatingJob};
use super::threads::Thread;
use crate::log;
use crate::pool::job::JobId;
use crate::pool::scheduler::QueuedJob;
use crate::pool::stats::PoolStats;
use crate::pool::worker::Work;

impl<W: Work + 'static> Shared<W> {
    /// Completes an attempt that was cut short. Its call may still run.
    #[cold]
    pub(crate) fn complete_cut_short(
        self: &Arc<Self>,
        worker_id: WorkerId,
        finished: AttemptResult<W>,
        thread: &Thread,
    ) {
        self.with_scheduler(self.lock_state(), |queue| {
            queue.while_called((self, worker_id.slot, thread), |queue| {
                queue.finish_attempt(worker_id, finished);
            });
        });
        self.readiness_changed.notify_waiters();
    }

    /// Handles the return of a call whose attempt was over. The thread is not free yet: its worker
    /// waits for this.
    fn call_returned(&self, slot: usize) {
        self.with_queue_disposing(|queue| {
            let Some(TerminatingJob { next, .. }) = queue.state.terminating.jobs.remove(&slot) else {
                return;
            };
            queue.reschedule(|scheduler| scheduler.set_call(slot, false));
            match next {
                AfterReturn::Count(end) => end.count(&mut queue.state.stats),
                AfterReturn::Retry(job, _) if job.item.is_complete() => queue.drop_cancelled(job.item),
                AfterReturn::Retry(job, _) if queue.state.is_closed() => queue.drop_unfinished(job.item),
                AfterReturn::Retry(job, delay) => {
                    let since = Some(queue.now());
                    queue.enqueue(QueuedJob { since, ..job }, delay);
                }
            }
        });
        self.readiness_changed.notify_waiters();
    }

    /// Returns and logs the jobs whose calls still run, as a stop does not wait for them any more.
    /// Each is logged once.
    pub(crate) fn report_terminating(&self) -> Vec<JobId> {
        let (mut jobs, reported): (Vec<JobId>, _) = self.with_queue(|queue| {
            let terminating = &mut queue.state.terminating;
            (terminating.jobs.values().map(|job| job.id).collect(), terminating.report())
        });
        jobs.sort_unstable();
        if let (Some((system, reported)), Some(supervisor)) = (reported, self.supervisor.upgrade()) {
            log::calls_outlive_stop(&system, supervisor.id().clone(), reported);
        }
        jobs
    }

    /// Returns the counters, in which every job counts whose outcome is decided.
    pub(crate) fn decided(&self) -> PoolStats {
        self.with_queue(|queue| {
            let mut stats = queue.state.stats;
            queue.state.terminating.count_ended(&mut stats);
            stats
        })
    }
}

impl<W: Work + 'static> Queue<'_, W> {
    /// Decides the end of an attempt in a slot. If a call runs on the thread, what `decide` says
    /// takes place when it has returned.
    pub(crate) fn while_called(
        &mut self,
        (pool, slot, thread): (&Arc<Shared<W>>, usize, &Thread),
        decide: impl FnOnce(&mut Self),
    ) {
        if !thread.is_free() {
            let pool = Arc::downgrade(pool);
            let on_return = move || {
                if let Some(pool) = pool.upgrade() {
                    pool.call_returned(slot);
                }
            };
            // The call returns after the lock of the queue is free, or has returned before.
            self.state.terminating.deciding = thread.on_return(on_return).map(|system| (slot, system));
        }
        decide(self);
        self.state.terminating.deciding = None;
    }

    /// Queues a job for its next attempt. If its call still runs, that happens later.
    pub(crate) fn enqueue_retry(&mut self, job: Queued<W>, delay: Option<Duration>) {
        let id = job.item.id;
        if let Err(next) = self.postpone(id, AfterReturn::Retry(job, delay)) {
            let AfterReturn::Retry(job, delay) = next else { return };
            self.enqueue(job, delay);
        }
    }

    /// Counts the end of a job. If its call still runs, that happens later.
    pub(crate) fn count_end(&mut self, id: JobId, end: JobEnd) {
        if self.postpone(id, AfterReturn::Count(end)).is_err() {
            end.count(&mut self.state.stats);
        }
    }

    /// Postpones what follows the attempt whose end is being decided. Returns it if its call has
    /// returned.
    fn postpone(&mut self, id: JobId, next: AfterReturn<W>) -> Result<(), AfterReturn<W>> {
        let terminating = &mut self.state.terminating;
        let Some((slot, system)) = terminating.deciding.take() else { return Err(next) };
        // The thread has no earlier call.
        terminating.jobs.insert(slot, TerminatingJob { id, system, is_reported: false, next });
        self.reschedule(|scheduler| scheduler.set_call(slot, true));
        Ok(())
    }
}
