//! The submitters that wait for room, admitted in arrival order.
//!
//! A submitter leaves its job in the wait queue. The caller that makes room moves the first waiting
//! job into the scheduler, under the same lock, and answers its submitter after that. So there is
//! never room while a submitter waits, and a new submission finds none.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::job_state::{Admitted, NewJob};
use crate::pool::worker::Work;

/// A waiting job, and the way to answer its submitter.
pub(crate) struct Waiter<W: Work + 'static> {
    pub(crate) new_job: NewJob<W>,
    pub(crate) submitter: oneshot::Sender<Admitted<W>>,
}

/// The place of a submitter in the wait queue.
pub(crate) struct PendingAdmission<W: Work + 'static> {
    number: u64,
    pub(crate) answer: oneshot::Receiver<Admitted<W>>,
}

/// The waiting submitters, in arrival order.
pub(crate) struct WaitQueue<W: Work + 'static> {
    entries: BTreeMap<u64, Waiter<W>>,
    next_number: u64,
}

impl<W: Work + 'static> WaitQueue<W> {
    pub(crate) const fn new() -> Self {
        Self { entries: BTreeMap::new(), next_number: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a job at the end.
    pub(crate) fn push(&mut self, new_job: NewJob<W>) -> PendingAdmission<W> {
        let (submitter, answer) = oneshot::channel();
        let number = self.next_number;
        self.next_number += 1;
        self.entries.insert(number, Waiter { new_job, submitter });
        PendingAdmission { number, answer }
    }

    pub(crate) fn pop(&mut self) -> Option<Waiter<W>> {
        self.entries.pop_first().map(|(_, first)| first)
    }

    /// Removes the job of a submitter, if it still waits.
    pub(crate) fn remove(&mut self, pending: &PendingAdmission<W>) -> Option<Waiter<W>> {
        self.entries.remove(&pending.number)
    }
}
