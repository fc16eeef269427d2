//! The workers' side of a pool: what they have made of a job goes in, and the next one comes out.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ExitReason, Pid};

use super::deferred_drop::Trash;
use super::event::JobEvent;
use super::job::AttemptError;
use super::job_state::JobState;
use super::priority_queue::QueuedJob;
use super::queue_guard::QueueGuard;
use super::scheduler::{Next, Time};
use super::shared::Shared;

/// Where a worker sits.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerId {
    pub(super) slot: usize,
    pub(super) pid: Pid,
}

/// What came of an attempt.
pub(super) enum AttemptOutcome<T, E> {
    Done(T),
    Failed(AttemptError<E>),
    /// It was given up, because there is no use in it any more.
    GivenUp,
}

/// A job that a worker has in hand.
pub(super) struct Leased<J, T, E> {
    pub(super) task: Arc<JobState<J, T, E>>,
    /// How long the attempt may take.
    pub(super) time_limit: Option<Duration>,
    /// Since when, if that is taken.
    pub(super) since: Option<Time>,
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// A worker takes its seat.
    pub(super) fn worker_started(&self, seat: WorkerId) {
        self.change(|state| {
            state.board.worker_started(seat.slot, seat.pid.incarnation());
            // Whoever it was that started it: it is to work, if it is one of those who are.
            if seat.slot < self.wanted() { state.board.set_open(seat.slot, true) } else { Vec::new() }
        });
    }

    /// The init of a worker has failed. One that declined to start does not come, so no job waits
    /// for it.
    pub(super) fn init_failed(&self, seat: WorkerId, reason: &ExitReason) {
        if matches!(reason, ExitReason::Ignore) {
            self.change(|state| state.board.decline(seat.slot, seat.pid.incarnation()));
        }
    }

    /// A worker has finished an attempt, if it had begun one, and wants the next job; it is woken for that if there is none now.
    pub(super) fn complete_and_lease(
        &self,
        seat: WorkerId,
        made: Option<AttemptResult<T, E>>,
    ) -> Option<Leased<J, T, E>> {
        let mut session = self.lock();
        if let Some(made) = made {
            session.settle(seat, made);
        }
        let leased = session.lease(seat);
        session.end();
        leased
    }

    /// A worker has finished an attempt, and does not want another job now.
    pub(super) fn complete(&self, seat: WorkerId, made: AttemptResult<T, E>) {
        let mut session = self.lock();
        session.settle(seat, made);
        session.end();
    }

    /// An incarnation of a worker has ended, or was given up.
    pub(super) fn worker_gone(&self, seat: WorkerId, reason: &ExitReason) {
        self.leave(seat, reason, false);
    }

    /// The same, if its supervisor has stopped it, and not because it hung: that is no attempt at the job that it had.
    pub(super) fn worker_dismissed(&self, seat: WorkerId, reason: &ExitReason) {
        self.leave(seat, reason, true);
    }

    fn leave(&self, seat: WorkerId, reason: &ExitReason, is_dismissed: bool) {
        let mut session = self.lock_synced();
        let (job, roused) = session.state.board.worker_exited(seat.slot, seat.pid.incarnation());
        session.rouse(roused);
        if let Some(job) = job {
            let failure = AttemptError::WorkerEnded(reason.clone());
            if is_dismissed {
                session.put_back(job, seat.slot, failure);
            } else {
                session.retry_or_bury(job, seat.slot, failure);
            }
        }
        // It sees to it that there is another, if nothing else does.
        let calls_foreman = !std::mem::replace(&mut session.state.is_counting, true);
        session.end_in_turn();
        if calls_foreman {
            self.call_foreman();
        }
    }
}

/// An attempt that is over.
pub(super) struct AttemptResult<T, E> {
    pub(super) attempt: AttemptOutcome<T, E>,
    /// Since when, if that is taken.
    pub(super) since: Option<Time>,
}

impl<T, E> AttemptResult<T, E> {
    /// Returns `true` if the work was dropped before it was over.
    pub(super) const fn is_cut_short(&self) -> bool {
        matches!(self.attempt, AttemptOutcome::GivenUp | AttemptOutcome::Failed(AttemptError::TimedOut))
    }
}

impl<J, T, E> QueueGuard<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    fn settle(&mut self, seat: WorkerId, made: AttemptResult<T, E>) {
        let job = self.state.board.settle(seat.slot, seat.pid.incarnation());
        let Some(job) = job else {
            // Another has it by now: this incarnation was given up for lost.
            return match made.attempt {
                AttemptOutcome::Done(output) => self.discard(Trash::Output(output)),
                AttemptOutcome::Failed(failure) => self.discard(Trash::Failure(failure)),
                AttemptOutcome::GivenUp => {}
            };
        };
        if let Some(since) = made.since {
            let worked = self.now().saturating_sub(since);
            self.state.stats.works.count(worked);
        }
        match made.attempt {
            AttemptOutcome::Done(output) => self.completed(job.item, output),
            AttemptOutcome::Failed(failure) => self.retry_or_bury(job, seat.slot, failure),
            AttemptOutcome::GivenUp => self.discard_lease(job.item),
        }
    }

    /// Puts a job back that was interrupted without a fault of its own or of its worker: that was no attempt, unless it must not be begun
    /// twice.
    fn put_back(&mut self, job: QueuedJob<Arc<JobState<J, T, E>>>, slot: usize, failure: AttemptError<E>) {
        let task = job.item.clone();
        let is_tried_once = task.terms(&self.state.terms).attempts == 1;
        if is_tried_once || self.state.is_closed() || task.is_over() {
            return self.retry_or_bury(job, slot, failure);
        }
        self.state.stats.retried += 1;
        self.note(JobEvent::Retried(task.id));
        let (since, expires) = (Some(self.now()), job.stand.expires.is_some());
        let roused = self.state.board.put(QueuedJob { since, ..job });
        self.rouse(roused);
        if expires {
            self.set_alarm();
        }
    }

    fn lease(&mut self, seat: WorkerId) -> Option<Leased<J, T, E>> {
        if !self.state.board.has_for(seat.slot) {
            self.refill();
        }
        if let Some(leased) = self.lease_from_board(seat) {
            return Some(leased);
        }
        // It is idle, and from now on woken for what is submitted. What was submitted before that it looks for once more.
        self.drain_buffer();
        let leased = self.lease_from_board(seat);
        if leased.is_none() {
            self.set_alarm();
        }
        leased
    }

    fn lease_from_board(&mut self, seat: WorkerId) -> Option<Leased<J, T, E>> {
        let (time, mut expired) = (self.time(), Vec::new());
        let (next, roused) = self.state.board.lease(seat.slot, seat.pid.incarnation(), time, &mut expired);
        self.rouse(roused);
        self.drop_expired(expired);
        let Next::Job(task, waiting_since) = next else { return None };
        let since = waiting_since.map(|waiting_since| {
            let now = self.now();
            self.state.stats.waits.count(now.saturating_sub(waiting_since));
            now
        });
        self.note(JobEvent::Started { id: task.id, worker: seat.pid });
        let time_limit = task.terms(&self.state.terms).time_limit;
        Some(Leased { task, since, time_limit })
    }
}
