//! The submitters' side of a pool: jobs come in, or do not.

use std::sync::Arc;

use super::event::JobEvent;
use super::job::JobId;
use super::job_handle::Office;
use super::lane::{Stand, Waiting};
use super::office::{Routing, Shared, State, Turn};
use super::task::{Sink, Task, Terms};
use super::trash::Trash;

/// A job that is to be taken in.
pub(super) struct Draft<J, T, E> {
    /// How it is to be treated, if not as every job of its pool.
    pub(super) terms: Option<Box<Terms>>,
    pub(super) job: J,
    pub(super) sink: Sink<T, E>,
}

/// A job that was taken in.
type TaskOf<J, T, E> = Arc<Task<J, T, E>>;

/// A job that was not taken in.
pub(super) enum Refused<J, T, E> {
    /// There is no room now.
    Full(Draft<J, T, E>),
    /// The pool takes none in any more.
    Closed(J),
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Takes a job in, and keeps of it what the caller needs. If there is no room, and the caller waits for that, it is counted in line.
    pub(super) fn admit<R>(
        &self,
        draft: Draft<J, T, E>,
        turn: Turn,
        keep: impl FnOnce(&Arc<Task<J, T, E>>) -> R,
    ) -> Result<R, Refused<J, T, E>> {
        // What is said of it, and what others are to hear of it, is for the board.
        if draft.terms.is_some() || self.events.are_heard() {
            return self.admit_to_board(draft, turn).map(|task| keep(&task));
        }
        let mut intake = self.intake.lock();
        let Some(credit) = intake.credit.checked_sub(1) else {
            drop(intake);
            return self.admit_to_board(draft, turn).map(|task| keep(&task));
        };
        intake.credit = credit;
        let number = intake.next_number();
        let since = self.stamps(number).then(|| self.now());
        let task = Arc::new(Task::new(JobId(number), draft.job, None, draft.sink));
        let kept = keep(&task);
        intake.jobs.push_back(Waiting { item: task, number, stand: Stand::default(), since });
        Ok(kept)
    }

    /// The same, by way of the board: who is idle is woken for it.
    fn admit_to_board(&self, draft: Draft<J, T, E>, turn: Turn) -> Result<TaskOf<J, T, E>, Refused<J, T, E>> {
        let mut session = self.session();
        session.may_hold_back = true;
        if !session.state.is_open() {
            session.end();
            return Err(Refused::Closed(draft.job));
        }
        if session.state.room_for(turn) == 0 {
            session.state.in_line += usize::from(turn != Turn::New);
            session.end();
            return Err(Refused::Full(draft));
        }
        let (Draft { terms, job, sink }, of_all) = (draft, session.state.terms);
        let said = terms.as_deref().unwrap_or(&of_all);
        let (slot, delay) = (choose(said, &mut session.state), said.delay);
        let expires = said.expires_in.map(|time| session.now().saturating_add(time));
        let stand = Stand { priority: said.priority, slot, expires };
        let number = self.intake.lock().next_number();
        let task = Arc::new(Task::new(JobId(number), job, terms, sink));
        let since = self.stamps(number).then(|| session.now());
        let waiting = Waiting { item: task.clone(), number, stand, since };
        if let Some(delay) = delay {
            let until = session.now().saturating_add(delay);
            session.state.board.delay(waiting, until);
        } else {
            let roused = session.state.board.put(waiting);
            session.rouse(roused);
        }
        if delay.is_some() || expires.is_some() {
            session.set_alarm();
        }
        session.note(JobEvent::Submitted(task.id));
        session.end();
        Ok(task)
    }
}

fn choose<J, T, E>(terms: &Terms, state: &mut State<J, T, E>) -> Option<usize> {
    match (terms.key, state.routing) {
        (Some(key), _) => state.board.slot_of(key),
        (None, Routing::Shared) => None,
        (None, Routing::LeastQueued) => state.board.least_queued(),
        (None, Routing::RoundRobin) => {
            state.next_turn += 1;
            state.board.slot_of(state.next_turn - 1)
        }
    }
}

impl<J, T, E> Office for Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    fn cancelled(&self, id: JobId) {
        let mut session = self.session();
        session.note(JobEvent::Cancelled(id));
        if let Some(task) = session.state.board.withdraw(id.0) {
            // Not claimed here, but by the one who cancelled it.
            session.state.books.dropped += 1;
            session.discard(Trash::Task(task));
        }
        session.end();
    }
}
