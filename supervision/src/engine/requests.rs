//! The management requests, decided as OTP's API does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::Engine;
use super::state::{LivenessTimers, Mode, StartCause, State, Transition, TransitionKind};
use super::types::{Action, ChildKey, Event, Policy, Request, RequestError, RequestId, RequestOk, Target};
use crate::policy::{ChildPolicy, Strategy};

impl Engine {
    /// Handles a new request. Requests are decided in order, and never during a transition. A
    /// request that concerns a child which is starting or stopping is deferred.
    pub(super) fn on_request(&mut self, ticket: RequestId, request: Request) {
        if matches!(self.mode, Mode::Running) {
            self.handle_request(ticket, request, true);
        } else if self.is_stopping_or_ended() {
            self.answer(ticket, Err(RequestError::ShuttingDown));
        } else {
            self.waiting.push_back(Event::Request { ticket, request });
        }
    }

    /// Decides a request. The child that it concerns is not starting or stopping, unless the
    /// request is to terminate it.
    pub(super) fn decide(&mut self, ticket: RequestId, request: Request) {
        match request {
            Request::Start { id, policy } if self.is_dynamic() => self.start_or_queue(id, policy, ticket),
            Request::Start { id, policy } => match self.children.find(&id) {
                Some(key) => self.answer(ticket, Err(self.duplicate_id_error(key))),
                None => self.add_child(id, policy, ticket),
            },
            Request::Terminate(target) => match self.resolve(&target) {
                Some(key) => self.terminate(key, ticket),
                None => self.answer(ticket, Err(RequestError::NotFound)),
            },
            Request::Restart(target) => match self.resolve_stopped(&target) {
                Ok(key) if self.exceeds_start_limit(key, Duration::ZERO) => {
                    self.answer(ticket, Err(RequestError::StartLimitHit));
                }
                Ok(key) => self.start_alone(key, StartCause::RestartChild(ticket)),
                Err(error) => self.answer(ticket, Err(error)),
            },
            Request::Delete(target) => match self.resolve_stopped(&target) {
                Ok(key) => {
                    // The child may have been due to start with its group.
                    if self.children.get(key).is_some_and(|entry| entry.mailbox_open) {
                        self.close(key, &ExitReason::shutdown());
                    }
                    self.children.remove(key);
                    self.answer(ticket, Ok(RequestOk::Deleted(key)));
                }
                Err(error) => self.answer(ticket, Err(error)),
            },
            Request::ResetFailed(target) => match self.resolve(&target) {
                Some(key) => {
                    self.reset_failed(key);
                    self.answer(ticket, Ok(RequestOk::Done));
                }
                None => self.answer(ticket, Err(RequestError::NotFound)),
            },
            Request::Change { policy, children } => self.change(policy, children, ticket),
        }
    }

    pub(super) fn resolve(&self, target: &Target) -> Option<ChildKey> {
        match target {
            Target::Id(id) => self.children.find(id),
            Target::Key(key) => self.children.get(*key).map(|_| *key),
            Target::Pid(_) => None,
        }
    }

    /// Returns the child if it is stopped and not due to start.
    fn resolve_stopped(&self, target: &Target) -> Result<ChildKey, RequestError> {
        let key = self.resolve(target).ok_or(RequestError::NotFound)?;
        match self.children.get(key).map(|entry| &entry.state) {
            None => Err(RequestError::NotFound),
            Some(State::Stopped | State::Failed) => Ok(key),
            Some(State::Restarting { .. } | State::CheckingCondition { .. } | State::Ended { .. }) => {
                Err(RequestError::Restarting)
            }
            // An unresponsive child counts as running until it has exited.
            Some(State::Starting { .. } | State::Running { .. } | State::Stopping(_)) => {
                Err(RequestError::Running(key))
            }
        }
    }

    pub(super) fn add_child(&mut self, id: Arc<str>, policy: Arc<ChildPolicy>, ticket: RequestId) {
        let (by_id, joins_spec) = (!self.is_dynamic(), policy.joins_spec);
        let key = self.children.add(id, policy, by_id, !joins_spec);
        self.actions.push(Action::AddChild { key, ticket });
        self.start_alone(key, StartCause::StartChild(ticket));
    }

    /// Returns why no child with the id of this one can be started.
    fn duplicate_id_error(&self, key: ChildKey) -> RequestError {
        if self.children.get(key).is_some_and(Entry::is_live) {
            RequestError::AlreadyStarted(key)
        } else {
            RequestError::AlreadyPresent
        }
    }

    /// Starts a child without its siblings: by request, or in a retry of its first start. This
    /// counts for no intensity. If its siblings depend on it, the start is a transition, so nothing
    /// happens to them meanwhile.
    pub(super) fn start_alone(&mut self, key: ChildKey, cause: StartCause) {
        if !self.children_are_independent() {
            let (kind, stop, start) = (TransitionKind::ManualStart, Vec::new(), VecDeque::new());
            self.mode = Mode::InTransition(Transition { kind, stop, start, current: Some(key) });
        }
        self.start(key, cause);
    }

    /// Returns `true` if the children do not depend on each other.
    pub(super) const fn children_are_independent(&self) -> bool {
        matches!(self.strategy(), Strategy::OneForOne)
    }

    /// OTP's `terminate_child`.
    fn terminate(&mut self, key: ChildKey, ticket: RequestId) {
        let Some(entry) = self.children.get(key) else {
            return self.answer(ticket, Err(RequestError::NotFound));
        };
        if !entry.is_live() {
            self.mark_stopped(key, &ExitReason::shutdown());
            if !self.children_are_independent() {
                self.close_unscheduled();
            }
            return self.answer(ticket, Ok(RequestOk::Done));
        }
        self.stop(key);
        if let Some(State::Stopping(stopping)) = self.children.get_mut(key).map(|entry| &mut entry.state) {
            stopping.stop_waiters.push(ticket);
        }
    }

    /// Applies a changed spec. Known children keep running with their new settings. New children
    /// are added as stopped ones. Children that are not in the new spec stay. If a known child
    /// cannot have its new policy, the request is refused and nothing changes.
    fn change(&mut self, policy: Policy, children: Vec<(Arc<str>, ChildPolicy)>, ticket: RequestId) {
        if let Some((id, _)) = children.iter().find(|(id, policy)| !self.accepts(id, policy)) {
            return self.answer(ticket, Err(RequestError::HandlerDeadlineOfTask(id.clone())));
        }
        self.window.change(policy.intensity);
        self.policy = Policy { seed: self.policy.seed, ..policy };
        self.children.mark_all_added();
        for (id, policy) in children {
            match self.children.find(&id) {
                Some(key) => self.change_child(key, policy),
                None => {
                    let key = self.children.add(id, policy.into(), true, false);
                    self.actions.push(Action::AddChild { key, ticket });
                }
            }
        }
        self.close_unscheduled();
        self.answer(ticket, Ok(RequestOk::Done));
    }

    /// Returns `true` if a child with this id can have the policy, or if there is none.
    fn accepts(&self, id: &Arc<str>, policy: &ChildPolicy) -> bool {
        let known = self.children.find(id).and_then(|key| self.children.get(key));
        known.is_none_or(|entry| !policy.clone().of_existing(&entry.policy).has_idle_deadline())
    }

    /// Closes the mailboxes of stopped children that waited to be started by a group restart, if
    /// there will be no retry that starts them.
    fn close_unscheduled(&mut self) {
        self.unscheduled().into_iter().for_each(|key| self.close(key, &ExitReason::shutdown()));
    }

    /// Returns the stopped children that waited to be started by a group restart, and that no retry
    /// will start.
    pub(super) fn unscheduled(&self) -> Vec<ChildKey> {
        let restarting = |(key, entry): (ChildKey, &Entry)| entry.restarts_its_group().then_some(key);
        let restarting = self.children.iter().find_map(restarting);
        let first = match self.strategy() {
            Strategy::OneForOne => None,
            Strategy::OneForAll => restarting.map(|_| ChildKey(0)),
            Strategy::RestForOne => restarting,
        };
        let idle = |entry: &Entry| entry.mailbox_open && matches!(entry.state, State::Stopped);
        let waits = |key| first.is_some_and(|first| key >= first);
        self.children.iter().filter(|(key, entry)| !waits(*key) && idle(entry)).map(|(key, _)| key).collect()
    }

    fn change_child(&mut self, key: ChildKey, policy: ChildPolicy) {
        let now = self.now;
        let Some(entry) = self.children.get_mut(key) else { return };
        // The kind of an existing child does not change.
        entry.policy = policy.of_existing(&entry.policy).into();
        entry.added_at_runtime = false;
        if let State::Running { timers, .. } = &mut entry.state {
            let resumptions = timers.as_deref().map_or(0, |timers| timers.resumptions);
            *timers = entry
                .policy
                .liveness
                .as_deref()
                .map(|liveness| Box::new(LivenessTimers::begin(liveness, now, resumptions)));
            let due = timers.as_deref().and_then(LivenessTimers::next);
            self.children.set_deadline(key, due);
        }
    }
}
