//! The engine: its state, and the events of starts and exits.

use std::collections::VecDeque;
use std::sync::Arc;

use perennial_actors::ExitReason;

use super::children::Children;
use super::intensity::RestartWindow;
use super::state::{LivenessTimers, Mode, StartCause, State, TransitionKind};
use super::types::{Action, ChildKey, Event, Policy, RequestError, RequestId, RequestOk, StartId, Time};
use crate::policy::{ChildPolicy, Restart, Strategy, SupervisorKind};
use crate::report::ReportKind;

/// The decisions of one incarnation of a supervisor. See the [module](super) for the rules.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) policy: Policy,
    pub(super) window: RestartWindow,
    pub(super) children: Children,
    pub(super) mode: Mode,
    /// Requests and retries that wait for the transition to complete.
    pub(super) waiting: VecDeque<Event>,
    /// Children that exited during a transition, in the order of their exits (rule 4).
    pub(super) ended: VecDeque<ChildKey>,
    pub(super) actions: Vec<Action>,
    pub(super) now: Time,
    /// The id of the next probe.
    pub(super) next_probe_id: u32,
    /// `true` if children drain in the current shutdown: no other incarnation follows.
    pub(super) drains: bool,
    next_run: StartId,
}

impl Engine {
    /// Creates an engine for children with the keys 0, 1, 2 ... in start order.
    pub(crate) fn new(
        policy: Policy,
        children: impl IntoIterator<Item = (Arc<str>, impl Into<Arc<ChildPolicy>>)>,
        first_run: StartId,
    ) -> Self {
        let mut table = Children::default();
        if matches!(policy.kind, SupervisorKind::Dynamic { max_children } if max_children < usize::MAX) {
            table.transitions.enable_numbering();
        }
        for (id, child) in children {
            let key = table.add(id, child.into(), true, false);
            // All mailboxes of a tree are open before its first child starts.
            table.get_mut(key).into_iter().for_each(|entry| entry.mailbox_open = true);
        }
        Self {
            policy,
            window: RestartWindow::new(policy.intensity),
            children: table,
            mode: Mode::Running,
            waiting: VecDeque::new(),
            ended: VecDeque::new(),
            actions: Vec::new(),
            now: Time::ZERO,
            next_probe_id: 0,
            drains: false,
            next_run: first_run,
        }
    }

    /// Handles an event that happens at `now`. Returns the actions to perform, in order.
    pub(crate) fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Begin => {
                let start = self.children.keys().into();
                self.begin_transition(TransitionKind::InitialStart, Vec::new(), start);
            }
            Event::Started { key, run } => self.on_started(key, run),
            Event::StartFailed { key, run, reason } => self.on_start_failed(key, run, reason),
            Event::Ended { key, run, reason } => self.on_ended(key, run, reason),
            Event::Retry { key, generation } => self.on_retry(key, generation),
            Event::ConditionChecked { key, generation, restarts } => {
                self.on_condition_checked(key, generation, restarts);
            }
            Event::ContinueShutdown if self.is_dynamic() => self.stop_next_batch(),
            Event::ContinueShutdown => {}
            Event::Tick => self.on_tick(),
            Event::BusyChecked { key, run, busy, last_ping, suspensions } => {
                self.on_busy_checked(key, run, busy, last_ping, suspensions)
            }
            Event::Probed { key, run, probe_id, answered } => self.on_probed(key, run, probe_id, answered),
            Event::Request { ticket, request } => self.on_request(ticket, request),
            Event::Shutdown { reason, drains } => self.on_shutdown(reason, drains),
        }
        self.decide_deferred();
        std::mem::take(&mut self.actions)
    }

    /// Uses the memory of past actions for those of the next step.
    pub(crate) fn reuse(&mut self, spare: Vec<Action>) {
        if self.actions.capacity() == 0 && spare.is_empty() {
            self.actions = spare;
        }
    }

    /// Returns when an [`Event::Tick`] is due, if no other event comes first.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.children.next_deadline()
    }

    /// Returns the first start id for the engine of the next incarnation.
    pub(crate) const fn next_run(&self) -> StartId {
        self.next_run
    }

    pub(super) const fn is_dynamic(&self) -> bool {
        matches!(self.policy.kind, SupervisorKind::Dynamic { .. })
    }

    /// Returns the strategy. The children of a dynamic supervisor do not depend on each other.
    pub(super) const fn strategy(&self) -> Strategy {
        match self.policy.kind {
            SupervisorKind::Static { strategy, .. } => strategy,
            SupervisorKind::Dynamic { .. } => Strategy::OneForOne,
        }
    }

    fn on_started(&mut self, key: ChildKey, run: StartId) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.is_current(run)) else { return };
        // A child that is being stopped, or killed after its start timeout, does not become a
        // running one.
        let State::Starting { cause, timed_out: false, .. } = entry.state else { return };
        self.on_first_start(key);
        let Some(entry) = self.children.get(key) else { return };
        let timers =
            entry.policy.liveness.as_deref().map(|liveness| LivenessTimers::begin(liveness, self.now, 0));
        let due = timers.as_ref().and_then(LivenessTimers::next);
        let state = State::Running { run, since: self.now, timers: timers.map(Box::new) };
        self.children.set(key, state, due);
        self.report(key, ReportKind::Started);
        self.start_done(key, cause, RequestOk::Started(key));
    }

    /// Continues after a start that succeeded, or that the child declined.
    fn start_done(&mut self, key: ChildKey, cause: StartCause, outcome: RequestOk) {
        match cause {
            StartCause::Transition => self.advance(),
            StartCause::Restart => {}
            StartCause::FirstStart => self.end_manual_start(key),
            StartCause::RestartChild(ticket) | StartCause::StartChild(ticket) => {
                self.answer_start(key, ticket, Ok(outcome));
            }
        }
    }

    /// Answers the request that started a child.
    fn answer_start(&mut self, key: ChildKey, ticket: RequestId, result: Result<RequestOk, RequestError>) {
        self.answer(ticket, result);
        self.end_manual_start(key);
    }

    fn on_start_failed(&mut self, key: ChildKey, run: StartId, reason: ExitReason) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.is_current(run)) else { return };
        match entry.state {
            State::Starting { cause, timed_out: true, .. } => {
                self.start_failed(key, cause, ExitReason::StartTimedOut);
            }
            // The child declined to start. That is no failure: it stays stopped, and nothing is
            // retried.
            State::Starting { cause, .. } if matches!(reason, ExitReason::Ignore) => {
                self.mark_stopped(key, &ExitReason::Ignore);
                self.start_done(key, cause, RequestOk::Ignored);
            }
            State::Starting { cause, .. } => self.start_failed(key, cause, reason),
            _ => self.on_stopped(key, &reason, false),
        }
    }

    pub(super) fn start_failed(&mut self, key: ChildKey, cause: StartCause, reason: ExitReason) {
        self.report(key, ReportKind::StartFailed { reason: reason.clone() });
        match cause {
            StartCause::Transition | StartCause::Restart | StartCause::FirstStart
                if self.retries_first_start(key) =>
            {
                self.first_start_failed(key, cause, reason);
            }
            StartCause::Transition if self.is_initial_start() => self.fail_initial_start(key, reason),
            StartCause::Transition => {
                self.restart_failed(key, reason);
                self.end_transition();
            }
            StartCause::Restart | StartCause::FirstStart => {
                self.restart_failed(key, reason);
                self.end_manual_start(key);
            }
            StartCause::RestartChild(ticket) => {
                // This keeps a temporary child too, which a change of the spec may have added as
                // stopped.
                self.close(key, &reason);
                self.answer_start(key, ticket, Err(RequestError::StartFailed(reason)));
            }
            StartCause::StartChild(ticket) => {
                self.children.remove(key);
                self.answer_start(key, ticket, Err(RequestError::StartFailed(reason)));
            }
        }
    }

    fn on_ended(&mut self, key: ChildKey, run: StartId, reason: ExitReason) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.is_current(run)) else { return };
        match entry.state {
            State::Stopping(_) => return self.on_stopped(key, &reason, false),
            // Its start completed after the timeout.
            State::Starting { cause, .. } => return self.start_failed(key, cause, ExitReason::StartTimedOut),
            _ => {}
        }
        self.reset_backoff_if_healthy(key);
        self.on_exit(key, reason);
    }

    /// Handles the exit of a child by itself, now or when the transition is complete (rule 4), or
    /// when its condition has been evaluated (rule 9).
    pub(super) fn on_exit(&mut self, key: ChildKey, reason: ExitReason) {
        if self.check_condition(key, &reason, true) {
            return;
        }
        if matches!(self.mode, Mode::Running) {
            self.on_child_exit(key, reason);
        } else {
            self.children.set(key, State::Ended { reason }, None);
            self.ended.push_back(key);
        }
    }

    pub(super) fn start(&mut self, key: ChildKey, cause: StartCause) {
        let Some(entry) = self.children.get_mut(key) else { return };
        entry.mailbox_open = true;
        entry.record_start(self.now);
        let run = self.next_run;
        self.next_run = StartId(run.0.wrapping_add(1));
        let deadline = entry.policy.start_timeout.map(|timeout| self.now.saturating_add(timeout));
        self.children.set(key, State::Starting { run, cause, timed_out: false }, deadline);
        self.actions.push(Action::Start { key, run });
    }

    /// Marks a child as stopped for good. A child that is not kept is removed.
    pub(super) fn mark_stopped(&mut self, key: ChildKey, reason: &ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        if self.is_dynamic() || entry.policy.restart == Restart::Temporary {
            self.forget(key, reason);
        } else {
            self.close(key, reason);
        }
    }

    pub(super) fn close(&mut self, key: ChildKey, reason: &ExitReason) {
        self.children.set(key, State::Stopped, None);
        self.children.get_mut(key).into_iter().for_each(|entry| entry.mailbox_open = false);
        self.actions.push(Action::Close { key, reason: reason.clone() });
    }

    pub(super) fn forget(&mut self, key: ChildKey, reason: &ExitReason) {
        self.children.remove(key);
        self.actions.push(Action::Forget { key, reason: reason.clone() });
    }

    pub(super) fn answer(&mut self, ticket: RequestId, result: Result<RequestOk, RequestError>) {
        self.actions.push(Action::Answer { ticket, result });
    }

    pub(super) fn report(&mut self, key: ChildKey, kind: ReportKind) {
        self.actions.push(Action::Report { key, kind });
    }
}
