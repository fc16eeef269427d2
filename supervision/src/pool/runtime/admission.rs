//! The admission of submitted jobs.

use std::sync::Arc;

use super::job_state::{JobState, NewJob, Payload};
use super::options::{JobOptions, OwnOptions};
use super::queue::{Queue, QueueEffect};
use super::result_sink::ResultSink;
use super::shared::{Routing, Shared, State};
use super::wait_queue::Waiter;
use crate::pool::event::JobEvent;
use crate::pool::job::{DeadJob, JobId};
use crate::pool::scheduler::{Placement, QueuedJob, Target};
use crate::pool::submit_error::SubmitError;
use crate::pool::worker::Work;

/// The reason why a job was not admitted.
pub(crate) enum AdmitError<W: Work + 'static> {
    /// The queue is full.
    Full(NewJob<W>),
    /// The pool accepts no more jobs.
    Closed(W::Job),
}

impl<W: Work + 'static> Shared<W> {
    /// Admits a job and returns what `keep` makes of it. There is no room while other submitters
    /// wait for room.
    pub(crate) fn admit<R>(
        &self,
        new_job: NewJob<W>,
        keep: impl FnOnce(&Arc<JobState<W>>) -> R,
    ) -> Result<R, AdmitError<W>> {
        // Options and events are handled by the scheduler's side.
        if new_job.options.is_some() || self.events.has_subscribers() {
            return self.admit_locked(new_job).map(|job| keep(&job));
        }
        let mut submit_buffer = self.submit_buffer.lock();
        let Some(credit) = submit_buffer.credit.checked_sub(1) else {
            drop(submit_buffer);
            return self.admit_locked(new_job).map(|job| keep(&job));
        };
        submit_buffer.credit = credit;
        let number = submit_buffer.next_number();
        let since = self.is_timed(number).then(|| self.now());
        let job = Arc::new(JobState::new(JobId(number), Payload::new(new_job.job), None, new_job.sink));
        let kept = keep(&job);
        submit_buffer.jobs.push_back(QueuedJob { item: job, number, placement: Placement::default(), since });
        Ok(kept)
    }

    /// Admits a job under the lock of the queue, and wakes an idle worker for it.
    fn admit_locked(&self, new_job: NewJob<W>) -> Result<Arc<JobState<W>>, AdmitError<W>> {
        self.with_queue(|queue| {
            if !queue.state.is_open() {
                return Err(AdmitError::Closed(new_job.job));
            }
            if !queue.state.has_room() {
                return Err(AdmitError::Full(new_job));
            }
            Ok(queue.insert(new_job))
        })
    }

    /// Admits a dead job as a new job, also into a full queue, as a retry of an attempt is.
    pub(crate) fn admit_again(&self, dead: DeadJob<W>) -> Result<Arc<JobState<W>>, SubmitError<DeadJob<W>>> {
        let (job, options) = (Payload::of(&dead.job.0), dead.job.0.options_of_next());
        let admitted = self.with_queue(|queue| {
            if queue.state.is_open() {
                Ok(queue.insert_job(job, options, ResultSink::single()))
            } else {
                // What is refused is dropped after the queue is unlocked.
                Err((job, options))
            }
        });
        admitted.map_err(|_| SubmitError::Closed(dead))
    }
}

impl<W: Work + 'static> Queue<'_, W> {
    /// Adds a job to the scheduler, which has room for it. All jobs that were submitted before are
    /// there already.
    fn insert(&mut self, new_job: NewJob<W>) -> Arc<JobState<W>> {
        let NewJob { options, job, sink } = new_job;
        self.insert_job(Payload::new(job), options, sink)
    }

    fn insert_job(
        &mut self,
        job: Payload<W>,
        options: Option<Arc<OwnOptions<W::Error>>>,
        sink: ResultSink<W>,
    ) -> Arc<JobState<W>> {
        let defaults = self.state.options;
        let resolved = options.as_deref().map_or(&defaults, |own| &own.values);
        let (target, delay) = (choose(resolved, &mut self.state), resolved.delay);
        let from_now = || resolved.expires_in.map(|time| self.now().saturating_add(time));
        let expires = resolved.expires.or_else(from_now);
        let (priority, rate_key) = (resolved.priority, resolved.rate_key);
        let placement = Placement { priority, target, expires, rate_key };
        let number = self.pool.submit_buffer.lock().next_number();
        let job = Arc::new(JobState::new(JobId(number), job, options, sink));
        let since = self.pool.is_timed(number).then(|| self.now());
        self.enqueue(QueuedJob { item: job.clone(), number, placement, since }, delay);
        self.record(JobEvent::Submitted(job.id));
        job
    }

    /// Admits the first waiting submitters while there is room, or returns all their jobs if the
    /// pool accepts no more.
    pub(crate) fn release_waiters(&mut self) {
        // While a submitter waits, no job goes to the submit buffer: the waiting jobs are the
        // latest.
        while !self.state.waiters.is_empty() {
            let is_open = self.state.is_open();
            if is_open && self.state.scheduler.room() == 0 {
                return;
            }
            let Some(Waiter { new_job, submitter }) = self.state.waiters.pop() else { return };
            let admitted =
                if is_open { Ok(self.insert(new_job)) } else { Err(SubmitError::Closed(new_job.job)) };
            self.effects.push(QueueEffect::Answer(submitter, admitted));
        }
    }
}

/// Returns the workers that may run a job that is admitted now.
fn choose<W: Work + 'static>(options: &JobOptions, state: &mut State<W>) -> Target {
    if let Some(slot) = options.slot {
        return Target::Pinned(slot);
    }
    let routed = match (options.key, state.routing) {
        (Some(key), _) => return Target::Key(key),
        (None, Routing::Shared) => None,
        (None, Routing::LeastQueued) => state.scheduler.least_queued(),
        (None, Routing::RoundRobin) => state.scheduler.next_in_turn(),
    };
    routed.map_or(Target::Any, Target::Slot)
}
