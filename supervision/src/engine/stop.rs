//! Stopping one child: tell it, kill it when its time is up, abandon it when it does not even die.

use perennial_actors::ExitReason;

use super::core::{Engine, Mode};
use super::types::{
    Action, ChildKey, EngineReport, RequestError, RequestOk, StartCause, State, Stopping, Time,
};
use crate::policy::{ChildKind, ChildPolicy, Restart, Shutdown};

impl Engine {
    /// Tells a child to stop, in the way that its spec says. Does nothing if it is on its way.
    pub(super) fn stop(&mut self, key: ChildKey) {
        self.reset_backoff_if_healthy(key);
        let Some(entry) = self.children.get(key) else { return };
        let shutdown = entry.policy.shutdown;
        let (run, cause) = match &entry.state {
            State::Running { run, .. } => (*run, None),
            State::Starting { run, cause, .. } => (*run, Some(*cause)),
            State::Stopped | State::Ended { .. } | State::Restarting { .. } | State::Stopping(_) => return,
        };
        let mut stopping = Stopping::new(run);
        match cause {
            Some(StartCause::RestartChild(ticket)) => self.answer(ticket, Err(self.interrupted())),
            Some(StartCause::StartChild(ticket)) => stopping.start_waiter = Some(ticket),
            Some(StartCause::Restart) => stopping.restarting = true,
            Some(StartCause::Transition) | None => {}
        }
        match shutdown {
            Shutdown::BrutalKill => self.kill(key, stopping),
            Shutdown::Timeout(time) | Shutdown::Drain(time) => {
                self.tell(key, stopping, Some(self.now.saturating_add(time)))
            }
            Shutdown::Infinity => self.tell(key, stopping, None),
        }
    }

    fn tell(&mut self, key: ChildKey, stopping: Stopping, deadline: Option<Time>) {
        self.children.set(key, State::Stopping(Box::new(stopping)), deadline);
        let drains = self.is_to_drain(key);
        self.actions.push(Action::Stop { key, reason: ExitReason::shutdown(), drains });
    }

    /// Returns `true` if what is queued below is to be handled before the stop. What is queued outlives a restart, of the group
    /// or of the supervisor, and so waits for that.
    fn is_to_drain(&self, key: ChildKey) -> bool {
        let is_final = if self.is_going_down() { self.drains } else { !self.is_group_restart() };
        let drains = |policy: &ChildPolicy| {
            policy.kind == ChildKind::Supervisor || matches!(policy.shutdown, Shutdown::Drain(_))
        };
        is_final && self.children.get(key).is_some_and(|entry| drains(&entry.policy))
    }

    pub(super) fn kill(&mut self, key: ChildKey, stopping: Stopping) {
        let deadline = self.kill_grace(key);
        self.children.set(key, State::Stopping(Box::new(Stopping { killed: true, ..stopping })), deadline);
        self.actions.push(Action::Kill { key });
    }

    fn kill_grace(&self, key: ChildKey) -> Option<Time> {
        let entry = self.children.get(key)?;
        (entry.policy.kind == ChildKind::Worker).then(|| self.now.saturating_add(self.policy.kill_grace))
    }

    /// What those are told who wanted it started, and it is stopped instead.
    const fn interrupted(&self) -> RequestError {
        if self.is_going_down() {
            RequestError::ShuttingDown
        } else {
            RequestError::StartFailed(ExitReason::shutdown())
        }
    }

    /// A child that was to stop is gone, or as good as.
    pub(super) fn on_stopped(&mut self, key: ChildKey, reason: &ExitReason, abandoned: bool) {
        // Not by a round that only begins now, which waits for its start.
        let waited_for = self.waits_for(key);
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Stopping(stopping) = &mut entry.state else { return };
        let (asked, brought) = (std::mem::take(&mut stopping.stop_waiters), stopping.start_waiter);
        let (unresponsive, restarting) = (stopping.unresponsive, stopping.restarting);
        if !unresponsive && (abandoned || is_error(&entry.policy, reason)) {
            self.actions.push(Action::Report(EngineReport::ShutdownError { key, reason: reason.clone() }));
        }
        if let Some(ticket) = brought {
            self.children.remove(key);
            self.answer(ticket, Err(self.interrupted()));
        } else if !asked.is_empty() {
            self.mark_stopped(key, &ExitReason::shutdown());
        } else if unresponsive {
            self.restart_unresponsive(key);
        } else if restarting && matches!(self.mode, Mode::Running) {
            // What cut the attempt short is decided when its turn comes.
            self.try_again_later(key, ExitReason::shutdown());
        } else {
            self.children.set(key, State::Stopped, None);
        }
        for ticket in asked {
            self.answer(ticket, Ok(RequestOk::Done));
        }
        if self.is_dynamic() && self.is_going_down() {
            self.skip_stopped(key);
        }
        if waited_for {
            self.advance();
        }
    }

    /// Deals with every deadline that has passed.
    pub(super) fn on_tick(&mut self) {
        while let Some(key) = self.children.overdue(self.now) {
            let Some(entry) = self.children.get_mut(key) else { return };
            match &mut entry.state {
                State::Starting { run, cause, late: false } => {
                    let state = State::Starting { run: *run, cause: *cause, late: true };
                    let deadline = self.kill_grace(key);
                    self.children.set(key, state, deadline);
                    self.actions.push(Action::Kill { key });
                }
                State::Starting { cause, late: true, .. } => {
                    let cause = *cause;
                    self.abandon(key);
                    self.children.set(key, State::Stopped, None);
                    self.start_failed(key, cause, ExitReason::StartTimedOut);
                }
                State::Stopping(stopping) if stopping.killed => {
                    self.abandon(key);
                    self.on_stopped(key, &ExitReason::Killed, true);
                }
                State::Stopping(stopping) => {
                    let stopping =
                        Stopping { stop_waiters: std::mem::take(&mut stopping.stop_waiters), ..**stopping };
                    self.actions.push(Action::Report(EngineReport::Late { key, abandoned: false }));
                    self.kill(key, stopping);
                }
                State::Running { run, .. } => {
                    let run = *run;
                    self.watch(key, run);
                }
                State::Restarting { .. } => {
                    let generation = entry.generation;
                    self.children.set_deadline(key, None);
                    self.on_retry(key, generation);
                }
                // None of these has a deadline.
                State::Stopped | State::Ended { .. } => self.children.set_deadline(key, None),
            }
        }
    }

    fn abandon(&mut self, key: ChildKey) {
        self.actions.push(Action::Abandon { key });
        self.actions.push(Action::Report(EngineReport::Late { key, abandoned: true }));
    }
}

/// Whether a child that was told to stop should have ended for another reason than this. As OTP has it.
pub(super) fn is_error(policy: &ChildPolicy, reason: &ExitReason) -> bool {
    match (policy.shutdown, reason) {
        (Shutdown::BrutalKill, ExitReason::Killed) | (_, ExitReason::Shutdown(None)) => false,
        _ => policy.restart == Restart::Permanent || reason.is_abnormal(),
    }
}
