//! Jobs whose attempt is over while the call of their blocking function still runs: it cannot be
//! dropped. Kubernetes calls a pod *terminating* that was told to end and still runs.
//!
//! The outcome of the attempt is decided at once, and a caller gets its result. What follows takes
//! place when the call has returned: until then the job counts as running, and is not queued again.
//! So no two calls of one job run at once.
//!
//! A call is known under the slot of its thread, because the next one begins there only after
//! [`Shared::call_returned`].

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;

use super::job_state::JobState;
use super::lease::{AttemptResult, WorkerId};
use super::queue::Queue;
use super::shared::Shared;
use super::submit_buffer::Queued;
use super::threads::Thread;
use crate::log;
use crate::pool::job::JobId;
use crate::pool::scheduler::QueuedJob;
use crate::pool::stats::PoolStats;
use crate::pool::worker::Work;

/// The jobs of a pool whose attempt is over and whose call still runs.
pub(crate) struct Terminating<W: Work + 'static> {
    jobs: BTreeMap<usize, TerminatingJob<W>>,
    /// The call that still runs, while the end of its attempt is decided.
    deciding: Option<(usize, System)>,
}

struct TerminatingJob<W: Work + 'static> {
    id: JobId,
    system: System,
    /// `true` once a stop has reported it.
    is_reported: bool,
    next: AfterReturn<W>,
}

/// What follows when a call has returned.
enum AfterReturn<W: Work + 'static> {
    /// The job is queued again, after a delay if there is one.
    Retry(Queued<W>, Option<Duration>),
    /// The job counts by its end.
    Count(JobEnd),
}

/// The end of a job that has no output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JobEnd {
    Failed,
    Dropped,
}

impl JobEnd {
    const fn count(self, stats: &mut PoolStats) {
        match self {
            Self::Failed => stats.failed += 1,
            Self::Dropped => stats.dropped += 1,
        }
    }
}

impl<W: Work + 'static> Terminating<W> {
    pub(crate) const fn new() -> Self {
        Self { jobs: BTreeMap::new(), deciding: None }
    }

    /// Returns the number of these jobs.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns `true` if the call of a job runs on the thread of this slot.
    pub(crate) fn has_call(&self, slot: usize) -> bool {
        self.jobs.contains_key(&slot)
    }

    /// Returns the jobs that are queued again when their calls have returned.
    pub(crate) fn retries(&self) -> impl Iterator<Item = &Arc<JobState<W>>> {
        self.jobs.values().filter_map(|job| match &job.next {
            AfterReturn::Retry(job, _) => Some(&job.item),
            AfterReturn::Count(_) => None,
        })
    }

    /// Counts those jobs that have ended by their ends.
    pub(crate) fn count_ended(&self, stats: &mut PoolStats) {
        for job in self.jobs.values() {
            if let AfterReturn::Count(end) = job.next {
                end.count(stats);
            }
        }
    }

    /// Makes all jobs end when their calls have returned. Returns those that were to be retried.
    pub(crate) fn take_retries(&mut self) -> Vec<Arc<JobState<W>>> {
        let mut retries = Vec::new();
        for job in self.jobs.values_mut() {
            match mem::replace(&mut job.next, AfterReturn::Count(JobEnd::Dropped)) {
                AfterReturn::Retry(retry, _) => retries.push(retry.item),
                next @ AfterReturn::Count(_) => job.next = next,
            }
        }
        retries
    }

    /// Returns the jobs that were not reported before, in the order of their ids.
    fn report(&mut self) -> Option<(System, Vec<JobId>)> {
        let (mut system, mut jobs) = (None, Vec::new());
        for job in self.jobs.values_mut().filter(|job| !job.is_reported) {
            job.is_reported = true;
            system.get_or_insert_with(|| job.system.clone());
            jobs.push(job.id);
        }
        jobs.sort_unstable();
        Some((system?, jobs))
    }
}

impl<W: Work + 'static> Shared<W> {
    /// Completes an attempt that was cut short. Its call may still run.
    #[cold]
    pub(crate) fn complete_cut_short(
        self: &Arc<Self>,
        worker_id: WorkerId,
        finished: AttemptResult<W>,
        thread: &Thread,
    ) {
        self.with_scheduler(|queue| {
            queue.while_called((self, worker_id.slot, thread), |queue| {
                queue.finish_attempt(worker_id, finished);
            });
        });
    }

    /// Handles the return of a call whose attempt was over. The thread is not free yet.
    fn call_returned(&self, slot: usize) {
        self.with_queue(|queue| {
            let Some(TerminatingJob { next, .. }) = queue.state.terminating.jobs.remove(&slot) else {
                return;
            };
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
        Ok(())
    }
}
