//! What was submitted and is not on the board yet: so that those who submit do not stand in the way of those who work.
//!
//! A job for whoever is free goes here, under a lock that nobody holds for longer than that takes. A worker that finds nothing on the board
//! takes all that is here onto it, in one go. This is only how it is done, and nobody sees it: whoever looks at the board for any other
//! reason takes this onto it first.
//!
//! # Invariants
//!
//! 1. *Credit* is given only while no worker is idle that could have a job, and the pool is open: so a worker will look here of its own
//!    accord. A worker finds nothing here, and takes back the credit, under one lock: what comes after that wakes it.
//! 2. Numbers are given under this lock, so every job here has a higher one than those on the board. That keeps them in order.
//!
//! Lock order: the board, the intake.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use super::job_state::JobState;
use super::priority_queue::QueuedJob;
use super::sync::{Mutex, MutexGuard};

/// A job on the board, or on the way to it.
pub(super) type Queued<J, T, E> = QueuedJob<Arc<JobState<J, T, E>>>;

/// What was submitted and is not on the board yet. Those who submit and those who work each have their own cache line.
#[repr(align(64))]
pub(super) struct SubmitBuffer<J, T, E>(Mutex<Inner<J, T, E>>);

pub(super) struct Inner<J, T, E> {
    pub(super) jobs: VecDeque<Queued<J, T, E>>,
    /// How many may come before somebody has to look at the board.
    pub(super) credit: usize,
    /// How many have been submitted.
    pub(super) submitted: u64,
}

impl<J, T, E> SubmitBuffer<J, T, E> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Inner { jobs: VecDeque::new(), credit: 0, submitted: 0 }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner<J, T, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J, T, E> Inner<J, T, E> {
    /// The number of the next job.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.submitted += 1;
        self.submitted
    }
}
