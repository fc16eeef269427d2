//! What happens to the jobs of a pool, for whoever wants to watch.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

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
    /// It failed and is not tried again: it has had all its attempts, or expired before the next.
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
/// A waker may call back into the pool on the same thread: then what that notes is told when the waker returns.
pub(super) struct Events {
    noted: Mutex<VecDeque<JobEvent>>,
    telling: Mutex<()>,
    /// The thread that tells. Never locked for longer than it takes to look.
    teller: Mutex<Option<ThreadId>>,
    topic: Broadcast<JobEvent>,
}

impl Events {
    pub(super) const fn new() -> Self {
        Self {
            noted: Mutex::new(VecDeque::new()),
            telling: Mutex::new(()),
            teller: Mutex::new(None),
            topic: Broadcast::new(),
        }
    }

    pub(super) fn subscribe(&self) -> Subscription<JobEvent> {
        let subscribed = self.alone(|| {
            // What has happened up to now is for those who listen up to now.
            if self.are_heard() {
                self.tell_noted();
            } else {
                lock(&self.noted).clear();
            }
            self.topic.subscribe()
        });
        subscribed.unwrap_or_else(|| self.topic.subscribe())
    }

    /// Does this while nothing else tells. Returns `None`, and does nothing, if the caller was called by a waker while this
    /// thread tells.
    fn alone<T>(&self, tell: impl FnOnce() -> T) -> Option<T> {
        let this = thread::current().id();
        if *lock(&self.teller) == Some(this) {
            return None;
        }
        let telling = lock(&self.telling);
        *lock(&self.teller) = Some(this);
        let told = tell();
        *lock(&self.teller) = None;
        drop(telling);
        Some(told)
    }

    /// Whether anybody listens.
    pub(super) fn are_heard(&self) -> bool {
        self.topic.has_subscribers()
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
        self.alone(|| self.tell_noted());
    }

    fn tell_noted(&self) {
        loop {
            let event = lock(&self.noted).pop_front();
            let Some(event) = event else { break };
            self.topic.send(|| event);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
