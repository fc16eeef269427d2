//! The submitters that wait for room, admitted in arrival order.
//!
//! A submitter leaves its job in the wait queue. The caller that makes room moves the first waiting
//! job into the scheduler, under the same lock, and wakes its submitter. So there is never room
//! while a submitter waits, and a new submission finds none.
//!
//! Lock order: the queue, an admission cell.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::host::sync::{Mutex, MutexGuard};

use super::new_job::{AdmittedJob, NewJob};

/// The admission state of a waiting job.
pub(super) enum Admission<J, T, E> {
    /// The job waits; the waker of its submitter.
    Waiting(Option<Waker>),
    /// The job was admitted.
    Admitted(AdmittedJob<J, T, E>),
    /// The pool accepts no more jobs.
    Refused(J),
    /// The submitter has taken the result.
    Taken,
}

/// The admission state that a submitter and the wait queue share.
pub(super) struct AdmissionCell<J, T, E>(Mutex<Admission<J, T, E>>);

impl<J, T, E> AdmissionCell<J, T, E> {
    fn lock(&self) -> MutexGuard<'_, Admission<J, T, E>> {
        self.0.lock()
    }

    /// Sets the state. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn set(&self, admission: Admission<J, T, E>) -> Option<Waker> {
        match mem::replace(&mut *self.lock(), admission) {
            Admission::Waiting(waker) => waker,
            _ => None,
        }
    }

    /// Takes the result of the admission, or `None` while the job waits.
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
        // Cloned and dropped under no lock, because a waker may run any code. The job may be
        // admitted meanwhile.
        let waker = cx.waker().clone();
        let unused = match &mut *self.lock() {
            Admission::Waiting(cell) => cell.replace(waker),
            _ => Some(waker),
        };
        drop(unused);
        self.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A waiting job, and the admission cell of its submitter.
pub(super) struct Waiter<J, T, E> {
    new_job: NewJob<J, T, E>,
    cell: Arc<AdmissionCell<J, T, E>>,
}

/// The waiting submitters, in arrival order.
pub(super) struct WaitQueue<J, T, E> {
    entries: BTreeMap<u64, Waiter<J, T, E>>,
    next_ticket: u64,
}

impl<J, T, E> Waiter<J, T, E> {
    /// Admits the job. Returns the waker of the submitter, to be woken under no lock.
    pub(super) fn admit(self, insert: impl FnOnce(NewJob<J, T, E>) -> AdmittedJob<J, T, E>) -> Option<Waker> {
        self.cell.set(Admission::Admitted(insert(self.new_job)))
    }

    /// Returns the job to its submitter. Returns the waker of the submitter, to be woken under no
    /// lock.
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

    /// Removes the job with this ticket, if it still waits.
    pub(super) fn remove(&mut self, ticket: u64) -> Option<Waiter<J, T, E>> {
        self.entries.remove(&ticket)
    }

    /// Adds a job at the end. Returns its ticket and its admission cell.
    pub(super) fn push(&mut self, new_job: NewJob<J, T, E>) -> (u64, Arc<AdmissionCell<J, T, E>>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let cell = Arc::new(AdmissionCell(Mutex::new(Admission::Waiting(None))));
        self.entries.insert(ticket, Waiter { new_job, cell: cell.clone() });
        (ticket, cell)
    }
}
