//! The checks of a [simulation](super::random_sim) of random events.

use std::collections::BTreeSet;

use super::random_sim::{Incarnation, RandomSim};
use super::tasks::Outcome;
use crate::engine::state::{Mode, StartCause};
use crate::engine::{ChildKey, ChildView, State};

impl RandomSim {
    /// Checks the state of the engine against the simulated children.
    pub(super) fn check(&mut self) {
        let known: BTreeSet<ChildKey> = self.engine.views().map(|view| view.key).collect();
        assert!(self.exits > 0 || known == self.known, "{known:?} are children, and not {:?}", self.known);
        let mut starting = 0;
        let mut stopping = BTreeSet::new();
        for ChildView { key, state, .. } in self.engine.views() {
            let current = self.live.get(&key).copied();
            match state {
                State::Running { run, .. } => {
                    assert_eq!(current, Some(Incarnation { run: *run, up: true }))
                }
                State::Starting { run, cause, .. } => {
                    assert_eq!(current.map(|current| current.run), Some(*run));
                    starting += usize::from(*cause == StartCause::Transition);
                }
                State::Stopping(child) => {
                    assert_eq!(current.map(|current| current.run), Some(child.run));
                    stopping.extend((!child.unresponsive).then_some(key));
                }
                State::Stopped
                | State::Ended { .. }
                | State::CheckingCondition { .. }
                | State::Restarting { .. }
                | State::Failed => {
                    assert_eq!(current, None)
                }
            }
        }
        assert!(starting <= 1, "a transition starts one after the other");
        self.check_order(&stopping);
    }

    /// Checks that a shutdown stops one child after the other, in reverse start order.
    fn check_order(&mut self, stopping: &BTreeSet<ChildKey>) {
        if self.engine.is_dynamic() || !self.engine.is_shutting_down() {
            return;
        }
        let stopping_before = self.stopping_before.get_or_insert_with(|| stopping.clone());
        let stopped: Vec<ChildKey> = stopping.difference(stopping_before).copied().collect();
        assert!(stopped.len() <= 1, "{stopped:?} stop together");
        assert!(
            stopped.is_empty() || stopped.last() == self.live.keys().last(),
            "{stopped:?} stops too early"
        );
    }

    /// Completes everything that is pending, within a limited number of steps.
    pub(super) fn finish_all(&mut self) {
        for _ in 0..10_000 {
            let settled = |view: ChildView<'_>| {
                matches!(view.state, State::Running { .. } | State::Stopped | State::Failed)
            };
            if !self.tasks.is_empty() {
                self.answer(0, Outcome::Success);
            } else if !self.retries.is_empty() {
                self.deliver();
            } else if !self.engine.views().all(settled) {
                assert!(self.engine.next_deadline().is_some(), "it never settles");
                self.wait_until_due();
            } else {
                return self.check_idle();
            }
        }
        panic!("it never settles");
    }

    /// Checks the state when nothing is pending.
    fn check_idle(&self) {
        assert!(matches!(self.engine.mode, Mode::Running | Mode::Ended), "a transition is left over");
        assert!(self.pending.is_empty(), "a request is unanswered");
        assert_eq!(self.engine.children.transitions.retained_len(), 0, "nothing is in transition");
        for ChildView { key, state, .. } in self.engine.views() {
            let is_running = matches!(state, State::Running { .. });
            assert!(
                self.exits > 0 || is_running == self.open.contains(&key),
                "{key:?} is {state:?}, and its mailbox is not"
            );
        }
        if self.exits > 0 {
            assert_eq!(self.engine.next_deadline(), None, "there is nothing left to wait for");
            assert!(self.live.is_empty());
        }
    }
}
