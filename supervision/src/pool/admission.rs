//! The submitters' side of a pool: jobs come in, or do not.

use std::sync::Arc;

use super::event::JobEvent;
use super::job::JobId;
use super::job_handle::Office;
use super::lane::{Stand, Waiting};
use super::office::{Routing, Shared, State};
use super::session::Trash;
use super::task::{Sink, Task, Terms};

/// A job that was not taken in.
pub(super) enum Refused<J, T, E> {
    /// There is no room now.
    Full { terms: Option<Box<Terms>>, job: J, sink: Sink<T, E> },
    /// The pool takes none in any more.
    Closed(J),
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Takes a job in. If there is no room, and the caller waits for that, it is counted in line.
    pub(super) fn admit(
        &self,
        terms: Option<Box<Terms>>,
        job: J,
        sink: Sink<T, E>,
        waits: bool,
    ) -> Result<Arc<Task<J, T, E>>, Refused<J, T, E>> {
        let (of_all, now) = (*self.terms(), self.now());
        let mut session = self.session();
        let state = &mut *session.state;
        if !state.is_open() {
            return Err(Refused::Closed(job));
        }
        if !state.board.has_room() {
            state.in_line += usize::from(waits);
            return Err(Refused::Full { terms, job, sink });
        }
        let said = terms.as_deref().unwrap_or(&of_all);
        let (slot, delay) = (choose(said, state), said.delay);
        let expires = said.expires_in.map(|time| now.saturating_add(time));
        let stand = Stand { priority: said.priority, slot, expires };
        let number = state.next_id;
        state.next_id += 1;
        state.books.submitted += 1;
        let task = Arc::new(Task::new(JobId(number), job, terms, sink));
        let waiting = Waiting { item: task.clone(), number, stand, since: now };
        let roused = match delay {
            None => state.board.put(waiting),
            Some(delay) => {
                state.board.delay(waiting, now.saturating_add(delay));
                None
            }
        };
        session.rouse(roused);
        if delay.is_some() || expires.is_some() {
            session.set_alarm(now);
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
