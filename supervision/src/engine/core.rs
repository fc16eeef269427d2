//! The engine: events in, actions out.

use std::collections::VecDeque;

use perennial_actors::ExitReason;

use super::children::Children;
use super::intensity::Window;
use super::round::Round;
use super::types::{
    Action, Cause, ChildPolicy, Ending, Event, Key, Policy, Refusal, Report, Run, State, Ticket, Time,
};
use crate::spec::Strategy;

/// What the supervisor as a whole is doing.
#[derive(Debug)]
pub(super) enum Mode {
    /// It reacts.
    Up,
    /// It brings some children down and others up.
    Round(Round),
    /// It is over.
    Ended,
}

/// A supervisor's decisions. See the [module](super) for its rules.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) strategy: Strategy,
    pub(super) window: Window,
    pub(super) children: Children,
    pub(super) mode: Mode,
    /// Requests that wait for the round to end.
    pub(super) requests: VecDeque<Event>,
    /// Children that ended while a round went on, first ended first (rule 4).
    pub(super) ended: VecDeque<Key>,
    pub(super) actions: Vec<Action>,
    pub(super) now: Time,
    next_run: u32,
}

impl Engine {
    /// An engine for children with the keys 0, 1, 2 ... in start order.
    pub(crate) fn new(
        policy: Policy,
        children: impl IntoIterator<Item = ChildPolicy>,
        first_run: u32,
    ) -> Self {
        let mut table = Children::default();
        for (index, child) in (0..).zip(children) {
            table.add(Key(index), child);
        }
        Self {
            strategy: policy.strategy,
            window: Window::new(policy.intensity),
            children: table,
            mode: Mode::Up,
            requests: VecDeque::new(),
            ended: VecDeque::new(),
            actions: Vec::new(),
            now: Time::ZERO,
            next_run: first_run,
        }
    }

    /// What is to be done about an event that happens at `now`.
    pub(crate) fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Begin => self.begin_round(Round::first(self.children.keys(..))),
            Event::Started { key, run } => self.on_started(key, run),
            Event::StartFailed { key, run, reason } => self.on_start_failed(key, run, reason),
            Event::Ended { key, run, reason } => self.on_ended(key, run, reason),
            Event::Retry { key, generation } => self.on_retry(key, generation),
            Event::Tick => self.on_tick(),
            Event::Terminate { .. } | Event::Restart { .. } => self.on_request(event),
            Event::Shutdown { reason } => self.on_shutdown(reason),
        }
        std::mem::take(&mut self.actions)
    }

    /// When to send a [`Event::Tick`], if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.children.next_deadline()
    }

    /// The number of the next run, for the engine that comes after this one.
    pub(crate) const fn next_run(&self) -> u32 {
        self.next_run
    }

    /// What each child is doing and how often it was restarted, in start order.
    pub(crate) fn states(&self) -> impl Iterator<Item = (Key, &State, u64)> {
        self.children.iter().map(|(key, entry)| (key, &entry.state, entry.restarts))
    }

    fn on_started(&mut self, key: Key, run: Run) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.runs(run)) else { return };
        // A child that is being stopped is not up, whatever it says.
        let State::Starting { cause, .. } = entry.state else { return };
        self.children.set(key, State::Running { run }, None);
        match cause {
            Cause::Round => self.advance(),
            Cause::Restart => {}
            Cause::Request(ticket) => self.answer(ticket, Ok(())),
        }
    }

    fn on_start_failed(&mut self, key: Key, run: Run, reason: ExitReason) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.runs(run)) else { return };
        match entry.state {
            State::Starting { cause, late, .. } => {
                let reason = if late { ExitReason::StartTimedOut } else { reason };
                self.start_failed(key, cause, reason);
            }
            _ => self.on_stopped(key, false),
        }
    }

    pub(super) fn start_failed(&mut self, key: Key, cause: Cause, reason: ExitReason) {
        match cause {
            Cause::Round if self.is_first_round() => self.fail_first_start(key, reason),
            Cause::Round => {
                self.try_again_later(key, reason);
                self.end_round();
            }
            Cause::Restart => self.try_again_later(key, reason),
            Cause::Request(ticket) => {
                self.put_down(key, &reason);
                self.answer(ticket, Err(Refusal::StartFailed(reason)));
            }
        }
    }

    /// Through the inbox (rule 5).
    fn try_again_later(&mut self, key: Key, reason: ExitReason) {
        self.children.set(key, State::Restarting { reason }, None);
        if let Some(entry) = self.children.get(key) {
            self.actions.push(Action::Retry { key, generation: entry.generation });
        }
    }

    fn on_retry(&mut self, key: Key, generation: u32) {
        if !matches!(self.mode, Mode::Up) {
            // The round that goes on now deals with the child, or this comes back when it is over.
            let waits = self.children.get(key).is_some_and(|entry| entry.generation == generation);
            if waits {
                self.requests.push_back(Event::Retry { key, generation });
            }
            return;
        }
        let Some(entry) = self.children.get(key) else { return };
        if entry.generation == generation {
            self.restart(key);
        }
    }

    fn on_ended(&mut self, key: Key, run: Run, reason: ExitReason) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.runs(run)) else { return };
        if matches!(entry.state, State::Stopping { .. }) {
            self.on_stopped(key, false);
        } else if matches!(self.mode, Mode::Up) {
            self.react(key, reason);
        } else {
            self.children.set(key, State::Ended { reason }, None);
            self.ended.push_back(key);
        }
    }

    /// A child ended by itself (rule 1).
    pub(super) fn react(&mut self, key: Key, reason: ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        if entry.policy.restart.wants(&reason) {
            self.children.set(key, State::Restarting { reason }, None);
            self.restart(key);
        } else {
            self.put_down(key, &reason);
        }
    }

    /// Restarts a child and those that its strategy names, or gives up (rule 2).
    fn restart(&mut self, key: Key) {
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Restarting { reason } = &entry.state else { return };
        if !self.window.record(self.now) {
            return self.give_up(key);
        }
        entry.restarts += 1;
        self.actions.push(Action::Report(Report::Restarting { key, reason: reason.clone() }));
        match self.strategy {
            Strategy::OneForOne => self.start(key, Cause::Restart),
            Strategy::OneForAll => self.begin_round(Round::group(self.children.keys(..))),
            Strategy::RestForOne => self.begin_round(Round::group(self.children.keys(key..))),
        }
    }

    fn give_up(&mut self, key: Key) {
        self.actions.push(Action::Report(Report::GaveUp { key }));
        self.children.set(key, State::Stopped, None);
        let reason = ExitReason::shutdown_because("reached the maximum restart intensity");
        self.go_down(Ending::Because(reason));
    }

    pub(super) fn start(&mut self, key: Key, cause: Cause) {
        let Some(entry) = self.children.get(key) else { return };
        let run = Run(self.next_run);
        self.next_run = self.next_run.wrapping_add(1);
        let deadline = entry.policy.start_timeout.map(|timeout| self.now + timeout);
        self.children.set(key, State::Starting { run, cause, late: false }, deadline);
        self.actions.push(Action::Start { key, run });
    }

    fn on_request(&mut self, request: Event) {
        match self.mode {
            Mode::Up => self.grant(&request),
            Mode::Round(ref round) if !round.is_last() => self.requests.push_back(request),
            Mode::Round(_) | Mode::Ended => self.refuse(&request),
        }
    }

    pub(super) fn refuse(&mut self, request: &Event) {
        if let Event::Terminate { ticket, .. } | Event::Restart { ticket, .. } = request {
            self.answer(*ticket, Err(Refusal::ShuttingDown));
        }
    }

    pub(super) fn grant(&mut self, request: &Event) {
        match *request {
            Event::Terminate { key, ticket } => self.terminate(key, ticket),
            Event::Restart { key, ticket } => self.start_by_hand(key, ticket),
            Event::Retry { key, generation } => self.on_retry(key, generation),
            _ => {}
        }
    }

    /// OTP's `restart_child`: counts for nothing, and is not tried again if it fails.
    fn start_by_hand(&mut self, key: Key, ticket: Ticket) {
        let refusal = match self.children.get(key).map(|entry| &entry.state) {
            None => Refusal::NotFound,
            Some(State::Stopped) => return self.start(key, Cause::Request(ticket)),
            Some(State::Restarting { .. } | State::Ended { .. }) => Refusal::Restarting,
            Some(State::Starting { .. } | State::Running { .. } | State::Stopping { .. }) => Refusal::Running,
        };
        self.answer(ticket, Err(refusal));
    }

    /// The child is down, and nobody is due to start it. A temporary one is gone.
    pub(super) fn put_down(&mut self, key: Key, reason: &ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        self.actions.push(Action::Close { key, reason: reason.clone() });
        if entry.policy.restart == crate::spec::Restart::Temporary {
            self.children.remove(key);
        } else {
            self.children.set(key, State::Stopped, None);
        }
    }

    pub(super) fn answer(&mut self, ticket: Ticket, result: Result<(), Refusal>) {
        self.actions.push(Action::Answer { ticket, result });
    }
}
