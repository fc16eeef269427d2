//! Requests that wait until the start or the stop of a child is complete.
//!
//! OTP's supervisor blocks during every start and every stop, so no request meets a child in the
//! middle of one. This supervisor does not block. It defers the requests that concern a child which
//! is starting or stopping, and decides them when that is complete.
//!
//! # Guarantees
//!
//! - The requests for one child are decided in the order of arrival, also across its removal and
//!   its next start.
//! - Each request meets the child in the state that OTP's supervisor would find: running, stopped,
//!   restarting, or removed.
//! - Requests for other children do not wait.
//!
//! # What is not guaranteed
//!
//! A start or stop may never complete, for example an `init` that never returns and has no timeout.
//! The requests that wait for it never complete then either. A request to terminate the child that
//! arrives while its `init` runs interrupts the `init`, and is therefore decided.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::types::{ChildKey, Request, RequestId};
use crate::policy::ChildPolicy;

/// A deferred request.
#[derive(Debug)]
pub(super) struct Deferred {
    pub(super) ticket: RequestId,
    pub(super) request: Request,
    /// A request to terminate the child that arrived while the child was starting. It interrupts
    /// every start before it.
    pub(super) cuts_short: bool,
}

/// The requests for one child, in the order of arrival.
pub(super) type Queue = VecDeque<Deferred>;

/// The starts and stops in progress of one supervisor's children, and the requests that wait for
/// them.
#[derive(Debug, Default)]
pub(super) struct ChildTransitions {
    /// The deferred requests by child. No queue is empty.
    queues: HashMap<ChildKey, Queue>,
    /// The children that completed a start or stop for which requests wait, in order.
    finished: VecDeque<ChildKey>,
    /// The numbers of the starts and stops in progress, in the order in which they began. `None` if
    /// the number of children is not limited.
    active: Option<BTreeSet<u64>>,
    /// The number of the start or stop that began last.
    last_begun: u64,
    /// The starts that wait for the number of children to fall below the limit.
    pub(super) starts: VecDeque<QueuedStart>,
}

/// A start that waits because the limit is reached.
#[derive(Debug)]
pub(super) struct QueuedStart {
    pub(super) ticket: RequestId,
    pub(super) id: Arc<str>,
    pub(super) policy: Arc<ChildPolicy>,
    /// The number of the last start or stop that may make room for it.
    pub(super) last: u64,
}

impl ChildTransitions {
    /// Numbers the starts and stops from now on.
    pub(super) fn enable_numbering(&mut self) {
        self.active.get_or_insert_default();
    }

    /// Records the begin of a start or stop. Returns its number.
    pub(super) fn begin(&mut self) -> u64 {
        if let Some(active) = &mut self.active {
            self.last_begun += 1;
            active.insert(self.last_begun);
        }
        self.last_begun
    }

    /// Records the completion of a start or stop.
    pub(super) fn end(&mut self, key: ChildKey, number: u64) {
        if let Some(active) = &mut self.active {
            active.remove(&number);
        }
        if self.queues.contains_key(&key) {
            self.finished.push_back(key);
        }
    }

    /// Defers a request until the start or stop of this child is complete.
    pub(super) fn defer(&mut self, key: ChildKey, request: Deferred) {
        self.queues.entry(key).or_default().push_back(request);
    }

    /// Returns `true` if requests wait for the start or stop of this child.
    pub(super) fn has_requests(&self, key: ChildKey) -> bool {
        self.queues.contains_key(&key)
    }

    /// Takes the requests that waited for a completed start or stop.
    pub(super) fn next_finished(&mut self) -> Option<Queue> {
        std::iter::from_fn(|| self.finished.pop_front()).find_map(|key| self.queues.remove(&key))
    }

    /// Takes the ids of all deferred requests, in the order of arrival.
    pub(super) fn take_request_ids(&mut self) -> Vec<RequestId> {
        let queued = self.queues.drain().flat_map(|(_, queue)| queue).map(|deferred| deferred.ticket);
        let mut tickets: Vec<RequestId> = queued.collect();
        tickets.extend(self.starts.drain(..).map(|start| start.ticket));
        self.finished.clear();
        tickets.sort_unstable();
        tickets
    }

    /// Returns the number of the start or stop that began last.
    pub(super) const fn last_begun(&self) -> u64 {
        self.last_begun
    }

    /// Returns `true` if all starts and stops up to this number are complete.
    pub(super) fn are_finished(&self, last: u64) -> bool {
        let first = self.active.as_ref().and_then(BTreeSet::first);
        first.is_none_or(|first| *first > last)
    }

    /// Returns the number of stored entries.
    #[cfg(test)]
    pub(super) fn retained_len(&self) -> usize {
        let active = self.active.as_ref().map_or(0, BTreeSet::len);
        self.queues.len() + self.finished.len() + self.starts.len() + active
    }
}
