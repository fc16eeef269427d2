//! The admission of submitted jobs.

use std::sync::Arc;

use super::deferred_drop::DeferredDrop;
use super::event::JobEvent;
use super::job::{JobError, JobId};
use super::job_handle::JobControl;
use super::job_state::{JobOptions, JobState};
use super::new_job::{AdmittedJob, NewJob};
use super::priority_queue::{Placement, QueuedJob, Target};
use super::queue_guard::QueueGuard;
use super::shared::{Routing, Shared, State};

/// The reason why a job was not admitted.
pub(super) enum AdmitError<J, T, E> {
    /// The queue is full.
    Full(NewJob<J, T, E>),
    /// The pool accepts no more jobs.
    Closed(J),
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Admits a job and returns what `keep` makes of it. There is no room while other submitters
    /// wait for room.
    pub(super) fn admit<R>(
        &self,
        new_job: NewJob<J, T, E>,
        keep: impl FnOnce(&Arc<JobState<J, T, E>>) -> R,
    ) -> Result<R, AdmitError<J, T, E>> {
        // Options and events are handled by the scheduler's side.
        if new_job.options.is_some() || self.events.has_subscribers() {
            return self.admit_locked(new_job).map(|task| keep(&task));
        }
        let mut submit_buffer = self.submit_buffer.lock();
        let Some(credit) = submit_buffer.credit.checked_sub(1) else {
            drop(submit_buffer);
            return self.admit_locked(new_job).map(|task| keep(&task));
        };
        submit_buffer.credit = credit;
        let number = submit_buffer.next_number();
        let since = self.is_timed(number).then(|| self.now());
        let task = Arc::new(JobState::new(JobId(number), new_job.job, None, new_job.sink));
        let kept = keep(&task);
        submit_buffer.jobs.push_back(QueuedJob {
            item: task,
            number,
            placement: Placement::default(),
            since,
        });
        Ok(kept)
    }

    /// Admits a job under the lock of the queue, and wakes an idle worker for it.
    fn admit_locked(&self, new_job: NewJob<J, T, E>) -> Result<AdmittedJob<J, T, E>, AdmitError<J, T, E>> {
        let mut guard = self.lock_synced();
        let admitted = if !guard.state.is_open() {
            Err(AdmitError::Closed(new_job.job))
        } else if guard.state.has_room() {
            Ok(guard.insert(new_job))
        } else {
            Err(AdmitError::Full(new_job))
        };
        guard.end();
        admitted
    }
}

impl<J, T, E> QueueGuard<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Adds a job to the scheduler, which has room for it. All jobs that were submitted before are
    /// there already.
    fn insert(&mut self, new_job: NewJob<J, T, E>) -> AdmittedJob<J, T, E> {
        let (NewJob { options, job, sink }, defaults) = (new_job, self.state.options);
        let resolved = options.as_deref().unwrap_or(&defaults);
        let (target, delay) = (choose(resolved, &mut self.state), resolved.delay);
        let expires = resolved.expires_in.map(|time| self.now().saturating_add(time));
        let placement = Placement { priority: resolved.priority, target, expires };
        let number = self.pool.submit_buffer.lock().next_number();
        let task = Arc::new(JobState::new(JobId(number), job, options, sink));
        let since = self.pool.is_timed(number).then(|| self.now());
        let waiting = QueuedJob { item: task.clone(), number, placement, since };
        if let Some(delay) = delay {
            let until = self.now().saturating_add(delay);
            self.state.scheduler.delay(waiting, until);
        } else {
            let to_wake = self.state.scheduler.enqueue(waiting);
            self.wake_workers(to_wake);
        }
        if delay.is_some() || expires.is_some() {
            self.schedule_tick();
        }
        self.record(JobEvent::Submitted(task.id));
        task
    }

    /// Admits the first waiting submitters while there is room, or returns all their jobs if the
    /// pool accepts no more.
    pub(super) fn release_waiters(&mut self) {
        // While a submitter waits, no job goes to the submit buffer: the waiting jobs are the
        // latest.
        while !self.state.is_open() || self.state.scheduler.room() > 0 {
            let Some(first) = self.state.waiters.pop() else { return };
            let is_open = self.state.is_open();
            let waker = if is_open { first.admit(|new_job| self.insert(new_job)) } else { first.refuse() };
            self.wake(waker);
        }
    }

    /// Drops the jobs that were pinned to a worker that is no longer due.
    pub(super) fn drop_orphaned(&mut self) {
        while let Some(task) = self.state.scheduler.pop_orphaned() {
            let event = JobEvent::Dropped(task.id);
            self.drop_job(task, JobError::Dropped, event);
        }
    }
}

/// Returns the workers that may run a job that is admitted now.
fn choose<J, T, E>(options: &JobOptions, state: &mut State<J, T, E>) -> Target {
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

impl<J, T, E> JobControl for Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    fn cancelled(&self, id: JobId) {
        let mut guard = self.lock_synced();
        guard.record(JobEvent::Cancelled(id));
        if let Some(task) = guard.state.scheduler.cancel(id.0) {
            // The caller of `cancel` has completed it.
            guard.state.stats.dropped += 1;
            guard.defer_drop(DeferredDrop::Task(task));
        }
        guard.end();
    }
}
