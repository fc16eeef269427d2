//! The start limits of single children (rule 10).

use std::time::Duration;

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::Engine;
use super::state::{Mode, State, TransitionKind};
use super::types::{ChildKey, Time};
use crate::report::ReportKind;

impl Entry {
    /// Records a start at `now` if the starts of the child are limited.
    pub(super) fn record_start(&mut self, now: Time) {
        match self.policy.start_limit.as_deref() {
            Some(limit) => self.starts.get_or_insert_default().record(now, *limit),
            None => self.starts = None,
        }
    }
}

impl Engine {
    /// Returns `true` if the child may not be started after this delay.
    pub(super) fn exceeds_start_limit(&self, key: ChildKey, delay: Duration) -> bool {
        let Some(entry) = self.children.get(key) else { return false };
        let limits = entry.policy.start_limit.as_deref().zip(entry.starts.as_deref());
        limits.is_some_and(|(limit, starts)| starts.would_exceed(self.now.saturating_add(delay), *limit))
    }

    /// Returns `true` if the child has failed and starts only by request.
    pub(super) fn has_failed(&self, key: ChildKey) -> bool {
        self.children.get(key).is_some_and(|entry| matches!(entry.state, State::Failed))
    }

    /// Ends a child that would exceed its start limit. It ended for this reason. Its siblings go
    /// on. A child that is not kept when it ends is removed.
    pub(super) fn fail(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        let significant = entry.policy.significant;
        self.mark_stopped(key, &reason);
        self.report(key, ReportKind::StartLimitHit { reason });
        // Does nothing if the child was removed.
        self.children.set(key, State::Failed, None);
        self.on_ended_for_good(significant);
        self.start_unscheduled();
    }

    /// Forgets the starts of a child. A failed child is a stopped one then.
    pub(super) fn reset_failed(&mut self, key: ChildKey) {
        let Some(entry) = self.children.get_mut(key) else { return };
        entry.starts = None;
        if matches!(entry.state, State::Failed) {
            self.children.set(key, State::Stopped, None);
        }
    }

    /// Starts the siblings that waited in a group restart for a child that has ended for good.
    pub(super) fn start_unscheduled(&mut self) {
        if matches!(self.mode, Mode::Running) && !self.children_are_independent() {
            let waiting = self.unscheduled();
            if !waiting.is_empty() {
                self.begin_transition(TransitionKind::GroupRestart, Vec::new(), waiting.into());
            }
        }
    }
}
