//! Requests that wait until the start or the stop of a child is over.
//!
//! OTP's supervisor waits for every start and every stop, so no request meets a child in the middle
//! of one. This supervisor does not wait. It defers the requests that concern a child in
//! transition, and decides them when the transition is over.
//!
//! # Guarantees
//!
//! - The requests for one child are decided in the order of arrival, also across its removal and its next start.
//! - Each of them meets the child as OTP's would: running, stopped, restarting, or gone.
//! - Requests for other children do not wait.
//!
//! # What is not guaranteed
//!
//! A transition may take for ever: an init that never returns and has no timeout. So does what
//! waits for it then. A request to terminate the child that comes while the init runs cuts it
//! short, and so gets through.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::types::{ChildKey, Request, RequestId};
use crate::policy::ChildPolicy;

/// A request that waits.
#[derive(Debug)]
pub(super) struct Deferred {
    pub(super) ticket: RequestId,
    pub(super) request: Request,
    /// It is to terminate the child, and came while the child was starting. It cuts short every
    /// start before it.
    pub(super) cuts_short: bool,
}

/// Requests for one child, in the order of arrival.
pub(super) type Queue = VecDeque<Deferred>;

/// The transitions of the children of one supervisor, and the requests that wait for them.
#[derive(Debug, Default)]
pub(super) struct Transitions {
    /// By child. None of them is empty.
    queues: HashMap<ChildKey, Queue>,
    /// The children that left their transition while requests waited for it, first one first.
    settled: VecDeque<ChildKey>,
    /// Present if there is a limit to the number of children.
    numbered: Option<Numbered>,
    /// The starts that wait for room.
    pub(super) starts: VecDeque<QueuedStart>,
}

/// A start of a child for which there is no room yet.
#[derive(Debug)]
pub(super) struct QueuedStart {
    pub(super) ticket: RequestId,
    pub(super) id: Arc<str>,
    pub(super) policy: ChildPolicy,
    /// The number of the last transition that may make room for it.
    pub(super) last: u64,
}

/// The transitions that go on, numbered in the order in which they began.
#[derive(Debug, Default)]
struct Numbered {
    begun: u64,
    going_on: HashMap<ChildKey, u64>,
    /// The same, in order.
    order: BTreeSet<u64>,
}

impl Transitions {
    /// Numbers the transitions from now on.
    pub(super) fn number(&mut self) {
        self.numbered.get_or_insert_default();
    }

    /// Records that the transition of a child begins.
    pub(super) fn begin(&mut self, key: ChildKey) {
        if let Some(numbered) = &mut self.numbered {
            numbered.begun += 1;
            numbered.going_on.insert(key, numbered.begun);
            numbered.order.insert(numbered.begun);
        }
    }

    /// Records that the transition of a child is over.
    pub(super) fn end(&mut self, key: ChildKey) {
        if let Some(numbered) = &mut self.numbered {
            if let Some(number) = numbered.going_on.remove(&key) {
                numbered.order.remove(&number);
            }
        }
        if self.queues.contains_key(&key) {
            self.settled.push_back(key);
        }
    }

    /// Defers a request until the transition of this child is over.
    pub(super) fn defer(&mut self, key: ChildKey, request: Deferred) {
        self.queues.entry(key).or_default().push_back(request);
    }

    /// Returns `true` if requests wait for the transition of this child.
    pub(super) fn holds(&self, key: ChildKey) -> bool {
        self.queues.contains_key(&key)
    }

    /// Takes the requests that waited for a transition that is over.
    pub(super) fn next_finished(&mut self) -> Option<Queue> {
        std::iter::from_fn(|| self.settled.pop_front()).find_map(|key| self.queues.remove(&key))
    }

    /// Takes the tickets of all requests that wait, in the order of arrival.
    pub(super) fn take_request_ids(&mut self) -> Vec<RequestId> {
        let queued = self.queues.drain().flat_map(|(_, queue)| queue).map(|deferred| deferred.ticket);
        let mut tickets: Vec<RequestId> = queued.collect();
        tickets.extend(self.starts.drain(..).map(|start| start.ticket));
        self.settled.clear();
        tickets.sort_unstable();
        tickets
    }

    /// Returns the number of the transition that began last.
    pub(super) fn last_begun(&self) -> u64 {
        self.numbered.as_ref().map_or(0, |numbered| numbered.begun)
    }

    /// Returns `true` if none of the transitions up to this number goes on.
    pub(super) fn are_finished(&self, last: u64) -> bool {
        let first = self.numbered.as_ref().and_then(|numbered| numbered.order.first());
        first.is_none_or(|first| *first > last)
    }

    /// Returns how much is kept of transitions and of what waits for them.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let numbered = self.numbered.as_ref();
        let numbers = numbered.map_or(0, |numbered| numbered.going_on.len() + numbered.order.len());
        self.queues.len() + self.settled.len() + self.starts.len() + numbers
    }
}
