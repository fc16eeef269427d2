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

use super::new_job::{NewJob, TaskOf};

/// What became of a job in line.
pub(super) enum Admission<J, T, E> {
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
pub(super) struct Place<J, T, E>(Mutex<Admission<J, T, E>>);

impl<J, T, E> Place<J, T, E> {
    fn lock(&self) -> MutexGuard<'_, Admission<J, T, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what became of the job. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn set(&self, admission: Admission<J, T, E>) -> Option<Waker> {
        match mem::replace(&mut *self.lock(), admission) {
            Admission::Waits(waker) => waker,
            _ => None,
        }
    }

    /// Takes what became of the job, unless nothing has yet.
    pub(super) fn take(&self) -> Option<Result<TaskOf<J, T, E>, J>> {
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

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<TaskOf<J, T, E>, J>> {
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
pub(super) struct Waiter<J, T, E> {
    draft: NewJob<J, T, E>,
    place: Arc<Place<J, T, E>>,
}

/// The submitters that wait for room, by the order in which they came.
pub(super) struct Line<J, T, E> {
    waiters: BTreeMap<u64, Waiter<J, T, E>>,
    next_ticket: u64,
}

impl<J, T, E> Waiter<J, T, E> {
    /// Takes the job in. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn admit(self, take_in: impl FnOnce(NewJob<J, T, E>) -> TaskOf<J, T, E>) -> Option<Waker> {
        self.place.set(Admission::Admitted(take_in(self.draft)))
    }

    /// Gives the job back. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn refuse(self) -> Option<Waker> {
        self.place.set(Admission::Refused(self.draft.job))
    }
}

impl<J, T, E> Line<J, T, E> {
    pub(super) const fn new() -> Self {
        Self { waiters: BTreeMap::new(), next_ticket: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Waiter<J, T, E>> {
        self.waiters.pop_first().map(|(_, first)| first)
    }

    /// Takes the job of this ticket out, if it is in line still.
    pub(super) fn remove(&mut self, ticket: u64) -> Option<Waiter<J, T, E>> {
        self.waiters.remove(&ticket)
    }

    /// Puts a job at the end of the line. Returns its ticket, and the place of its submitter.
    pub(super) fn push(&mut self, draft: NewJob<J, T, E>) -> (u64, Arc<Place<J, T, E>>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let place = Arc::new(Place(Mutex::new(Admission::Waits(None))));
        self.waiters.insert(ticket, Waiter { draft, place: place.clone() });
        (ticket, place)
    }
}
