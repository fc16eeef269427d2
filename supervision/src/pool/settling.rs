//! What becomes of jobs that were begun: a result, another attempt, or none.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ExitReason, Pid};

use super::board::Phase;
use super::event::JobEvent;
use super::job::{DeadJob, Failure, JobError, Task, Verdict};
use super::lane::Waiting;
use super::office::Shared;

impl<J: Send + Sync + 'static, T: Send + 'static, E: Send + Sync + 'static> Shared<J, T, E> {
    /// A worker has finished its job.
    pub(super) fn done(&self, slot: usize, pid: Pid, task: &Task<J, T, E>, result: T, took: Duration) {
        {
            let mut state = self.state();
            // Another has it by now: this incarnation was given up for lost.
            if state.board.settle(slot, pid).is_none() {
                return;
            }
            state.books.works.count(took);
            state.books.done += u64::from(!task.is_over());
        }
        self.events.tell(|| JobEvent::Done(task.id));
        task.finish(Ok(result));
        self.over.notify_waiters();
    }

    /// A worker has failed at its job.
    pub(super) fn failed(&self, slot: usize, pid: Pid, failure: Failure<E>, took: Duration) {
        let job = {
            let mut state = self.state();
            state.books.works.count(took);
            state.board.settle(slot, pid)
        };
        if let Some(job) = job {
            self.come_back(job, failure);
        }
    }

    /// A worker has dropped its job, which nobody wants any more.
    pub(super) fn dropped(&self, slot: usize, pid: Pid) {
        let settled = self.state().board.settle(slot, pid);
        drop(settled);
        self.over.notify_waiters();
    }

    /// An incarnation of a worker has ended, or was given up.
    pub(super) fn worker_gone(&self, slot: usize, pid: Pid, reason: &ExitReason) {
        let (job, roused) = self.state().board.gone(slot, pid);
        self.ring(roused);
        if let Some(job) = job {
            self.come_back(job, Failure::WorkerEnded(reason.clone()));
        }
    }

    /// A job whose attempt has failed is tried again, or dead.
    fn come_back(&self, job: Waiting<Arc<Task<J, T, E>>>, failure: Failure<E>) {
        let task = job.item.clone();
        if self.state().board.phase() == Phase::Closed {
            return self.drop_all(&[task]);
        }
        match task.fail(failure) {
            Verdict::Over => self.over.notify_waiters(),
            Verdict::Again(delay) => self.try_again(job, delay),
            Verdict::Dead(failures) => self.bury(&task, failures),
        }
    }

    fn try_again(&self, job: Waiting<Arc<Task<J, T, E>>>, delay: Duration) {
        let (id, now) = (job.item.id, self.now());
        let job = Waiting { since: now, ..job };
        self.events.tell(|| JobEvent::Retried(id));
        let roused = {
            let mut state = self.state();
            state.books.retried += 1;
            if delay.is_zero() {
                state.board.put(job, true)
            } else {
                state.board.delay(job, now.saturating_add(delay));
                None
            }
        };
        self.ring(roused);
        if !delay.is_zero() {
            self.call_foreman();
        }
    }

    fn bury(&self, task: &Arc<Task<J, T, E>>, failures: Arc<[Failure<E>]>) {
        let forgotten = {
            let mut state = self.state();
            state.books.failed += 1;
            let dead = DeadJob { id: task.id, job: task.job.clone(), failures: failures.clone() };
            state.dead.push_back(dead);
            (state.dead.len() > state.max_dead).then(|| state.dead.pop_front())
        };
        drop(forgotten);
        self.events.tell(|| JobEvent::Dead(task.id));
        task.finish(Err(JobError::Failed(failures)));
        self.over.notify_waiters();
    }

    /// Jobs that will not be done.
    pub(super) fn drop_all(&self, tasks: &[Arc<Task<J, T, E>>]) {
        let mut dropped = 0;
        for task in tasks {
            if task.finish(Err(JobError::Dropped)) {
                dropped += 1;
                self.events.tell(|| JobEvent::Dropped(task.id));
            }
        }
        self.state().books.dropped += dropped;
        self.room.notify_waiters();
        self.over.notify_waiters();
    }
}
