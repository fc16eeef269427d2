//! Who comes back, with whom, and when.

use std::time::Duration;

use perennial_actors::ExitReason;

use super::core::{Engine, Mode};
use super::transition::Transition;
use super::types::{Action, ChildKey, EngineReport, Event, StartCause, State, SupervisorExit};
use crate::policy::{AutoShutdown, Strategy, SupervisorKind};

impl Engine {
    /// A child ended by itself (rule 1).
    pub(super) fn on_child_exit(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        let (wanted, significant) = (entry.policy.restart.should_restart(&reason), entry.policy.significant);
        if wanted && entry.policy.renews && !reason.is_abnormal() {
            return self.renew(key, reason);
        }
        if wanted || reason.is_abnormal() {
            self.actions.push(Action::Report(EngineReport::Terminated { key, reason: reason.clone() }));
        }
        if wanted {
            let counts = !entry.policy.renews;
            self.children.set(key, State::Restarting { reason, counted: false }, None);
            return self.restart(key, counts);
        }
        self.mark_stopped(key, &reason);
        if significant && self.is_over_without() {
            self.begin_shutdown(SupervisorExit::Reason(ExitReason::shutdown_with(
                "a significant child ended",
            )));
        }
    }

    /// Whether the supervisor is to end now that a significant child has.
    fn is_over_without(&self) -> bool {
        match self.policy.kind {
            SupervisorKind::Static { auto_shutdown: AutoShutdown::AnySignificant, .. } => true,
            SupervisorKind::Static { auto_shutdown: AutoShutdown::AllSignificant, .. } => {
                !self.children.iter().any(|(_, entry)| entry.policy.significant && entry.is_active())
            }
            SupervisorKind::Static { auto_shutdown: AutoShutdown::Never, .. }
            | SupervisorKind::Dynamic { .. } => false,
        }
    }

    /// Counts a restart if it `counts`, and begins it at once or after a delay; or gives up
    /// (rule 2).
    fn restart(&mut self, key: ChildKey, counts: bool) {
        let (draw, children) = (self.jitter_sample(key), self.children.len());
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Restarting { reason, .. } = &entry.state else { return };
        let reason = reason.clone();
        let restarts_left = if counts {
            self.window.record(self.now, children)
        } else {
            Some(self.window.remaining(self.now, children))
        };
        let Some(restarts_left) = restarts_left else { return self.give_up(key) };
        let delay = entry
            .policy
            .backoff
            .as_ref()
            .map_or(Duration::ZERO, |backoff| backoff.delay(entry.failures, draw));
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

    /// Starts the next incarnation of a child that has ended in order. It counts for no intensity and for no delay.
    fn renew(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Restarting { reason, counted: false }, None);
        if let Some(entry) = self.children.get_mut(key) {
            entry.restarts += 1;
        }
        self.begin_restart(key);
    }

    /// A child whose time is over begins anew with its delays, if that was long enough.
    pub(super) fn reset_backoff_if_healthy(&mut self, key: ChildKey) {
        let now = self.now;
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Running { since, .. } = entry.state else { return };
        if entry.policy.backoff.as_ref().is_some_and(|backoff| now.saturating_sub(since) >= backoff.healthy())
        {
            entry.failures = 0;
        }
    }

    /// Starts a child again, and with it those that its strategy names.
    fn begin_restart(&mut self, key: ChildKey) {
        let strategy = match self.policy.kind {
            SupervisorKind::Static { strategy, .. } => strategy,
            SupervisorKind::Dynamic { .. } => Strategy::OneForOne,
        };
        match strategy {
            Strategy::OneForOne => self.start(key, StartCause::Restart),
            Strategy::OneForAll => self.begin_round(Transition::group(self.children.keys())),
            Strategy::RestForOne => self.begin_round(Transition::group(self.children.keys_from(key))),
        }
    }

    /// Through the inbox (rule 5).
    pub(super) fn try_again_later(&mut self, key: ChildKey, reason: ExitReason) {
        self.children.set(key, State::Restarting { reason, counted: false }, None);
        if let Some(entry) = self.children.get(key) {
            self.actions.push(Action::Retry { key, generation: entry.generation });
        }
    }

    /// A try that was put off is due, or its delay has passed. What was decided in between makes it void.
    pub(super) fn on_retry(&mut self, key: ChildKey, generation: u32) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.generation == generation) else {
            return;
        };
        let State::Restarting { counted, .. } = entry.state else { return };
        if !matches!(self.mode, Mode::Running) {
            // The round that goes on now deals with the child, or this comes back when it is over.
            self.waiting.push_back(Event::Retry { key, generation });
        } else if counted {
            self.begin_restart(key);
        } else {
            // Its start has failed, or was cut short.
            self.restart(key, true);
        }
    }

    fn give_up(&mut self, key: ChildKey) {
        self.actions.push(Action::Report(EngineReport::GaveUp { key }));
        self.children.set(key, State::Stopped, None);
        let reason = ExitReason::shutdown_with("reached the maximum restart intensity");
        self.begin_shutdown(SupervisorExit::Reason(reason));
    }

    /// What the jitter of this child's next delay is, between 0 and 1: the same for the same seed, child and failure.
    fn jitter_sample(&self, key: ChildKey) -> f64 {
        let Some(entry) = self.children.get(key) else { return 0.0 };
        let Some(backoff) = &entry.policy.backoff else { return 0.0 };
        let place = key.0 << 32 | u64::from(entry.failures);
        evenly(mix(backoff.seed_or(self.policy.seed).wrapping_add(mix(place))))
    }
}

/// The finalizer of SplitMix64: spreads every bit of a number over all of another.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A number between 0 and 1, 1 excluded, of the upper half of this one.
fn evenly(number: u64) -> f64 {
    f64::from((number >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
}
