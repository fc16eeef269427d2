//! First starts that are tried again (rule 11).

use perennial_actors::ExitReason;

use super::children::Entry;
use super::core::Engine;
use super::state::{NextStart, StartCause, State};
use super::types::ChildKey;

impl Engine {
    /// Returns `true` if a failed start of the child is the failure of a first start that is tried
    /// again.
    pub(super) fn retries_first_start(&self, key: ChildKey) -> bool {
        self.children.get(key).is_some_and(Entry::retries_first_start)
    }

    /// Records that a start of the child has succeeded. Its restarts begin at the first delay.
    pub(super) fn on_first_start(&mut self, key: ChildKey) {
        let is_retried = self.retries_first_start(key);
        let Some(entry) = self.children.get_mut(key) else { return };
        entry.has_started = true;
        if is_retried {
            entry.failures = 0;
        }
    }

    /// Handles the failure of a first start. A transition goes on with the next child.
    pub(super) fn first_start_failed(&mut self, key: ChildKey, cause: StartCause, reason: ExitReason) {
        if !self.check_condition(key, &reason, false) {
            self.schedule_first_start(key, reason);
        }
        match cause {
            StartCause::Transition => self.advance(),
            _ => self.end_manual_start(key),
        }
    }

    /// Schedules the next attempt of a first start.
    pub(super) fn schedule_first_start(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(entry) = self.children.get(key) else { return };
        let delay = self.delay(key, entry.policy.retry_start.as_deref());
        if self.exceeds_start_limit(key, delay) {
            return self.fail(key, reason);
        }
        let restarts_left = self.window.remaining(self.now, self.children.len());
        self.report_restart(key, reason.clone(), restarts_left, delay);
        let due = self.now.saturating_add(delay);
        self.children.set(key, State::Restarting { reason, next: NextStart::FirstStart }, Some(due));
    }
}
