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
    pending: Mutex<VecDeque<JobEvent>>,
    publishing: Mutex<()>,
    /// The thread that tells. Never locked for longer than it takes to look.
    publisher: Mutex<Option<ThreadId>>,
    topic: Broadcast<JobEvent>,
}

impl Events {
    pub(super) const fn new() -> Self {
        Self {
            pending: Mutex::new(VecDeque::new()),
            publishing: Mutex::new(()),
            publisher: Mutex::new(None),
            topic: Broadcast::new(),
        }
    }

    pub(super) fn subscribe(&self) -> Subscription<JobEvent> {
        let subscribed = self.exclusively(|| {
            // What has happened up to now is for those who listen up to now.
            if self.has_subscribers() {
                self.publish_pending();
            } else {
                lock(&self.pending).clear();
            }
            self.topic.subscribe()
        });
        subscribed.unwrap_or_else(|| self.topic.subscribe())
    }

    /// Does this while nothing else tells. Returns `None`, and does nothing, if the caller was called by a waker while this
    /// thread tells.
    fn exclusively<T>(&self, publish: impl FnOnce() -> T) -> Option<T> {
        let this = thread::current().id();
        if *lock(&self.publisher) == Some(this) {
            return None;
        }
        let publishing = lock(&self.publishing);
        *lock(&self.publisher) = Some(this);
        let result = publish();
        *lock(&self.publisher) = None;
        drop(publishing);
        Some(result)
    }

    /// Whether anybody listens.
    pub(super) fn has_subscribers(&self) -> bool {
        self.topic.has_subscribers()
    }

    /// Notes an event, while the queue is locked.
    pub(super) fn record(&self, event: JobEvent) {
        if self.has_subscribers() {
            lock(&self.pending).push_back(event);
        }
    }

    /// Tells what was noted. When this returns, what the caller has noted was told, by whomever.
    pub(super) fn publish(&self) {
        if !self.has_subscribers() {
            return;
        }
        self.exclusively(|| self.publish_pending());
    }

    fn publish_pending(&self) {
        loop {
            let event = lock(&self.pending).pop_front();
            let Some(event) = event else { break };
            self.topic.send(|| event);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
