//! Which children restart after an exit, and when.

use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::{GAMMA, jitter_sample, mix};

use super::core::Engine;
use super::state::{Mode, NextStart, StartCause, State, TransitionKind};
use super::types::{Action, ChildKey, Event, SupervisorExit};
use crate::policy::{AutoShutdown, Backoff, ChildPolicy, Strategy, SupervisorKind};
use crate::report::ReportKind;

impl Engine {
    /// Handles the exit of a child that was not asked to stop (rule 1).
    pub(super) fn on_child_exit(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        let should_restart = entry.policy.restart.should_restart(&reason);
        self.decide_exit(key, reason, should_restart);
    }

    /// Restarts a child that exited, or ends it for good.
    pub(super) fn decide_exit(&mut self, key: ChildKey, reason: ExitReason, should_restart: bool) {
        let Some(ChildPolicy { significant, renews, .. }) =
            self.children.get(key).map(|entry| &*entry.policy)
        else {
            return;
        };
        let (significant, renews) = (*significant, *renews);
        if should_restart && renews && !reason.is_abnormal() {
            return self.renew(key, reason);
        }
        if should_restart || reason.is_abnormal() {
            self.report(key, ReportKind::Terminated { reason: reason.clone() });
        }
        if should_restart {
            self.children.set(key, State::Restarting { reason, next: NextStart::Retry }, None);
            return self.restart(key, !renews);
        }
        self.mark_stopped(key, &reason);
        self.on_ended_for_good(significant);
    }

    /// Shuts the supervisor down if the child that ended for good was significant.
    pub(super) fn on_ended_for_good(&mut self, was_significant: bool) {
        if was_significant && self.triggers_auto_shutdown() {
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
        let children = self.children.len();
        let Some(entry) = self.children.get(key) else { return };
        let State::Restarting { reason, .. } = &entry.state else { return };
        let (reason, is_limited) = (reason.clone(), entry.policy.start_limit.is_some());
        let delay = self.delay(key, entry.policy.backoff.as_deref());
        if self.exceeds_start_limit(key, delay) {
            return self.fail(key, reason);
        }
        let restarts_left = if counts && !is_limited {
            self.window.record(self.now, children)
        } else {
            Some(self.window.remaining(self.now, children))
        };
        let Some(restarts_left) = restarts_left else { return self.exceed_intensity(key) };
        self.report_restart(key, reason.clone(), restarts_left, delay);
        if delay.is_zero() {
            self.begin_restart(key);
        } else {
            let due = self.now.saturating_add(delay);
            self.children.set(key, State::Restarting { reason, next: NextStart::Delayed }, Some(due));
        }
    }

    /// Counts and reports the restart of a child after this delay.
    pub(super) fn report_restart(
        &mut self,
        key: ChildKey,
        reason: ExitReason,
        restarts_left: u32,
        delay: Duration,
    ) {
        if let Some(entry) = self.children.get_mut(key) {
            entry.restarts += 1;
            entry.failures = entry.failures.saturating_add(1);
        }
        self.report(key, ReportKind::Restarting { reason, restarts_left, delay });
    }

    /// Returns the delay of a child's next start.
    pub(super) fn delay(&self, key: ChildKey, backoff: Option<&Backoff>) -> Duration {
        let Some((entry, backoff)) = self.children.get(key).zip(backoff) else { return Duration::ZERO };
        backoff.delay(entry.failures, self.jitter_sample(key, entry.failures, backoff))
    }

    /// Starts the next incarnation of a child after a normal exit that is a part of its work. It
    /// counts for no intensity and has no delay.
    fn renew(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Restarting { reason, next: NextStart::Retry }, None);
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
        let mut group = match self.strategy() {
            Strategy::OneForOne => return self.start(key, StartCause::Restart),
            Strategy::OneForAll => self.children.keys(),
            Strategy::RestForOne => self.children.keys_from(key),
        };
        // A failed child starts only by request.
        group.retain(|key| !self.has_failed(*key));
        self.begin_transition(TransitionKind::GroupRestart, group.clone(), group.into());
    }

    /// Schedules another attempt through the inbox (rule 5).
    pub(super) fn schedule_retry(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Restarting { reason, next: NextStart::Retry }, None);
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
        let State::Restarting { reason, next } = &entry.state else { return };
        let (reason, next) = (reason.clone(), *next);
        if !matches!(self.mode, Mode::Running) {
            // The current transition handles the child, or this retry is handled when it is
            // complete.
            self.waiting.push_back(Event::Retry { key, generation });
            return;
        }
        match next {
            // The limit changed during the delay.
            NextStart::Delayed | NextStart::FirstStart if self.exceeds_start_limit(key, Duration::ZERO) => {
                self.fail(key, reason);
            }
            NextStart::Delayed => self.begin_restart(key),
            // The settings changed in between, or its first start was interrupted.
            NextStart::Retry if self.retries_first_start(key) => {
                self.schedule_first_start(key, reason);
                self.start_unscheduled();
            }
            // The start failed or was interrupted, which always counts.
            NextStart::Retry => self.restart(key, true),
            NextStart::FirstStart => self.start_alone(key, StartCause::FirstStart),
        }
    }

    fn exceed_intensity(&mut self, key: ChildKey) {
        let child = self.children.get(key).map_or_else(|| "".into(), |entry| entry.id.clone());
        self.report(key, ReportKind::GaveUp { child });
        self.children.set(key, State::Stopped, None);
        let reason = ExitReason::shutdown_with("reached the maximum restart intensity");
        self.begin_shutdown(SupervisorExit::Reason(reason));
    }

    /// Returns the random number for the jitter of this child's next delay, from 0 to 1. The same
    /// seed, child and failure count give the same number.
    fn jitter_sample(&self, key: ChildKey, failures: u32, backoff: &Backoff) -> f64 {
        let index = key.0 << 32 | u64::from(failures);
        let child = mix(index.wrapping_add(GAMMA));
        jitter_sample(backoff.seed_or(self.policy.seed).wrapping_add(child).wrapping_add(GAMMA))
    }
}
