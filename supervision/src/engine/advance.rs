//! The steps of a transition, and what happens when it is complete.

use std::collections::VecDeque;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::Engine;
use super::state::{Mode, StartCause, State, Transition, TransitionKind};
use super::stop::is_error;
use super::types::{Action, ChildKey, Event, RequestError, SupervisorExit};
use crate::policy::Restart;
use crate::report::ReportKind;

/// The number of children that a dynamic supervisor stops in one batch. There may be very many:
/// without batches, the first would have exited long before the last one was asked to stop, and the
/// supervisor would handle no message in between.
pub(super) const BATCH: usize = 128;

impl Engine {
    /// Returns the purpose of the current transition.
    const fn transition_kind(&self) -> Option<&TransitionKind> {
        match &self.mode {
            Mode::InTransition(transition) => Some(&transition.kind),
            Mode::Running | Mode::Ended => None,
        }
    }

    pub(super) const fn is_initial_start(&self) -> bool {
        matches!(self.transition_kind(), Some(TransitionKind::InitialStart))
    }

    pub(super) const fn is_group_restart(&self) -> bool {
        matches!(self.transition_kind(), Some(TransitionKind::GroupRestart))
    }

    pub(super) const fn is_shutting_down(&self) -> bool {
        matches!(self.transition_kind(), Some(TransitionKind::Shutdown(_)))
    }

    /// Returns `true` if the supervisor shuts down or has ended.
    pub(crate) const fn is_stopping_or_ended(&self) -> bool {
        self.has_ended() || self.is_shutting_down()
    }

    /// Returns the child whose start all other stopped children wait for.
    pub(crate) fn awaited(&self) -> Option<ChildKey> {
        let Mode::InTransition(transition) = &self.mode else { return None };
        let starts = |key| matches!(self.children.get(key)?.state, State::Starting { .. }).then_some(key);
        transition.current.and_then(starts)
    }

    /// Returns `true` if the child is being stopped, unless that is because it is unresponsive.
    pub(crate) fn is_stopped_in_order(&self, key: ChildKey) -> bool {
        let state = self.children.get(key).map(|entry| &entry.state);
        matches!(state, Some(State::Stopping(stopping)) if !stopping.unresponsive)
    }

    /// Returns `true` if the supervisor has ended.
    pub(crate) const fn has_ended(&self) -> bool {
        matches!(self.mode, Mode::Ended)
    }

    /// Stops some children, the last one first, and then starts some, the first one first.
    pub(super) fn begin_transition(
        &mut self,
        kind: TransitionKind,
        stop: Vec<ChildKey>,
        start: VecDeque<ChildKey>,
    ) {
        self.mode = Mode::InTransition(Transition { kind, stop, start, current: None });
        if self.is_dynamic() {
            return self.stop_next_batch();
        }
        self.advance();
    }

    /// Continues the transition until it waits for a child or is complete.
    pub(super) fn advance(&mut self) {
        if self.is_dynamic() {
            return self.end_when_empty();
        }
        loop {
            let Mode::InTransition(transition) = &mut self.mode else { return };
            if let Some(&key) = transition.stop.last() {
                if self.children.get(key).is_some_and(Entry::is_live) {
                    transition.current = Some(key);
                    return self.stop(key);
                }
                transition.stop.pop();
                self.skip_stopped(key);
            } else if let Some(key) = transition.start.pop_front() {
                if self.children.get(key).is_some() {
                    transition.current = Some(key);
                    if !self.exceeds_start_limit(key, Duration::ZERO) {
                        return self.start(key, StartCause::Transition);
                    }
                    self.fail(key, ExitReason::shutdown());
                }
            } else {
                return self.end_transition();
            }
        }
    }

    /// Returns `true` if the current transition waits for this child.
    pub(super) fn waits_for(&self, key: ChildKey) -> bool {
        matches!(&self.mode, Mode::InTransition(transition) if transition.current == Some(key) || self.is_dynamic())
    }

    /// Stops the next batch of a dynamic supervisor's children. They are independent, so none waits
    /// for the exit of another.
    pub(super) fn stop_next_batch(&mut self) {
        let Mode::InTransition(transition) = &mut self.mode else { return };
        for key in transition.stop.split_off(transition.stop.len().saturating_sub(BATCH)).into_iter().rev() {
            if self.children.get(key).is_some_and(Entry::is_live) {
                self.stop(key);
            } else {
                self.skip_stopped(key);
            }
        }
        if matches!(&self.mode, Mode::InTransition(transition) if !transition.stop.is_empty()) {
            self.actions.push(Action::ContinueShutdown);
        }
        self.end_when_empty();
    }

    /// Completes the transition when all children were asked to stop and have exited.
    fn end_when_empty(&mut self) {
        let all_notified = matches!(&self.mode, Mode::InTransition(transition) if transition.stop.is_empty());
        if all_notified && self.children.live() == 0 {
            self.end_transition();
        }
    }

    /// Handles a child that is already down when the transition reaches it (rule 4). An exit for
    /// another reason than the requested one is reported as if the child had been asked to stop. A
    /// child that is not kept is removed. A shutdown keeps the children of the spec, and a group
    /// restart keeps all but the temporary ones.
    pub(super) fn skip_stopped(&mut self, key: ChildKey) {
        let Some(entry) = self.children.get(key) else { return };
        let is_kept = if self.is_shutting_down() {
            !entry.added_at_runtime
        } else {
            entry.policy.restart != Restart::Temporary
        };
        match &entry.state {
            State::Ended { reason } | State::CheckingCondition { reason, has_exited: true }
                if is_error(&entry.policy, reason) =>
            {
                let reason = reason.clone();
                self.report(key, ReportKind::ShutdownError { reason });
            }
            _ => {}
        }
        if self.is_dynamic() || !is_kept {
            self.forget(key, &ExitReason::shutdown());
        } else {
            self.children.set(key, State::Stopped, None);
        }
    }

    /// Completes the transition, and handles the events that it deferred.
    pub(super) fn end_transition(&mut self) {
        let Mode::InTransition(transition) = std::mem::replace(&mut self.mode, Mode::Running) else { return };
        match transition.kind {
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

    /// Completes the start of a child by request, if that was a transition of its own.
    pub(super) fn end_manual_start(&mut self, key: ChildKey) {
        if matches!(self.transition_kind(), Some(TransitionKind::ManualStart)) && self.waits_for(key) {
            self.end_transition();
        }
    }

    /// Handles the events that the transition deferred, until one of them begins another
    /// transition.
    fn process_deferred(&mut self) {
        while matches!(self.mode, Mode::Running) {
            if self.decide_next_finished() {
                continue;
            }
            if let Some(key) = self.ended.pop_front() {
                // The transition may have handled the child, which is in another state then.
                if let Some(State::Ended { reason }) = self.children.get(key).map(|entry| entry.state.clone())
                {
                    self.on_child_exit(key, reason);
                }
                continue;
            }
            match self.waiting.pop_front() {
                Some(Event::Retry { key, generation }) => self.on_retry(key, generation),
                Some(Event::ConditionChecked { key, generation, restarts }) => {
                    self.on_condition_checked(key, generation, restarts);
                }
                Some(Event::Request { ticket, request }) => self.handle_request(ticket, request, false),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// The initial start failed at this child. The supervisor stops the children that have started,
    /// and its start fails.
    pub(super) fn fail_initial_start(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Stopped, None);
        self.begin_shutdown(SupervisorExit::StartFailed { key, reason });
    }

    /// Handles a request to shut down. Only the first reason counts.
    pub(super) fn on_shutdown(&mut self, reason: ExitReason, drains: bool) {
        if !self.is_stopping_or_ended() {
            self.drains = drains;
            self.begin_shutdown(SupervisorExit::Reason(reason));
        }
    }

    /// Stops all children, in reverse start order or all at once, and ends the supervisor (rule 6).
    /// Marked children stop before all others.
    pub(super) fn begin_shutdown(&mut self, ending: SupervisorExit) {
        self.actions.push(Action::BeginShutdown);
        self.ended.clear();
        self.refuse_deferred();
        for event in std::mem::take(&mut self.waiting) {
            if let Event::Request { ticket, .. } = event {
                self.answer(ticket, Err(RequestError::ShuttingDown));
            }
        }
        let mut stop = self.children.keys();
        if !self.is_dynamic() {
            // The last one stops first. Otherwise the start order counts.
            stop.sort_by_key(|key| self.children.get(*key).is_some_and(|entry| entry.policy.stops_first));
        }
        self.begin_transition(TransitionKind::Shutdown(ending), stop, VecDeque::new());
    }
}
