//! The engine: events in, actions out.

use std::collections::VecDeque;
use std::sync::Arc;

use perennial_actors::ExitReason;

use super::children::Children;
use super::intensity::RestartWindow;
use super::liveness_timers::LivenessTimers;
use super::transition::Transition;
use super::types::{
    Action, ChildKey, EngineReport, Event, Policy, RequestError, RequestId, RequestOk, StartCause, StartId,
    State, Time,
};
use crate::policy::{ChildPolicy, Restart, SupervisorKind};

/// What the supervisor as a whole is doing.
#[derive(Debug)]
pub(super) enum Mode {
    /// It reacts.
    Running,
    /// It brings some children down and others up.
    InTransition(Transition),
    /// It is over.
    Ended,
}

/// A supervisor's decisions. See the [module](super) for its rules.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) policy: Policy,
    pub(super) window: RestartWindow,
    pub(super) children: Children,
    pub(super) mode: Mode,
    /// Requests and tries that wait for the round to end.
    pub(super) waiting: VecDeque<Event>,
    /// Children that ended while a round went on, first ended first (rule 4).
    pub(super) ended: VecDeque<ChildKey>,
    pub(super) actions: Vec<Action>,
    pub(super) now: Time,
    /// How many questions children were asked.
    pub(super) questions: u32,
    /// Whether children handle what is queued before they stop, now that it stops: no incarnation of it follows.
    pub(super) drains: bool,
    next_run: StartId,
}

impl Engine {
    /// An engine for children with the keys 0, 1, 2 ... in start order.
    pub(crate) fn new(
        policy: Policy,
        children: impl IntoIterator<Item = (Arc<str>, ChildPolicy)>,
        first_run: StartId,
    ) -> Self {
        let mut table = Children::default();
        if matches!(policy.kind, SupervisorKind::Dynamic { max_children } if max_children < usize::MAX) {
            table.transitions.number();
        }
        for (id, child) in children {
            let key = table.add(id, child, true, false);
            // The mailboxes of a tree are open before the first of its children starts.
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
            questions: 0,
            drains: false,
            next_run: first_run,
        }
    }

    /// What is to be done about an event that happens at `now`.
    pub(crate) fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Begin => self.begin_round(Transition::first(self.children.keys())),
            Event::Started { key, run } => self.on_started(key, run),
            Event::StartFailed { key, run, reason } => self.on_start_failed(key, run, reason),
            Event::Ended { key, run, reason } => self.on_ended(key, run, reason),
            Event::Retry { key, generation } => self.on_retry(key, generation),
            Event::ContinueShutdown if self.is_dynamic() => self.go_on(),
            Event::ContinueShutdown => {}
            Event::Tick => self.on_tick(),
            Event::BusyChecked { key, run, busy, suspensions } => self.on_looked(key, run, busy, suspensions),
            Event::Probed { key, run, question, answered } => self.on_probed(key, run, question, answered),
            Event::Request { ticket, request } => self.on_asked(ticket, request),
            Event::Shutdown { reason, drains } => self.on_shutdown(reason, drains),
        }
        self.decide_deferred();
        std::mem::take(&mut self.actions)
    }

    /// When to send a [`LifecycleEvent::Tick`], if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.children.next_deadline()
    }

    /// The number of the next run, for the engine that comes after this one.
    pub(crate) const fn next_run(&self) -> StartId {
        self.next_run
    }

    pub(super) const fn is_dynamic(&self) -> bool {
        matches!(self.policy.kind, SupervisorKind::Dynamic { .. })
    }

    fn on_started(&mut self, key: ChildKey, run: StartId) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.runs(run)) else { return };
        // A child that is being stopped, or killed because it is late, is not up, whatever it says.
        let State::Starting { cause, late: false, .. } = entry.state else { return };
        let watch =
            entry.policy.liveness.as_deref().map(|liveness| LivenessTimers::begin(liveness, self.now, 0));
        let due = watch.as_ref().and_then(LivenessTimers::next);
        let state = State::Running { run, since: self.now, watch: watch.map(Box::new) };
        self.children.set(key, state, due);
        self.actions.push(Action::Report(EngineReport::Started { key }));
        match cause {
            StartCause::Transition => self.advance(),
            StartCause::Restart => {}
            StartCause::RestartChild(ticket) | StartCause::StartChild(ticket) => {
                self.answer(ticket, Ok(RequestOk::Started(key)));
                self.end_round_by_hand(key);
            }
        }
    }

    fn on_start_failed(&mut self, key: ChildKey, run: StartId, reason: ExitReason) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.runs(run)) else { return };
        match entry.state {
            State::Starting { cause, late: true, .. } => {
                self.start_failed(key, cause, ExitReason::StartTimedOut);
            }
            State::Starting { cause, .. } if matches!(reason, ExitReason::Ignore) => {
                self.start_declined(key, cause)
            }
            State::Starting { cause, .. } => self.start_failed(key, cause, reason),
            _ => self.on_stopped(key, &reason, false),
        }
    }

    /// The child does not want to run. That is no failure: it stays down, and nothing is tried again.
    fn start_declined(&mut self, key: ChildKey, cause: StartCause) {
        self.mark_stopped(key, &ExitReason::Ignore);
        match cause {
            StartCause::Transition => self.advance(),
            StartCause::Restart => {}
            StartCause::RestartChild(ticket) | StartCause::StartChild(ticket) => {
                self.answer(ticket, Ok(RequestOk::Ignored));
                self.end_round_by_hand(key);
            }
        }
    }

    pub(super) fn start_failed(&mut self, key: ChildKey, cause: StartCause, reason: ExitReason) {
        self.actions.push(Action::Report(EngineReport::StartFailed { key, reason: reason.clone() }));
        match cause {
            StartCause::Transition if self.is_first_round() => self.fail_first_start(key, reason),
            StartCause::Transition => {
                self.try_again_later(key, reason);
                self.end_round();
            }
            StartCause::Restart => self.try_again_later(key, reason),
            StartCause::RestartChild(ticket) => {
                // Also a temporary one, which a change of the specs may have brought.
                self.close(key, &reason);
                self.answer(ticket, Err(RequestError::StartFailed(reason)));
                self.end_round_by_hand(key);
            }
            StartCause::StartChild(ticket) => {
                self.children.remove(key);
                self.answer(ticket, Err(RequestError::StartFailed(reason)));
                self.end_round_by_hand(key);
            }
        }
    }

    fn on_ended(&mut self, key: ChildKey, run: StartId, reason: ExitReason) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.runs(run)) else { return };
        match entry.state {
            State::Stopping(_) => return self.on_stopped(key, &reason, false),
            // It was complete after all, but too late.
            State::Starting { cause, .. } => return self.start_failed(key, cause, ExitReason::StartTimedOut),
            _ => {}
        }
        self.reset_backoff_if_healthy(key);
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
        let run = self.next_run;
        self.next_run = StartId(run.0.wrapping_add(1));
        let deadline = entry.policy.start_timeout.map(|timeout| self.now.saturating_add(timeout));
        self.children.set(key, State::Starting { run, cause, late: false }, deadline);
        self.actions.push(Action::Start { key, run });
    }

    /// The child is down, and nobody is due to start it. One that is not kept is gone.
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
}
