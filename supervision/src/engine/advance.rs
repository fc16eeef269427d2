//! Going through a round, and what is done when it is over.

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::{Engine, Mode};
use super::round::{Kind, Round};
use super::types::{Action, Cause, Ending, Key, State};
use crate::spec::Restart;

impl Engine {
    pub(super) const fn is_first_round(&self) -> bool {
        matches!(self.mode, Mode::Round(Round { kind: Kind::First, .. }))
    }

    pub(super) fn begin_round(&mut self, round: Round) {
        self.mode = Mode::Round(round);
        self.advance();
    }

    /// Goes on with the round until it has to wait for a child, or is over.
    pub(super) fn advance(&mut self) {
        loop {
            let Mode::Round(round) = &mut self.mode else { return };
            if let Some(&key) = round.stop.last() {
                if self.children.get(key).is_some_and(Entry::is_live) {
                    return self.stop(key);
                }
                round.stop.pop();
                self.pass_over(key);
            } else if let Some(key) = round.start.pop_front() {
                if self.children.get(key).is_some() {
                    return self.start(key, Cause::Round);
                }
            } else {
                return self.end_round();
            }
        }
    }

    /// The round comes by a child that is down already: that was it (rule 4).
    fn pass_over(&mut self, key: Key) {
        let Some(entry) = self.children.get(key) else { return };
        if entry.policy.restart == Restart::Temporary {
            self.put_down(key, &ExitReason::shutdown());
        } else {
            self.children.set(key, State::Stopped, None);
        }
    }

    /// The round is over: what it kept waiting comes up.
    pub(super) fn end_round(&mut self) {
        let Mode::Round(round) = std::mem::replace(&mut self.mode, Mode::Up) else { return };
        match round.kind {
            Kind::First => self.actions.push(Action::Up),
            Kind::Group => {}
            Kind::Last(ending) => {
                self.mode = Mode::Ended;
                self.actions.push(Action::Exit { ending });
                return;
            }
        }
        self.catch_up();
    }

    /// Deals with what the round has kept waiting, until that begins another round.
    fn catch_up(&mut self) {
        while matches!(self.mode, Mode::Up) {
            if let Some(key) = self.ended.pop_front() {
                // One that the round has dealt with is in another state by now.
                if let Some(State::Ended { reason }) = self.children.get(key).map(|entry| entry.state.clone())
                {
                    self.react(key, reason);
                }
            } else if let Some(request) = self.requests.pop_front() {
                self.grant(&request);
            } else {
                return;
            }
        }
    }

    /// A child did not start at first: those before it are taken down again, and the supervisor has not started.
    pub(super) fn fail_first_start(&mut self, key: Key, reason: ExitReason) {
        self.children.set(key, State::Stopped, None);
        self.go_down(Ending::StartFailed { key, reason });
    }

    /// Somebody wants the supervisor down. The first reason counts.
    pub(super) fn on_shutdown(&mut self, reason: ExitReason) {
        match &self.mode {
            Mode::Ended => {}
            Mode::Round(round) if round.is_last() => {}
            Mode::Up | Mode::Round(_) => self.go_down(Ending::Because(reason)),
        }
    }

    /// Takes everybody down in reverse order and ends (rule 6).
    pub(super) fn go_down(&mut self, ending: Ending) {
        self.ended.clear();
        for request in std::mem::take(&mut self.requests) {
            self.refuse(&request);
        }
        self.begin_round(Round::last(self.children.keys(..), ending));
    }
}
