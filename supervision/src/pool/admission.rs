//! The submitters' side of a pool: jobs come in, or do not.

use std::sync::Arc;

use super::deferred_drop::Trash;
use super::event::JobEvent;
use super::job::{JobError, JobId};
use super::job_handle::JobControl;
use super::job_state::{JobOptions, JobState};
use super::new_job::{NewJob, TaskOf};
use super::priority_queue::{Placement, QueuedJob, Target};
use super::queue_guard::QueueGuard;
use super::shared::{Routing, Shared, State};

/// A job that was not taken in.
pub(super) enum AdmitError<J, T, E> {
    /// There is no room now.
    Full(NewJob<J, T, E>),
    /// The pool takes none in any more.
    Closed(J),
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Takes a job in, and keeps of it what the caller needs. There is no room while others wait
    /// for it.
    pub(super) fn admit<R>(
        &self,
        draft: NewJob<J, T, E>,
        keep: impl FnOnce(&Arc<JobState<J, T, E>>) -> R,
    ) -> Result<R, AdmitError<J, T, E>> {
        // What is said of it, and what others are to hear of it, is for the board.
        if draft.terms.is_some() || self.events.are_heard() {
            return self.admit_to_board(draft).map(|task| keep(&task));
        }
        let mut intake = self.intake.lock();
        let Some(credit) = intake.credit.checked_sub(1) else {
            drop(intake);
            return self.admit_to_board(draft).map(|task| keep(&task));
        };
        intake.credit = credit;
        let number = intake.next_number();
        let since = self.is_timed(number).then(|| self.now());
        let task = Arc::new(JobState::new(JobId(number), draft.job, None, draft.sink));
        let kept = keep(&task);
        intake.jobs.push_back(QueuedJob { item: task, number, stand: Placement::default(), since });
        Ok(kept)
    }

    /// The same, by way of the board: a worker that is idle is woken for it.
    fn admit_to_board(&self, draft: NewJob<J, T, E>) -> Result<TaskOf<J, T, E>, AdmitError<J, T, E>> {
        let mut session = self.lock_synced();
        let admitted = if !session.state.is_open() {
            Err(AdmitError::Closed(draft.job))
        } else if session.state.has_room() {
            Ok(session.take_in(draft))
        } else {
            Err(AdmitError::Full(draft))
        };
        session.end();
        admitted
    }
}

impl<J, T, E> QueueGuard<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Puts on the board a job for which there is room. Everything that was submitted before is
    /// there already.
    fn take_in(&mut self, draft: NewJob<J, T, E>) -> TaskOf<J, T, E> {
        let (NewJob { terms, job, sink }, of_all) = (draft, self.state.terms);
        let said = terms.as_deref().unwrap_or(&of_all);
        let (target, delay) = (choose(said, &mut self.state), said.delay);
        let expires = said.expires_in.map(|time| self.now().saturating_add(time));
        let stand = Placement { priority: said.priority, target, expires };
        let number = self.pool.intake.lock().next_number();
        let task = Arc::new(JobState::new(JobId(number), job, terms, sink));
        let since = self.pool.is_timed(number).then(|| self.now());
        let waiting = QueuedJob { item: task.clone(), number, stand, since };
        if let Some(delay) = delay {
            let until = self.now().saturating_add(delay);
            self.state.board.delay(waiting, until);
        } else {
            let roused = self.state.board.put(waiting);
            self.rouse(roused);
        }
        if delay.is_some() || expires.is_some() {
            self.set_alarm();
        }
        self.note(JobEvent::Submitted(task.id));
        task
    }

    /// Takes in the first in line, as many as there is room for; or gives all of them their jobs
    /// back, if none is taken in any more.
    pub(super) fn release_waiters(&mut self) {
        // While one waits, nothing is submitted past the board: the jobs in line are the latest.
        while !self.state.is_open() || self.state.board.room() > 0 {
            let Some(first) = self.state.line.pop() else { return };
            let is_open = self.state.is_open();
            let waker = if is_open { first.admit(|draft| self.take_in(draft)) } else { first.refuse() };
            self.wake(waker);
        }
    }

    /// Drops what was for a worker that is not due any more.
    pub(super) fn drop_orphaned(&mut self) {
        for task in self.state.board.take_orphaned() {
            let event = JobEvent::Dropped(task.id);
            self.drop_job(task, JobError::Dropped, event);
        }
    }
}

/// Which workers may have a job that is taken in now.
fn choose<J, T, E>(terms: &JobOptions, state: &mut State<J, T, E>) -> Target {
    if let Some(slot) = terms.slot {
        return Target::Pinned(slot);
    }
    let routed = match (terms.key, state.routing) {
        (Some(key), _) => return Target::Key(key),
        (None, Routing::Shared) => None,
        (None, Routing::LeastQueued) => state.board.least_queued(),
        (None, Routing::RoundRobin) => state.board.next_in_turn(),
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
        let mut session = self.lock_synced();
        session.note(JobEvent::Cancelled(id));
        if let Some(task) = session.state.board.cancel(id.0) {
            // Not claimed here, but by the one who cancelled it.
            session.state.stats.dropped += 1;
            session.discard(Trash::Task(task));
        }
        session.end();
    }
}
