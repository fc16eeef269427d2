//! Which requests are [deferred](super::deferred), and when they are decided.

use std::sync::Arc;

use super::children::Entry;
use super::core::{Engine, Mode};
use super::deferred::{Deferred, Queue, WaitingStart};
use super::types::{ChildKey, Event, Request, RequestError, RequestId, StartCause, State, Stopping};
use crate::policy::{ChildPolicy, SupervisorKind};

impl Engine {
    /// Decides a request now, or when the child that it concerns is not in transition any more. It
    /// has just come if it `is_new`: to terminate a child cuts short a start that goes on then, and
    /// not one that was asked for after it.
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

    /// Returns the child whose transition has to be over before the request is decided.
    fn transition_before(&self, request: &Request, is_new: bool) -> Option<ChildKey> {
        let key = match request {
            Request::Start { .. } if self.is_dynamic() => None,
            Request::Start { id, .. } => self.children.find(id),
            Request::Restart(target) | Request::Delete(target) | Request::Terminate(target) => {
                self.resolve(target)
            }
            Request::Change { children, .. } => {
                let mut known = children.iter().filter_map(|(id, _)| self.children.find(id));
                known.find(|key| self.is_being_brought(*key))
            }
        }?;
        let awaited = match &self.children.get(key)?.state {
            // A stop takes over a start, unless other requests are to be decided before it.
            State::Starting { .. } if is_new && matches!(request, Request::Terminate(_)) => {
                self.children.transitions.holds(key)
            }
            State::Starting { .. } => true,
            // One that hangs runs, until it has ended or is terminated.
            State::Stopping(stopping) => !stopping.unresponsive || !stopping.stop_waiters.is_empty(),
            _ => false,
        };
        awaited.then_some(key)
    }

    /// Returns `true` if this is a child only if the start that goes on succeeds.
    fn is_being_brought(&self, key: ChildKey) -> bool {
        match self.children.get(key).map(|entry| &entry.state) {
            Some(State::Starting { cause, .. }) => matches!(cause, StartCause::StartChild(_)),
            Some(State::Stopping(stopping)) => matches!(**stopping, Stopping { start_waiter: Some(_), .. }),
            _ => false,
        }
    }

    /// Decides what waited for transitions that are over now.
    pub(super) fn decide_deferred(&mut self) {
        while self.decide_settled() {}
        self.decide_starts();
    }

    /// Decides what waited for one transition that is over. Returns `false` if there is none.
    pub(super) fn decide_settled(&mut self) -> bool {
        let Some(queue) = self.children.transitions.next_settled() else { return false };
        self.decide_queue(queue);
        true
    }

    fn decide_queue(&mut self, mut queue: Queue) {
        while let Some(deferred) = queue.pop_front() {
            match &self.mode {
                Mode::Running => self.handle_request(deferred.ticket, deferred.request, deferred.cuts_short),
                Mode::InTransition(round) if !round.is_last() => {
                    queue.push_front(deferred);
                    break;
                }
                Mode::InTransition(_) | Mode::Ended => {
                    self.answer(deferred.ticket, Err(RequestError::ShuttingDown))
                }
            }
        }
        // They came before all that waits for the round.
        for Deferred { ticket, request, .. } in queue.into_iter().rev() {
            self.waiting.push_front(Event::Request { ticket, request });
        }
    }

    /// Answers everything that is deferred: the supervisor goes down.
    pub(super) fn refuse_deferred(&mut self) {
        for ticket in self.children.transitions.take_tickets() {
            self.answer(ticket, Err(RequestError::ShuttingDown));
        }
    }

    /// Starts a child of a dynamic supervisor. If there is no room, it waits for the transitions
    /// that go on, which may make some.
    pub(super) fn start_if_there_is_room(&mut self, id: Arc<str>, policy: ChildPolicy, ticket: RequestId) {
        if self.children.transitions.starts.is_empty() && self.has_room() {
            return self.add_child(id, policy, ticket);
        }
        let last = self.children.transitions.last_begun();
        self.children.transitions.starts.push_back(WaitingStart { ticket, id, policy, last });
        self.decide_starts();
    }

    fn has_room(&self) -> bool {
        !matches!(self.policy.kind, SupervisorKind::Dynamic { max_children } if self.children.len() >= max_children)
    }

    /// Decides the starts that wait for room, first come first, until one of them has to wait on.
    fn decide_starts(&mut self) {
        while let Some(start) = self.children.transitions.starts.front() {
            let last = start.last;
            if !self.has_room() && !self.children.transitions.are_over(last) {
                return;
            }
            let Some(start) = self.children.transitions.starts.pop_front() else { return };
            if !self.has_room() {
                self.answer(start.ticket, Err(RequestError::MaxChildren));
                continue;
            }
            self.add_child(start.id, start.policy, start.ticket);
            // This start comes before the next one, which has to wait for what comes of it.
            let begun = self.children.transitions.last_begun();
            if let Some(next) = self.children.transitions.starts.front_mut() {
                next.last = begun;
            }
        }
    }
}
