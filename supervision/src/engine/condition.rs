//! The conditions that decide in place of a restart type (rule 9).

use perennial_actors::ExitReason;

use super::core::Engine;
use super::state::{Mode, State};
use super::types::{Action, ChildKey, Event};
use crate::report::ReportKind;

impl Engine {
    /// Begins the evaluation of a child's condition. Returns `false` if the child has none.
    pub(super) fn check_condition(&mut self, key: ChildKey, reason: &ExitReason, has_exited: bool) -> bool {
        let condition = self.children.get(key).and_then(|entry| entry.policy.restart_if.clone());
        let Some(condition) = condition else { return false };
        self.children.set(key, State::CheckingCondition { reason: reason.clone(), has_exited }, None);
        if let Some(entry) = self.children.get(key) {
            let (generation, reason) = (entry.generation, reason.clone());
            self.actions.push(Action::CheckCondition { key, generation, condition, reason });
        }
        true
    }

    /// Handles the outcome of a condition. It is void if the state of the child changed in between.
    pub(super) fn on_condition_checked(&mut self, key: ChildKey, generation: u32, restarts: bool) {
        let Some(entry) = self.children.get(key).filter(|entry| entry.generation == generation) else {
            return;
        };
        let State::CheckingCondition { reason, has_exited } = &entry.state else { return };
        if !matches!(self.mode, Mode::Running) {
            // The current transition handles the child, or this is handled when it is complete.
            self.waiting.push_back(Event::ConditionChecked { key, generation, restarts });
            return;
        }
        let (reason, has_exited) = (reason.clone(), *has_exited);
        if has_exited {
            self.decide_exit(key, reason, restarts);
        } else if !restarts {
            self.end_failed_start(key, &reason);
        } else if self.retries_first_start(key) {
            self.schedule_first_start(key, reason);
        } else {
            self.schedule_retry(key, reason);
        }
        self.start_unscheduled();
    }

    /// Handles a restart whose start failed.
    pub(super) fn restart_failed(&mut self, key: ChildKey, reason: ExitReason) {
        if !self.check_condition(key, &reason, false) {
            self.schedule_retry(key, reason);
        }
    }

    /// Ends a child whose start failed and is not tried again.
    fn end_failed_start(&mut self, key: ChildKey, reason: &ExitReason) {
        let Some(significant) = self.children.get(key).map(|entry| entry.policy.significant) else { return };
        self.report(key, ReportKind::Terminated { reason: reason.clone() });
        self.mark_stopped(key, reason);
        self.on_ended_for_good(significant);
    }
}
