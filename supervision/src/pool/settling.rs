//! The workers' side of a pool: what they have made of a job goes in, and the next one comes out.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{ExitReason, Pid};

use super::board::{Next, Time};
use super::event::JobEvent;
use super::job::Failure;
use super::office::Shared;
use super::session::{Session, Trash};
use super::task::Task;

/// Where a worker sits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) slot: usize,
    pub(super) pid: Pid,
}

/// What came of an attempt.
pub(super) enum Attempt<T, E> {
    Done(T),
    Failed(Failure<E>),
    /// It was given up, because there is no use in it any more.
    GivenUp,
}

/// A job that a worker has in hand.
pub(super) struct Leased<J, T, E> {
    pub(super) task: Arc<Task<J, T, E>>,
    pub(super) since: Time,
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// A worker takes its seat.
    pub(super) fn arrive(&self, seat: Seat) {
        self.change(|state| {
            state.board.arrive(seat.slot, seat.pid.incarnation());
            Vec::new()
        });
    }

    /// A worker has finished an attempt, if it had begun one, and wants the next job; it is woken for that if there is none now.
    pub(super) fn turn(&self, seat: Seat, made: Option<Made<T, E>>) -> Option<Leased<J, T, E>> {
        let now = self.now();
        let mut session = self.session();
        if let Some(made) = made {
            session.settle(seat, made, now);
        }
        let leased = session.lease(seat, now);
        session.end();
        leased
    }

    /// A worker has finished an attempt, and does not want another job now.
    pub(super) fn put_down(&self, seat: Seat, made: Made<T, E>) {
        let now = self.now();
        let mut session = self.session();
        session.settle(seat, made, now);
        session.end();
    }

    /// An incarnation of a worker has ended, or was given up.
    pub(super) fn worker_gone(&self, seat: Seat, reason: &ExitReason) {
        let now = self.now();
        let mut session = self.session();
        let (job, roused) = session.state.board.gone(seat.slot, seat.pid.incarnation());
        session.rouse(roused);
        if let Some(job) = job {
            session.come_back(job, Failure::WorkerEnded(reason.clone()), now);
        }
        session.end();
    }
}

/// An attempt that is over, and when it was begun.
pub(super) struct Made<T, E> {
    pub(super) attempt: Attempt<T, E>,
    pub(super) since: Time,
}

impl<J, T, E> Session<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    fn settle(&mut self, seat: Seat, made: Made<T, E>, now: Time) {
        let job = self.state.board.settle(seat.slot, seat.pid.incarnation());
        let Some(job) = job else {
            // Another has it by now: this incarnation was given up for lost.
            return match made.attempt {
                Attempt::Done(output) => self.discard(Trash::Output(output)),
                Attempt::Failed(failure) => self.discard(Trash::Failure(failure)),
                Attempt::GivenUp => {}
            };
        };
        self.state.books.works.count(now.saturating_sub(made.since));
        match made.attempt {
            Attempt::Done(output) => self.done(job.item, output),
            Attempt::Failed(failure) => self.come_back(job, failure, now),
            Attempt::GivenUp => self.let_go(job.item),
        }
    }

    fn lease(&mut self, seat: Seat, now: Duration) -> Option<Leased<J, T, E>> {
        let mut expired = Vec::new();
        let (next, roused) = self.state.board.lease(seat.slot, seat.pid.incarnation(), now, &mut expired);
        self.rouse(roused);
        self.drop_expired(expired);
        match next {
            Next::Job(task, waited) => {
                self.state.books.waits.count(waited);
                self.note(JobEvent::Started { id: task.id, worker: seat.pid });
                Some(Leased { task, since: now })
            }
            Next::Nothing => {
                self.set_alarm(now);
                None
            }
        }
    }
}
