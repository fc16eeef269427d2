//! Which children restart after an exit, and when.

use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::{GAMMA, jitter_sample, mix};

use super::core::{Engine, Mode};
use super::transition::Transition;
use super::types::{Action, ChildKey, EngineReport, Event, StartCause, State, SupervisorExit};
use crate::policy::{AutoShutdown, Strategy, SupervisorKind};

impl Engine {
    /// Handles the exit of a child that was not asked to stop (rule 1).
    pub(super) fn on_child_exit(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        let (should_restart, significant) =
            (entry.policy.restart.should_restart(&reason), entry.policy.significant);
        if should_restart && entry.policy.renews && !reason.is_abnormal() {
            return self.renew(key, reason);
        }
        if should_restart || reason.is_abnormal() {
            self.actions.push(Action::Report(EngineReport::Terminated { key, reason: reason.clone() }));
        }
        if should_restart {
            let counts = !entry.policy.renews;
            self.children.set(key, State::Restarting { reason, counted: false }, None);
            return self.restart(key, counts);
        }
        self.mark_stopped(key, &reason);
        if significant && self.triggers_auto_shutdown() {
            self.begin_shutdown(SupervisorExit::Reason(ExitReason::shutdown_with(
                "a significant child ended",
            )));
        }
    }

    /// Returns `true` if the supervisor shuts down after the exit of a significant child.
    fn triggers_auto_shutdown(&self) -> bool {
        match self.policy.kind {
            SupervisorKind::Static { auto_shutdown: AutoShutdown::AnySignificant, .. } => true,
            SupervisorKind::Static { auto_shutdown: AutoShutdown::AllSignificant, .. } => {
                !self.children.iter().any(|(_, entry)| entry.policy.significant && entry.is_active())
            }
            SupervisorKind::Static { auto_shutdown: AutoShutdown::Never, .. }
            | SupervisorKind::Dynamic { .. } => false,
        }
    }

    /// Begins a restart, at once or after a delay. If the restart `counts` and exceeds the
    /// intensity, the supervisor shuts down instead (rule 2).
    fn restart(&mut self, key: ChildKey, counts: bool) {
        let (sample, children) = (self.jitter_sample(key), self.children.len());
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Restarting { reason, .. } = &entry.state else { return };
        let reason = reason.clone();
        let restarts_left = if counts {
            self.window.record(self.now, children)
        } else {
            Some(self.window.remaining(self.now, children))
        };
        let Some(restarts_left) = restarts_left else { return self.exceed_intensity(key) };
        let delay = entry
            .policy
            .backoff
            .as_ref()
            .map_or(Duration::ZERO, |backoff| backoff.delay(entry.failures, sample));
        entry.restarts += 1;
        entry.failures = entry.failures.saturating_add(1);
        let report = EngineReport::Restarting { key, reason: reason.clone(), restarts_left, delay };
        self.actions.push(Action::Report(report));
        if delay.is_zero() {
            self.begin_restart(key);
        } else {
            let due = self.now.saturating_add(delay);
            self.children.set(key, State::Restarting { reason, counted: true }, Some(due));
        }
    }

    /// Starts the next incarnation of a child after a normal exit that is a part of its work. It
    /// counts for no intensity and has no delay.
    fn renew(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Restarting { reason, counted: false }, None);
        if let Some(entry) = self.children.get_mut(key) {
            entry.restarts += 1;
        }
        self.begin_restart(key);
    }

    /// Resets the backoff of a child if its incarnation ran long enough.
    pub(super) fn reset_backoff_if_healthy(&mut self, key: ChildKey) {
        let now = self.now;
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Running { since, .. } = entry.state else { return };
        if entry.policy.backoff.as_ref().is_some_and(|backoff| now.saturating_sub(since) >= backoff.healthy())
        {
            entry.failures = 0;
        }
    }

    /// Starts a child again, together with the siblings that the strategy selects.
    fn begin_restart(&mut self, key: ChildKey) {
        let strategy = match self.policy.kind {
            SupervisorKind::Static { strategy, .. } => strategy,
            SupervisorKind::Dynamic { .. } => Strategy::OneForOne,
        };
        match strategy {
            Strategy::OneForOne => self.start(key, StartCause::Restart),
            Strategy::OneForAll => self.begin_transition(Transition::group_restart(self.children.keys())),
            Strategy::RestForOne => {
                self.begin_transition(Transition::group_restart(self.children.keys_from(key)))
            }
        }
    }

    /// Schedules another attempt through the inbox (rule 5).
    pub(super) fn schedule_retry(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Restarting { reason, counted: false }, None);
        if let Some(entry) = self.children.get(key) {
            self.actions.push(Action::Retry { key, generation: entry.generation });
        }
    }

    /// Handles a retry that is due, or the end of a delay. It is void if the state of the child
    /// changed in between.
    pub(super) fn on_retry(&mut self, key: ChildKey, generation: u32) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.generation == generation) else {
            return;
        };
        let State::Restarting { counted, .. } = entry.state else { return };
        if !matches!(self.mode, Mode::Running) {
            // The current transition handles the child, or this retry is handled when it is
            // complete.
            self.waiting.push_back(Event::Retry { key, generation });
        } else if counted {
            self.begin_restart(key);
        } else {
            // The start failed or was interrupted, which always counts.
            self.restart(key, true);
        }
    }

    fn exceed_intensity(&mut self, key: ChildKey) {
        self.actions.push(Action::Report(EngineReport::GaveUp { key }));
        self.children.set(key, State::Stopped, None);
        let reason = ExitReason::shutdown_with("reached the maximum restart intensity");
        self.begin_shutdown(SupervisorExit::Reason(reason));
    }

    /// Returns the random number for the jitter of this child's next delay, from 0 to 1. The same
    /// seed, child and failure count give the same number.
    fn jitter_sample(&self, key: ChildKey) -> f64 {
        let Some(entry) = self.children.get(key) else { return 0.0 };
        let Some(backoff) = &entry.policy.backoff else { return 0.0 };
        let index = key.0 << 32 | u64::from(entry.failures);
        let child = mix(index.wrapping_add(GAMMA));
        jitter_sample(backoff.seed_or(self.policy.seed).wrapping_add(child).wrapping_add(GAMMA))
    }
}
