//! Submitters that wait for room: first come, first in.
//!
//! A submitter leaves its job in the line. The caller that makes room puts the first job of the
//! line on the board, under the same lock, and wakes the submitter. So there is never room while
//! one waits, and no newcomer finds any.
//!
//! Lock order: the board, a place in line.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use perennial_actors::host::ignore_panic;

use super::admission::{Draft, TaskOf};
use super::job_handle::Office;
use super::office::Shared;
use super::task::Promise;

/// What became of a job in line.
enum Admission<J, T, E> {
    /// Nothing yet.
    Waits(Option<Waker>),
    /// It was taken in.
    Admitted(TaskOf<J, T, E>),
    /// The pool takes none in any more.
    Refused(J),
    /// It was told.
    Told,
}

/// A place in line, as the submitter and the line share it.
struct Place<J, T, E>(Mutex<Admission<J, T, E>>);

impl<J, T, E> Place<J, T, E> {
    fn lock(&self) -> MutexGuard<'_, Admission<J, T, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what became of the job. Returns the waker of the submitter, to be woken under no lock.
    fn set(&self, admission: Admission<J, T, E>) -> Option<Waker> {
        match mem::replace(&mut *self.lock(), admission) {
            Admission::Waits(waker) => waker,
            _ => None,
        }
    }

    /// Takes what became of the job, unless nothing has yet.
    fn take(&self) -> Option<Result<TaskOf<J, T, E>, J>> {
        let mut place = self.lock();
        match mem::replace(&mut *place, Admission::Told) {
            Admission::Admitted(task) => Some(Ok(task)),
            Admission::Refused(job) => Some(Err(job)),
            Admission::Told => None,
            waits @ Admission::Waits(_) => {
                *place = waits;
                None
            }
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Result<TaskOf<J, T, E>, J>> {
        if let Some(told) = self.take() {
            return Poll::Ready(told);
        }
        // Cloned and dropped under no lock: a waker may be anything. Meanwhile it may be taken in.
        let waker = cx.waker().clone();
        let unused = match &mut *self.lock() {
            Admission::Waits(place) => place.replace(waker),
            _ => Some(waker),
        };
        drop(unused);
        self.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A job in line, and the place of its submitter.
struct Waiter<J, T, E> {
    draft: Draft<J, T, E>,
    place: Arc<Place<J, T, E>>,
}

/// The submitters that wait for room, by the order in which they came.
pub(super) struct Line<J, T, E> {
    waiters: BTreeMap<u64, Waiter<J, T, E>>,
    next_ticket: u64,
}

/// The first job of a line, and its submitter.
pub(super) struct First<J, T, E>(Arc<Place<J, T, E>>);

impl<J, T, E> First<J, T, E> {
    /// Says that the job was taken in. Returns the waker to be woken.
    pub(super) fn admitted(self, task: TaskOf<J, T, E>) -> Option<Waker> {
        self.0.set(Admission::Admitted(task))
    }

    /// Gives the job back. Returns the waker to be woken.
    pub(super) fn refused(self, job: J) -> Option<Waker> {
        self.0.set(Admission::Refused(job))
    }
}

impl<J, T, E> Line<J, T, E> {
    pub(super) const fn new() -> Self {
        Self { waiters: BTreeMap::new(), next_ticket: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<(Draft<J, T, E>, First<J, T, E>)> {
        let (_, waiter) = self.waiters.pop_first()?;
        Some((waiter.draft, First(waiter.place)))
    }

    /// Puts a job at the end of the line.
    fn push(&mut self, draft: Draft<J, T, E>) -> (u64, Arc<Place<J, T, E>>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let place = Arc::new(Place(Mutex::new(Admission::Waits(None))));
        self.waiters.insert(ticket, Waiter { draft, place: place.clone() });
        (ticket, place)
    }
}

/// A submitter in line, for as long as it waits.
pub(super) struct InLine<'a, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    pool: &'a Shared<J, T, E>,
    ticket: u64,
    place: Arc<Place<J, T, E>>,
}

impl<J, T, E> InLine<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Returns the job once it was taken in, or given back because the pool takes none in any more.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<TaskOf<J, T, E>, J>> {
        self.place.poll(cx)
    }
}

impl<J, T, E> Drop for InLine<'_, J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// One that waits no more leaves the line. If its job was taken in and it has not heard of
    /// that, the job is cancelled.
    fn drop(&mut self) {
        let left = self.pool.lock().line.waiters.remove(&self.ticket);
        ignore_panic(|| drop(left));
        match self.place.take() {
            Some(Ok(task)) if task.cancel() => self.pool.cancelled(task.id),
            Some(Err(job)) => ignore_panic(|| drop(job)),
            Some(Ok(_)) | None => {}
        }
        let waker = self.place.set(Admission::Told);
        ignore_panic(|| drop(waker));
    }
}

impl<J, T, E> Shared<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Puts a job in line. If there is room, or the pool takes none in any more, what becomes of it
    /// is known at once.
    pub(super) fn join_line(&self, draft: Draft<J, T, E>) -> InLine<'_, J, T, E> {
        let mut session = self.session();
        let (ticket, place) = session.state.line.push(draft);
        session.end();
        InLine { pool: self, ticket, place }
    }
}
