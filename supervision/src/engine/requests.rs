//! What may be asked of a supervisor, and what it answers: OTP's management API, case by case.

use std::sync::Arc;

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::{Engine, Mode};
use super::round::Round;
use super::types::{Action, Cause, Event, Granted, Key, Policy, Refusal, Request, State, Target, Ticket};
use super::watch::Watch;
use crate::policy::{ChildPolicy, Kind, Strategy};

impl Engine {
    /// Requests are decided in order, and none while a round goes on. One that concerns a child in
    /// transition waits for it.
    pub(super) fn on_asked(&mut self, ticket: Ticket, request: Request) {
        match &self.mode {
            Mode::Up => self.grant(ticket, request, true),
            Mode::Round(round) if !round.is_last() => {
                self.waiting.push_back(Event::Asked { ticket, request })
            }
            Mode::Round(_) | Mode::Ended => self.answer(ticket, Err(Refusal::ShuttingDown)),
        }
    }

    /// Decides a request. The child that it concerns is not in transition, unless it is to be
    /// terminated.
    pub(super) fn decide(&mut self, ticket: Ticket, request: Request) {
        match request {
            Request::Start { id, policy } if self.is_dynamic() => {
                self.start_if_there_is_room(id, policy, ticket)
            }
            Request::Start { id, policy } => match self.children.find(&id) {
                Some(key) => self.answer(ticket, Err(self.present(key))),
                None => self.take_in(id, policy, ticket),
            },
            Request::Terminate(target) => match self.resolve(&target) {
                Some(key) => self.terminate(key, ticket),
                None => self.answer(ticket, Err(Refusal::NotFound)),
            },
            Request::Restart(target) => match self.stopped(&target) {
                Ok(key) => self.start_by_hand(key, Cause::Asked(ticket)),
                Err(refusal) => self.answer(ticket, Err(refusal)),
            },
            Request::Delete(target) => match self.stopped(&target) {
                Ok(key) => {
                    // It may have been due to be started with its group.
                    if self.children.get(key).is_some_and(|entry| entry.open) {
                        self.close(key, &ExitReason::shutdown());
                    }
                    self.children.remove(key);
                    self.answer(ticket, Ok(Granted::Deleted(key)));
                }
                Err(refusal) => self.answer(ticket, Err(refusal)),
            },
            Request::Change { policy, children } => self.change(policy, children, ticket),
        }
    }

    pub(super) fn resolve(&self, target: &Target) -> Option<Key> {
        match target {
            Target::Id(id) => self.children.find(id),
            Target::Key(key) => self.children.get(*key).map(|_| *key),
        }
    }

    /// A child that is down, with nobody due to start it.
    fn stopped(&self, target: &Target) -> Result<Key, Refusal> {
        let key = self.resolve(target).ok_or(Refusal::NotFound)?;
        match self.children.get(key).map(|entry| &entry.state) {
            None => Err(Refusal::NotFound),
            Some(State::Stopped) => Ok(key),
            Some(State::Restarting { .. } | State::Ended { .. }) => Err(Refusal::Restarting),
            // One that hangs, too: it runs until it has ended.
            Some(State::Starting { .. } | State::Running { .. } | State::Stopping(_)) => {
                Err(Refusal::Running(key))
            }
        }
    }

    pub(super) fn take_in(&mut self, id: Arc<str>, policy: ChildPolicy, ticket: Ticket) {
        let by_id = !self.is_dynamic();
        let key = self.children.add(id, policy, by_id, true);
        self.actions.push(Action::Admit { key, ticket });
        self.start_by_hand(key, Cause::Brought(ticket));
    }

    /// Returns why a child cannot be started that has the id of this one.
    fn present(&self, key: Key) -> Refusal {
        if self.children.get(key).is_some_and(Entry::is_live) {
            Refusal::AlreadyStarted(key)
        } else {
            Refusal::AlreadyPresent
        }
    }

    /// Counts for no intensity, and is not tried again if it fails. If its siblings have to do with it, nothing happens to them
    /// while it starts: it is a round.
    fn start_by_hand(&mut self, key: Key, cause: Cause) {
        if !self.is_each_alone() {
            self.mode = Mode::Round(Round::by_hand(key));
        }
        self.start(key, cause);
    }

    /// Whether its children have nothing to do with each other.
    const fn is_each_alone(&self) -> bool {
        matches!(self.policy.kind, Kind::Dynamic { .. } | Kind::Static { strategy: Strategy::OneForOne, .. })
    }

    /// OTP's `terminate_child`.
    fn terminate(&mut self, key: Key, ticket: Ticket) {
        let Some(entry) = self.children.get(key) else {
            return self.answer(ticket, Err(Refusal::NotFound));
        };
        if !entry.is_live() {
            let takes_others_along = entry.is_active() && !self.is_each_alone();
            self.put_down(key, &ExitReason::shutdown());
            if takes_others_along {
                self.close_whom_nobody_will_start();
            }
            return self.answer(ticket, Ok(Granted::Done));
        }
        self.stop(key);
        if let Some(State::Stopping(stopping)) = self.children.get_mut(key).map(|entry| &mut entry.state) {
            stopping.asked.push(ticket);
        }
    }

    /// Who is known keeps running, by what is said of it now. Who is new is taken in, and not started. Who is not mentioned stays.
    fn change(&mut self, policy: Policy, children: Vec<(Arc<str>, ChildPolicy)>, ticket: Ticket) {
        self.window.change(policy.intensity);
        self.policy = Policy { seed: self.policy.seed, ..policy };
        self.children.all_are_brought();
        for (id, policy) in children {
            match self.children.find(&id) {
                Some(key) => self.change_child(key, policy),
                None => {
                    let key = self.children.add(id, policy, true, false);
                    self.actions.push(Action::Admit { key, ticket });
                }
            }
        }
        self.close_whom_nobody_will_start();
        self.answer(ticket, Ok(Granted::Done));
    }

    /// Those that a group restart has not got to wait with open mailboxes for it to be tried again. If it is not going to be, they
    /// wait no longer.
    fn close_whom_nobody_will_start(&mut self) {
        let restarting =
            |(key, entry): (Key, &Entry)| matches!(entry.state, State::Restarting { .. }).then_some(key);
        let first = match self.policy.kind {
            Kind::Dynamic { .. } | Kind::Static { strategy: Strategy::OneForOne, .. } => None,
            Kind::Static { strategy: Strategy::OneForAll, .. } => {
                self.children.iter().find_map(restarting).map(|_| Key(0))
            }
            Kind::Static { strategy: Strategy::RestForOne, .. } => self.children.iter().find_map(restarting),
        };
        let idle = |entry: &Entry| entry.open && matches!(entry.state, State::Stopped);
        let waits = |key| first.is_some_and(|first| key >= first);
        let over: Vec<Key> = self
            .children
            .iter()
            .filter(|(key, entry)| !waits(*key) && idle(entry))
            .map(|(key, _)| key)
            .collect();
        over.into_iter().for_each(|key| self.close(key, &ExitReason::shutdown()));
    }

    fn change_child(&mut self, key: Key, policy: ChildPolicy) {
        let now = self.now;
        let Some(entry) = self.children.get_mut(key) else { return };
        // A worker stays a worker, whatever has the same id now.
        entry.policy = policy.of_existing(&entry.policy);
        entry.brought = false;
        if let State::Running { watch, .. } = &mut entry.state {
            let resumptions = watch.as_deref().map_or(0, |watch| watch.resumptions);
            *watch = entry
                .policy
                .liveness
                .as_deref()
                .map(|liveness| Box::new(Watch::begin(liveness, now, resumptions)));
            let due = watch.as_deref().and_then(Watch::next);
            self.children.set_deadline(key, due);
        }
    }
}
