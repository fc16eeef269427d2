//! The stop of one child: ask it to stop, kill it after its timeout, and abandon it if it does not
//! exit even then.

use std::time::Duration;

use perennial_actors::ExitReason;

use super::core::Engine;
use super::state::{Mode, StartCause, State, Stopping};
use super::types::{Action, ChildKey, RequestError, RequestOk, Time};
use crate::policy::{ChildKind, ChildPolicy, Restart, Shutdown};
use crate::report::ReportKind;

/// The time that an unresponsive child has to stop if its spec sets no limit.
const UNRESPONSIVE_TIMEOUT: Duration = Duration::from_secs(5);

impl Engine {
    /// Stops a child as its spec says. Does nothing if it has no incarnation or is being stopped.
    pub(super) fn stop(&mut self, key: ChildKey) {
        self.reset_backoff_if_healthy(key);
        let Some(entry) = self.children.get(key) else { return };
        let (run, cause) = match &entry.state {
            State::Running { run, .. } => (*run, None),
            State::Starting { run, cause, .. } => (*run, Some(*cause)),
            _ => return,
        };
        let mut stopping = Stopping { run, ..Stopping::default() };
        match cause {
            Some(StartCause::RestartChild(ticket)) => self.answer(ticket, Err(self.interrupted())),
            Some(StartCause::StartChild(ticket)) => stopping.start_waiter = Some(ticket),
            Some(StartCause::Restart | StartCause::FirstStart) => stopping.restarting = true,
            Some(StartCause::Transition) | None => {}
        }
        self.begin_stop(key, stopping);
    }

    /// Asks a child to stop, or kills it at once. It is killed if it has not exited in time.
    pub(super) fn begin_stop(&mut self, key: ChildKey, stopping: Stopping) {
        let Some(shutdown) = self.children.get(key).map(|entry| entry.policy.shutdown) else { return };
        let unresponsive = stopping.unresponsive;
        let timeout = match shutdown {
            Shutdown::BrutalKill => return self.kill(key, stopping),
            Shutdown::Timeout(time) | Shutdown::Drain(time) => Some(time),
            Shutdown::Infinity => unresponsive.then_some(UNRESPONSIVE_TIMEOUT),
        };
        let deadline = timeout.map(|timeout| self.now.saturating_add(timeout));
        self.children.set(key, State::Stopping(Box::new(stopping)), deadline);
        let reason = if unresponsive { ExitReason::Unresponsive } else { ExitReason::shutdown() };
        let drains = !unresponsive && self.is_to_drain(key);
        self.actions.push(Action::Stop { key, reason, drains });
    }

    /// Returns `true` if messages queued at or below the child are handled before its stop. Queued
    /// messages outlive a restart of the group or of the supervisor, so they wait in such a stop.
    fn is_to_drain(&self, key: ChildKey) -> bool {
        let is_final = if self.is_shutting_down() { self.drains } else { !self.is_group_restart() };
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

    /// Returns the error for a start that is interrupted by a stop.
    const fn interrupted(&self) -> RequestError {
        if self.is_shutting_down() {
            RequestError::ShuttingDown
        } else {
            RequestError::StartFailed(ExitReason::shutdown())
        }
    }

    /// The child that was being stopped has exited or was abandoned.
    pub(super) fn on_stopped(&mut self, key: ChildKey, reason: &ExitReason, abandoned: bool) {
        // Read before the changes below: a transition that begins in them waits for the start of
        // the child.
        let was_awaited = self.waits_for(key);
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Stopping(stopping) = &mut entry.state else { return };
        let (stop_waiters, start_waiter) =
            (std::mem::take(&mut stopping.stop_waiters), stopping.start_waiter);
        let (unresponsive, restarting) = (stopping.unresponsive, stopping.restarting);
        if !unresponsive && (abandoned || is_error(&entry.policy, reason)) {
            self.report(key, ReportKind::ShutdownError { reason: reason.clone() });
        }
        if let Some(ticket) = start_waiter {
            self.children.remove(key);
            self.answer(ticket, Err(self.interrupted()));
        } else if !stop_waiters.is_empty() {
            self.mark_stopped(key, &ExitReason::shutdown());
        } else if unresponsive {
            self.on_exit(key, ExitReason::Unresponsive);
        } else if restarting && matches!(self.mode, Mode::Running) {
            // The request that interrupted the start is decided before this retry.
            self.schedule_retry(key, ExitReason::shutdown());
        } else {
            self.children.set(key, State::Stopped, None);
        }
        for ticket in stop_waiters {
            self.answer(ticket, Ok(RequestOk::Done));
        }
        if self.is_dynamic() && self.is_shutting_down() {
            self.skip_stopped(key);
        }
        if was_awaited {
            self.advance();
        }
    }

    /// Handles every deadline that has passed.
    pub(super) fn on_tick(&mut self) {
        while let Some(key) = self.children.overdue(self.now) {
            let Some(entry) = self.children.get_mut(key) else { return };
            match &mut entry.state {
                State::Starting { run, cause, timed_out: false } => {
                    let state = State::Starting { run: *run, cause: *cause, timed_out: true };
                    let deadline = self.kill_grace(key);
                    self.children.set(key, state, deadline);
                    self.actions.push(Action::Kill { key });
                }
                State::Starting { cause, timed_out: true, .. } => {
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
                    self.report(key, ReportKind::Killed);
                    self.kill(key, stopping);
                }
                State::Running { run, .. } => {
                    let run = *run;
                    self.check_liveness(key, run);
                }
                State::Restarting { .. } => {
                    let generation = entry.generation;
                    self.children.set_deadline(key, None);
                    self.on_retry(key, generation);
                }
                // These states have no deadline.
                State::Stopped | State::Ended { .. } | State::CheckingCondition { .. } | State::Failed => {
                    self.children.set_deadline(key, None);
                }
            }
        }
    }

    fn abandon(&mut self, key: ChildKey) {
        self.actions.push(Action::Abandon { key });
        self.report(key, ReportKind::Abandoned);
    }
}

/// Returns `true` if this is an error as the exit reason of a child that was asked to stop. The
/// rule is OTP's.
pub(super) fn is_error(policy: &ChildPolicy, reason: &ExitReason) -> bool {
    match (policy.shutdown, reason) {
        (Shutdown::BrutalKill, ExitReason::Killed) | (_, ExitReason::Shutdown(None)) => false,
        _ => policy.restart == Restart::Permanent || reason.is_abnormal(),
    }
}
