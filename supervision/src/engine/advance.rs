//! Going through a round, and what is done when it is over.

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::{Engine, Mode};
use super::stop::is_error;
use super::transition::{Transition, TransitionKind};
use super::types::{Action, ChildKey, EngineReport, Event, RequestError, StartCause, State, SupervisorExit};
use crate::policy::Restart;

/// How many are told to stop in one go. They may be very many: by the time that the last one was told, the first would long have
/// been gone, and the supervisor would have heard nothing of it, nor of anything else.
pub(super) const BATCH: usize = 128;

impl Engine {
    pub(super) const fn is_first_round(&self) -> bool {
        matches!(&self.mode, Mode::InTransition(round) if round.is_first())
    }

    pub(super) const fn is_group_restart(&self) -> bool {
        matches!(&self.mode, Mode::InTransition(round) if matches!(round.kind, TransitionKind::GroupRestart))
    }

    pub(super) const fn is_going_down(&self) -> bool {
        matches!(&self.mode, Mode::InTransition(round) if round.is_last())
    }

    /// Whether it stops, or has stopped.
    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.mode, Mode::Ended) || self.is_going_down()
    }

    /// Returns the child whose start all others that are down wait for.
    pub(crate) fn awaited(&self) -> Option<ChildKey> {
        let Mode::InTransition(round) = &self.mode else { return None };
        let starts = |key| matches!(self.children.get(key)?.state, State::Starting { .. }).then_some(key);
        round.current.and_then(starts)
    }

    /// Returns `true` if the child is being stopped for another cause than that it hangs.
    pub(crate) fn is_dismissed(&self, key: ChildKey) -> bool {
        let state = self.children.get(key).map(|entry| &entry.state);
        matches!(state, Some(State::Stopping(stopping)) if !stopping.unresponsive)
    }

    /// Returns `true` if the supervisor has ended.
    pub(crate) const fn has_ended(&self) -> bool {
        matches!(self.mode, Mode::Ended)
    }

    pub(super) fn begin_round(&mut self, round: Transition) {
        self.mode = Mode::InTransition(round);
        if self.is_dynamic() {
            return self.go_on();
        }
        self.advance();
    }

    /// Goes on with the round until it has to wait for a child, or is over.
    pub(super) fn advance(&mut self) {
        if self.is_dynamic() {
            return self.end_when_empty();
        }
        loop {
            let Mode::InTransition(round) = &mut self.mode else { return };
            if let Some(&key) = round.stop.last() {
                if self.children.get(key).is_some_and(Entry::is_live) {
                    round.current = Some(key);
                    return self.stop(key);
                }
                round.stop.pop();
                self.skip_stopped(key);
            } else if let Some(key) = round.start.pop_front() {
                if self.children.get(key).is_some() {
                    round.current = Some(key);
                    return self.start(key, StartCause::Transition);
                }
            } else {
                return self.end_round();
            }
        }
    }

    /// Whether a round goes on, and it is this child that it waits for.
    pub(super) fn waits_for(&self, key: ChildKey) -> bool {
        matches!(&self.mode, Mode::InTransition(round) if round.current == Some(key) || self.is_dynamic())
    }

    /// Children that have nothing to do with each other stop all at once: nobody waits for another to be gone.
    pub(super) fn go_on(&mut self) {
        let Mode::InTransition(round) = &mut self.mode else { return };
        for key in round.stop.split_off(round.stop.len().saturating_sub(BATCH)).into_iter().rev() {
            if self.children.get(key).is_some_and(Entry::is_live) {
                self.stop(key);
            } else {
                self.skip_stopped(key);
            }
        }
        if matches!(&self.mode, Mode::InTransition(round) if !round.stop.is_empty()) {
            self.actions.push(Action::ContinueShutdown);
        }
        self.end_when_empty();
    }

    /// They have all been told, and are gone.
    fn end_when_empty(&mut self) {
        let told = matches!(&self.mode, Mode::InTransition(round) if round.stop.is_empty());
        if told && self.children.live() == 0 {
            self.end_round();
        }
    }

    /// The round comes by a child that is down: that was it (rule 4), and if it did not end as it would have been told to, that is
    /// reported as if it had been told. One that does not come back is gone: with its supervisor all of its spec do, in a
    /// group all but the temporary.
    pub(super) fn skip_stopped(&mut self, key: ChildKey) {
        let Some(entry) = self.children.get(key) else { return };
        if let State::Ended { reason } = &entry.state {
            if is_error(&entry.policy, reason) {
                self.actions
                    .push(Action::Report(EngineReport::ShutdownError { key, reason: reason.clone() }));
            }
        }
        let comes_back = if self.is_going_down() {
            !entry.added_at_runtime
        } else {
            entry.policy.restart != Restart::Temporary
        };
        if self.is_dynamic() || !comes_back {
            self.forget(key, &ExitReason::shutdown());
        } else {
            self.children.set(key, State::Stopped, None);
        }
    }

    /// The round is over: what it kept waiting comes up.
    pub(super) fn end_round(&mut self) {
        let Mode::InTransition(round) = std::mem::replace(&mut self.mode, Mode::Running) else { return };
        match round.kind {
            TransitionKind::InitialStart => self.actions.push(Action::Started),
            TransitionKind::GroupRestart | TransitionKind::ManualStart => {}
            TransitionKind::Shutdown(ending) => {
                self.mode = Mode::Ended;
                self.actions.push(Action::Exit { ending });
                return;
            }
        }
        self.process_deferred();
    }

    /// The start of this child by hand is over, which may have been a round of its own.
    pub(super) fn end_round_by_hand(&mut self, key: ChildKey) {
        if matches!(&self.mode, Mode::InTransition(Transition { kind: TransitionKind::ManualStart, current, .. }) if *current == Some(key))
        {
            self.end_round();
        }
    }

    /// Deals with what the round has kept waiting, until that begins another round.
    fn process_deferred(&mut self) {
        while matches!(self.mode, Mode::Running) {
            if self.decide_settled() {
                continue;
            }
            if let Some(key) = self.ended.pop_front() {
                // One that the round has dealt with is in another state by now.
                if let Some(State::Ended { reason }) = self.children.get(key).map(|entry| entry.state.clone())
                {
                    self.on_child_exit(key, reason);
                }
                continue;
            }
            match self.waiting.pop_front() {
                Some(Event::Retry { key, generation }) => self.on_retry(key, generation),
                Some(Event::Request { ticket, request }) => self.handle_request(ticket, request, false),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// A child did not start at first: those before it are taken down again, and the supervisor has not started.
    pub(super) fn fail_first_start(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Stopped, None);
        self.begin_shutdown(SupervisorExit::StartFailed { key, reason });
    }

    /// Somebody wants the supervisor down. The first reason counts.
    pub(super) fn on_shutdown(&mut self, reason: ExitReason, drains: bool) {
        match &self.mode {
            Mode::Ended => {}
            Mode::InTransition(round) if round.is_last() => {}
            Mode::Running | Mode::InTransition(_) => {
                self.drains = drains;
                self.begin_shutdown(SupervisorExit::Reason(reason));
            }
        }
    }

    /// Takes everybody down, in reverse order or at once, and ends (rule 6).
    pub(super) fn begin_shutdown(&mut self, ending: SupervisorExit) {
        self.actions.push(Action::GoDown);
        self.ended.clear();
        self.refuse_deferred();
        for event in std::mem::take(&mut self.waiting) {
            if let Event::Request { ticket, .. } = event {
                self.answer(ticket, Err(RequestError::ShuttingDown));
            }
        }
        self.begin_round(Transition::last(self.children.keys(), ending));
    }
}
