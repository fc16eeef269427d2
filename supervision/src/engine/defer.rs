//! Which requests are [deferred](super::deferred), and when they are decided.

use std::sync::Arc;

use super::children::Entry;
use super::core::Engine;
use super::deferred::{Deferred, Queue, QueuedStart};
use super::state::{Mode, StartCause, State, Stopping};
use super::types::{ChildKey, Event, Request, RequestError, RequestId};
use crate::policy::{ChildPolicy, SupervisorKind};

impl Engine {
    /// Decides a request at once, or when the child that it concerns has completed its start or
    /// stop.
    ///
    /// `is_new` is set for a request that has just arrived. A new request to terminate a child
    /// interrupts a start in progress. A deferred one does not, because the start was requested
    /// after it.
    pub(super) fn handle_request(&mut self, ticket: RequestId, request: Request, is_new: bool) {
        let Some(key) = self.transition_before(&request, is_new) else { return self.decide(ticket, request) };
        let is_starting = |entry: &Entry| matches!(entry.state, State::Starting { .. });
        let cuts_short = is_new
            && matches!(request, Request::Terminate(_))
            && self.children.get(key).is_some_and(is_starting);
        self.children.transitions.defer(key, Deferred { ticket, request, cuts_short });
        if cuts_short {
            self.stop(key);
        }
    }

    /// Returns the child whose start or stop has to complete before the request is decided.
    fn transition_before(&self, request: &Request, is_new: bool) -> Option<ChildKey> {
        let key = match request {
            // No child of a dynamic supervisor is found by its id.
            Request::Start { id, .. } => self.children.find(id),
            Request::Restart(target)
            | Request::Delete(target)
            | Request::Terminate(target)
            | Request::ResetFailed(target) => self.resolve(target),
            Request::Change { children, .. } => {
                let mut known = children.iter().filter_map(|(id, _)| self.children.find(id));
                known.find(|key| self.is_being_added(*key))
            }
        }?;
        let awaited = match &self.children.get(key)?.state {
            // A stop interrupts a start, unless other requests have to be decided before it.
            State::Starting { .. } if is_new && matches!(request, Request::Terminate(_)) => {
                self.children.transitions.has_requests(key)
            }
            State::Starting { .. } => true,
            // An unresponsive child counts as running until it has exited or is terminated.
            State::Stopping(stopping) => !stopping.unresponsive || !stopping.stop_waiters.is_empty(),
            _ => false,
        };
        awaited.then_some(key)
    }

    /// Returns `true` if the child is removed again unless its current start succeeds.
    fn is_being_added(&self, key: ChildKey) -> bool {
        match self.children.get(key).map(|entry| &entry.state) {
            Some(State::Starting { cause, .. }) => matches!(cause, StartCause::StartChild(_)),
            Some(State::Stopping(stopping)) => matches!(**stopping, Stopping { start_waiter: Some(_), .. }),
            _ => false,
        }
    }

    /// Decides all requests that waited for starts and stops which are complete now.
    pub(super) fn decide_deferred(&mut self) {
        while self.decide_next_finished() {}
        self.start_queued();
    }

    /// Decides the requests that waited for one completed start or stop. Returns `false` if there
    /// are none.
    pub(super) fn decide_next_finished(&mut self) -> bool {
        let Some(queue) = self.children.transitions.next_finished() else { return false };
        self.decide_queue(queue);
        true
    }

    fn decide_queue(&mut self, mut queue: Queue) {
        while matches!(self.mode, Mode::Running) {
            let Some(Deferred { ticket, request, cuts_short }) = queue.pop_front() else { return };
            self.handle_request(ticket, request, cuts_short);
        }
        // A transition began. They arrived before all events that wait for it.
        for Deferred { ticket, request, .. } in queue.into_iter().rev() {
            self.waiting.push_front(Event::Request { ticket, request });
        }
    }

    /// Rejects all deferred requests, because the supervisor shuts down.
    pub(super) fn refuse_deferred(&mut self) {
        for ticket in self.children.transitions.take_request_ids() {
            self.answer(ticket, Err(RequestError::ShuttingDown));
        }
    }

    /// Starts a child of a dynamic supervisor. If the limit is reached, the request waits for the
    /// starts and stops in progress, which may make room.
    pub(super) fn start_or_queue(&mut self, id: Arc<str>, policy: Arc<ChildPolicy>, ticket: RequestId) {
        if self.children.transitions.starts.is_empty() && self.has_capacity() {
            return self.add_child(id, policy, ticket);
        }
        let last = self.children.transitions.last_begun();
        self.children.transitions.starts.push_back(QueuedStart { ticket, id, policy, last });
        self.start_queued();
    }

    fn has_capacity(&self) -> bool {
        !matches!(self.policy.kind, SupervisorKind::Dynamic { max_children } if self.children.len() >= max_children)
    }

    /// Decides the queued starts in the order of arrival, until one of them has to wait.
    fn start_queued(&mut self) {
        while let Some(start) = self.children.transitions.starts.front() {
            let last = start.last;
            if !self.has_capacity() && !self.children.transitions.are_finished(last) {
                return;
            }
            let Some(start) = self.children.transitions.starts.pop_front() else { return };
            if !self.has_capacity() {
                self.answer(start.ticket, Err(RequestError::MaxChildren));
                continue;
            }
            self.add_child(start.id, start.policy, start.ticket);
            // The next queued start waits for the outcome of this one too.
            let begun = self.children.transitions.last_begun();
            if let Some(next) = self.children.transitions.starts.front_mut() {
                next.last = begun;
            }
        }
    }
}
