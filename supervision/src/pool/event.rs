//! The events of a pool's jobs.

use std::collections::VecDeque;
use std::thread::{self, ThreadId};

use perennial_actors::host::Broadcast;
use perennial_actors::host::sync::Mutex;
use perennial_actors::{Pid, Subscription};

use super::job::JobId;

/// An event of a job.
///
/// # Ordering
///
/// Subscribers receive events in the order in which they happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JobEvent {
    /// The job was accepted.
    Submitted(JobId),
    /// A worker has started an attempt.
    Started {
        /// The job.
        id: JobId,
        /// The incarnation of the worker.
        worker: Pid,
    },
    /// The job completed with an output.
    Done(JobId),
    /// An attempt failed or was interrupted, and the job is retried.
    Retried(JobId),
    /// The job failed and is not retried: it returned an error, had all its attempts, or expired
    /// before the next.
    Dead(JobId),
    /// The job expired before its first attempt.
    Expired(JobId),
    /// The job was cancelled.
    Cancelled(JobId),
    /// The pool stopped or was cleared before the job was done.
    Dropped(JobId),
}

/// The events that are not published yet.
///
/// Events are recorded while the queue is locked, which orders them, and published after that:
/// publishing wakes tasks, which must not happen under a lock that other threads wait for. Lock
/// order: the queue, `pending`. A thread that publishes holds `publishing`, and neither of the
/// others. A waker may call back into the pool on the same thread: the events of that call are
/// published when the waker returns.
pub(super) struct Events {
    pending: Mutex<VecDeque<JobEvent>>,
    publishing: Mutex<()>,
    /// The thread that publishes. Locked only for a single read or write.
    publisher: Mutex<Option<ThreadId>>,
    topic: Broadcast<JobEvent>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self {
            pending: Mutex::new(VecDeque::new()),
            publishing: Mutex::new(()),
            publisher: Mutex::new(None),
            topic: Broadcast::new(),
        }
    }

    pub(super) fn subscribe(&self) -> Subscription<JobEvent> {
        let subscribed = self.exclusively(|| {
            // Earlier events are for earlier subscribers only.
            if self.has_subscribers() {
                self.publish_pending();
            } else {
                self.pending.lock().clear();
            }
            self.topic.subscribe()
        });
        subscribed.unwrap_or_else(|| self.topic.subscribe())
    }

    /// Runs `publish` while no other thread publishes. Returns `None` without running it if the
    /// caller is a waker that this thread called while it publishes.
    fn exclusively<T>(&self, publish: impl FnOnce() -> T) -> Option<T> {
        let this = thread::current().id();
        if *self.publisher.lock() == Some(this) {
            return None;
        }
        let publishing = self.publishing.lock();
        *self.publisher.lock() = Some(this);
        let result = publish();
        *self.publisher.lock() = None;
        drop(publishing);
        Some(result)
    }

    /// Returns `true` if there is a subscriber.
    pub(super) fn has_subscribers(&self) -> bool {
        self.topic.has_subscribers()
    }

    /// Records an event. The caller holds the lock of the queue.
    pub(super) fn record(&self, event: JobEvent) {
        if self.has_subscribers() {
            self.pending.lock().push_back(event);
        }
    }

    /// Publishes the recorded events. When this returns, the caller's events have been published,
    /// by this or another thread.
    pub(super) fn publish(&self) {
        if !self.has_subscribers() {
            return;
        }
        self.exclusively(|| self.publish_pending());
    }

    fn publish_pending(&self) {
        loop {
            let event = self.pending.lock().pop_front();
            let Some(event) = event else { break };
            self.topic.send(|| event);
        }
    }
}
