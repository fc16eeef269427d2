//! A buffer of submitted jobs that are not in the scheduler yet, so that submitters and workers do
//! not contend for one lock.
//!
//! A job for any worker is pushed here, under a lock that is held only for the push. A worker that
//! finds no job in the scheduler moves all buffered jobs there at once. The buffer is not
//! observable: every other access to the scheduler drains the buffer first.
//!
//! # Invariants
//!
//! 1. *Credit* is granted only while the pool is open and no worker is idle that could run a shared
//!    job: so a worker will check the buffer without being woken. A worker finds the buffer empty
//!    and revokes the credit under one lock: a later submission wakes it.
//! 2. Numbers are assigned under this lock, so every buffered job has a higher number than those in
//!    the scheduler. That keeps the order.
//!
//! Lock order: the queue, the submit buffer.

use std::collections::VecDeque;
use std::sync::Arc;

use perennial_actors::host::sync::{Mutex, MutexGuard};

use super::job_state::JobState;
use crate::pool::scheduler::QueuedJob;
use crate::pool::worker::Work;

/// A job in the scheduler or in the submit buffer.
pub(crate) type Queued<W> = QueuedJob<Arc<JobState<W>>>;

/// Submitted jobs that are not in the scheduler yet. Aligned, so that submitters and workers use
/// different cache lines.
#[repr(align(64))]
pub(crate) struct SubmitBuffer<W: Work + 'static>(Mutex<Inner<W>>);

pub(crate) struct Inner<W: Work + 'static> {
    pub(crate) jobs: VecDeque<Queued<W>>,
    /// The number of jobs that may be pushed before a submission must lock the queue.
    pub(crate) credit: usize,
    /// The number of submitted jobs.
    pub(crate) submitted: u64,
}

impl<W: Work + 'static> SubmitBuffer<W> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner { jobs: VecDeque::new(), credit: 0, submitted: 0 }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<W>> {
        self.0.lock()
    }
}

impl<W: Work + 'static> Inner<W> {
    /// Returns the number of the next job.
    pub(crate) const fn next_number(&mut self) -> u64 {
        self.submitted += 1;
        self.submitted
    }
}
