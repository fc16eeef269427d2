//! What happens to the jobs of a pool, for whoever wants to watch.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use perennial_actors::host::Broadcast;
use perennial_actors::{Pid, Subscription};

use super::job::JobId;

/// Something that happened to a job.
///
/// # Ordering
///
/// Watchers are told in the order in which it happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JobEvent {
    /// It was taken in.
    Submitted(JobId),
    /// A worker has begun an attempt at it.
    Started {
        /// The job.
        id: JobId,
        /// The incarnation of the worker.
        worker: Pid,
    },
    /// It has a result.
    Done(JobId),
    /// An attempt at it has failed, and it is tried again.
    Retried(JobId),
    /// It has had all its attempts.
    Dead(JobId),
    /// It was not begun before it expired.
    Expired(JobId),
    /// It was cancelled.
    Cancelled(JobId),
    /// The pool stopped, or was cleared, before it was done.
    Dropped(JobId),
}

/// What is still to be told.
///
/// It is noted while the queue is locked, which puts it in order, and told after that: to tell wakes tasks, which must not happen
/// under a lock that others wait for. Lock order: the queue, `noted`. Whoever tells holds `telling`, and neither of the others.
pub(super) struct Events {
    noted: Mutex<VecDeque<JobEvent>>,
    telling: Mutex<()>,
    topic: Broadcast<JobEvent>,
}

impl Events {
    pub(super) const fn new() -> Self {
        Self { noted: Mutex::new(VecDeque::new()), telling: Mutex::new(()), topic: Broadcast::new() }
    }

    pub(super) fn subscribe(&self) -> Subscription<JobEvent> {
        let telling = lock(&self.telling);
        // What has happened up to now is for those who listen up to now.
        if self.are_heard() {
            self.tell_noted();
        } else {
            lock(&self.noted).clear();
        }
        let subscription = self.topic.subscribe();
        drop(telling);
        subscription
    }

    /// Whether anybody listens.
    pub(super) fn are_heard(&self) -> bool {
        self.topic.is_heard()
    }

    /// Notes an event, while the queue is locked.
    pub(super) fn note(&self, event: JobEvent) {
        if self.are_heard() {
            lock(&self.noted).push_back(event);
        }
    }

    /// Tells what was noted. When this returns, what the caller has noted was told, by whomever.
    pub(super) fn tell(&self) {
        if !self.are_heard() {
            return;
        }
        let telling = lock(&self.telling);
        self.tell_noted();
        drop(telling);
    }

    fn tell_noted(&self) {
        loop {
            let event = lock(&self.noted).pop_front();
            let Some(event) = event else { break };
            self.topic.tell(|| event);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
