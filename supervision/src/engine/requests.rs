//! What may be asked of a supervisor, and what it answers: OTP's management API, case by case.

use std::sync::Arc;

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::{Engine, Mode};
use super::liveness_timers::LivenessTimers;
use super::transition::Transition;
use super::types::{
    Action, ChildKey, Event, Policy, Request, RequestError, RequestId, RequestOk, StartCause, State, Target,
};
use crate::policy::{ChildPolicy, Strategy, SupervisorKind};

impl Engine {
    /// Requests are decided in order, and none while a round goes on. One that concerns a child in
    /// transition waits for it.
    pub(super) fn on_asked(&mut self, ticket: RequestId, request: Request) {
        match &self.mode {
            Mode::Running => self.handle_request(ticket, request, true),
            Mode::InTransition(round) if !round.is_last() => {
                self.waiting.push_back(Event::Request { ticket, request })
            }
            Mode::InTransition(_) | Mode::Ended => self.answer(ticket, Err(RequestError::ShuttingDown)),
        }
    }

    /// Decides a request. The child that it concerns is not in transition, unless it is to be
    /// terminated.
    pub(super) fn decide(&mut self, ticket: RequestId, request: Request) {
        match request {
            Request::Start { id, policy } if self.is_dynamic() => {
                self.start_if_there_is_room(id, policy, ticket)
            }
            Request::Start { id, policy } => match self.children.find(&id) {
                Some(key) => self.answer(ticket, Err(self.present(key))),
                None => self.add_child(id, policy, ticket),
            },
            Request::Terminate(target) => match self.resolve(&target) {
                Some(key) => self.terminate(key, ticket),
                None => self.answer(ticket, Err(RequestError::NotFound)),
            },
            Request::Restart(target) => match self.stopped(&target) {
                Ok(key) => self.start_by_hand(key, StartCause::RestartChild(ticket)),
                Err(refusal) => self.answer(ticket, Err(refusal)),
            },
            Request::Delete(target) => match self.stopped(&target) {
                Ok(key) => {
                    // It may have been due to be started with its group.
                    if self.children.get(key).is_some_and(|entry| entry.mailbox_open) {
                        self.close(key, &ExitReason::shutdown());
                    }
                    self.children.remove(key);
                    self.answer(ticket, Ok(RequestOk::Deleted(key)));
                }
                Err(refusal) => self.answer(ticket, Err(refusal)),
            },
            Request::Change { policy, children } => self.change(policy, children, ticket),
        }
    }

    pub(super) fn resolve(&self, target: &Target) -> Option<ChildKey> {
        match target {
            Target::Id(id) => self.children.find(id),
            Target::Key(key) => self.children.get(*key).map(|_| *key),
        }
    }

    /// A child that is down, with nobody due to start it.
    fn stopped(&self, target: &Target) -> Result<ChildKey, RequestError> {
        let key = self.resolve(target).ok_or(RequestError::NotFound)?;
        match self.children.get(key).map(|entry| &entry.state) {
            None => Err(RequestError::NotFound),
            Some(State::Stopped) => Ok(key),
            Some(State::Restarting { .. } | State::Ended { .. }) => Err(RequestError::Restarting),
            // One that hangs, too: it runs until it has ended.
            Some(State::Starting { .. } | State::Running { .. } | State::Stopping(_)) => {
                Err(RequestError::Running(key))
            }
        }
    }

    pub(super) fn add_child(&mut self, id: Arc<str>, policy: ChildPolicy, ticket: RequestId) {
        let by_id = !self.is_dynamic();
        let key = self.children.add(id, policy, by_id, true);
        self.actions.push(Action::Admit { key, ticket });
        self.start_by_hand(key, StartCause::StartChild(ticket));
    }

    /// Returns why a child cannot be started that has the id of this one.
    fn present(&self, key: ChildKey) -> RequestError {
        if self.children.get(key).is_some_and(Entry::is_live) {
            RequestError::AlreadyStarted(key)
        } else {
            RequestError::AlreadyPresent
        }
    }

    /// Counts for no intensity, and is not tried again if it fails. If its siblings have to do with it, nothing happens to them
    /// while it starts: it is a round.
    fn start_by_hand(&mut self, key: ChildKey, cause: StartCause) {
        if !self.children_are_independent() {
            self.mode = Mode::InTransition(Transition::by_hand(key));
        }
        self.start(key, cause);
    }

    /// Whether its children have nothing to do with each other.
    const fn children_are_independent(&self) -> bool {
        matches!(
            self.policy.kind,
            SupervisorKind::Dynamic { .. } | SupervisorKind::Static { strategy: Strategy::OneForOne, .. }
        )
    }

    /// OTP's `terminate_child`.
    fn terminate(&mut self, key: ChildKey, ticket: RequestId) {
        let Some(entry) = self.children.get(key) else {
            return self.answer(ticket, Err(RequestError::NotFound));
        };
        if !entry.is_live() {
            let takes_others_along = entry.is_active() && !self.children_are_independent();
            self.mark_stopped(key, &ExitReason::shutdown());
            if takes_others_along {
                self.close_unscheduled();
            }
            return self.answer(ticket, Ok(RequestOk::Done));
        }
        self.stop(key);
        if let Some(State::Stopping(stopping)) = self.children.get_mut(key).map(|entry| &mut entry.state) {
            stopping.stop_waiters.push(ticket);
        }
    }

    /// Who is known keeps running, by what is said of it now. Who is new is taken in, and not started. Who is not mentioned stays.
    fn change(&mut self, policy: Policy, children: Vec<(Arc<str>, ChildPolicy)>, ticket: RequestId) {
        self.window.change(policy.intensity);
        self.policy = Policy { seed: self.policy.seed, ..policy };
        self.children.mark_all_added();
        for (id, policy) in children {
            match self.children.find(&id) {
                Some(key) => self.change_child(key, policy),
                None => {
                    let key = self.children.add(id, policy, true, false);
                    self.actions.push(Action::Admit { key, ticket });
                }
            }
        }
        self.close_unscheduled();
        self.answer(ticket, Ok(RequestOk::Done));
    }

    /// Those that a group restart has not got to wait with open mailboxes for it to be tried again. If it is not going to be, they
    /// wait no longer.
    fn close_unscheduled(&mut self) {
        let restarting =
            |(key, entry): (ChildKey, &Entry)| matches!(entry.state, State::Restarting { .. }).then_some(key);
        let first = match self.policy.kind {
            SupervisorKind::Dynamic { .. } | SupervisorKind::Static { strategy: Strategy::OneForOne, .. } => {
                None
            }
            SupervisorKind::Static { strategy: Strategy::OneForAll, .. } => {
                self.children.iter().find_map(restarting).map(|_| ChildKey(0))
            }
            SupervisorKind::Static { strategy: Strategy::RestForOne, .. } => {
                self.children.iter().find_map(restarting)
            }
        };
        let idle = |entry: &Entry| entry.mailbox_open && matches!(entry.state, State::Stopped);
        let waits = |key| first.is_some_and(|first| key >= first);
        let over: Vec<ChildKey> = self
            .children
            .iter()
            .filter(|(key, entry)| !waits(*key) && idle(entry))
            .map(|(key, _)| key)
            .collect();
        over.into_iter().for_each(|key| self.close(key, &ExitReason::shutdown()));
    }

    fn change_child(&mut self, key: ChildKey, policy: ChildPolicy) {
        let now = self.now;
        let Some(entry) = self.children.get_mut(key) else { return };
        // A worker stays a worker, whatever has the same id now.
        entry.policy = policy.of_existing(&entry.policy);
        entry.added_at_runtime = false;
        if let State::Running { watch, .. } = &mut entry.state {
            let resumptions = watch.as_deref().map_or(0, |watch| watch.resumptions);
            *watch = entry
                .policy
                .liveness
                .as_deref()
                .map(|liveness| Box::new(LivenessTimers::begin(liveness, now, resumptions)));
            let due = watch.as_deref().and_then(LivenessTimers::next);
            self.children.set_deadline(key, due);
        }
    }
}
