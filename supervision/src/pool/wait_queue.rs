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

use super::new_job::{NewJob, AdmittedJob};

/// What became of a job in line.
pub(super) enum Admission<J, T, E> {
    /// Nothing yet.
    Waiting(Option<Waker>),
    /// It was taken in.
    Admitted(AdmittedJob<J, T, E>),
    /// The pool takes none in any more.
    Refused(J),
    /// It was told.
    Taken,
}

/// A place in line, as the submitter and the line share it.
pub(super) struct AdmissionCell<J, T, E>(Mutex<Admission<J, T, E>>);

impl<J, T, E> AdmissionCell<J, T, E> {
    fn lock(&self) -> MutexGuard<'_, Admission<J, T, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what became of the job. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn set(&self, admission: Admission<J, T, E>) -> Option<Waker> {
        match mem::replace(&mut *self.lock(), admission) {
            Admission::Waiting(waker) => waker,
            _ => None,
        }
    }

    /// Takes what became of the job, unless nothing has yet.
    pub(super) fn take(&self) -> Option<Result<AdmittedJob<J, T, E>, J>> {
        let mut cell = self.lock();
        match mem::replace(&mut *cell, Admission::Taken) {
            Admission::Admitted(task) => Some(Ok(task)),
            Admission::Refused(job) => Some(Err(job)),
            Admission::Taken => None,
            waits @ Admission::Waiting(_) => {
                *cell = waits;
                None
            }
        }
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<AdmittedJob<J, T, E>, J>> {
        if let Some(admission) = self.take() {
            return Poll::Ready(admission);
        }
        // Cloned and dropped under no lock: a waker may be anything. Meanwhile it may be taken in.
        let waker = cx.waker().clone();
        let unused = match &mut *self.lock() {
            Admission::Waiting(cell) => cell.replace(waker),
            _ => Some(waker),
        };
        drop(unused);
        self.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A job in line, and the place of its submitter.
pub(super) struct Waiter<J, T, E> {
    new_job: NewJob<J, T, E>,
    cell: Arc<AdmissionCell<J, T, E>>,
}

/// The submitters that wait for room, by the order in which they came.
pub(super) struct WaitQueue<J, T, E> {
    entries: BTreeMap<u64, Waiter<J, T, E>>,
    next_ticket: u64,
}

impl<J, T, E> Waiter<J, T, E> {
    /// Takes the job in. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn admit(self, insert: impl FnOnce(NewJob<J, T, E>) -> AdmittedJob<J, T, E>) -> Option<Waker> {
        self.cell.set(Admission::Admitted(insert(self.new_job)))
    }

    /// Gives the job back. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn refuse(self) -> Option<Waker> {
        self.cell.set(Admission::Refused(self.new_job.job))
    }
}

impl<J, T, E> WaitQueue<J, T, E> {
    pub(super) const fn new() -> Self {
        Self { entries: BTreeMap::new(), next_ticket: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Waiter<J, T, E>> {
        self.entries.pop_first().map(|(_, first)| first)
    }

    /// Takes the job of this ticket out, if it is in line still.
    pub(super) fn remove(&mut self, ticket: u64) -> Option<Waiter<J, T, E>> {
        self.entries.remove(&ticket)
    }

    /// Puts a job at the end of the line. Returns its ticket, and the place of its submitter.
    pub(super) fn push(&mut self, new_job: NewJob<J, T, E>) -> (u64, Arc<AdmissionCell<J, T, E>>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let cell = Arc::new(AdmissionCell(Mutex::new(Admission::Waiting(None))));
        self.entries.insert(ticket, Waiter { new_job, cell: cell.clone() });
        (ticket, cell)
    }
}
