//! Watching children that run, and what becomes of those that are found to hang.

use std::time::Duration;

use perennial_actors::ExitReason;

use super::core::{Engine, Mode};
use super::types::{Action, Key, Report, Run, Sign, State, Stopping};
use super::watch::Watch;
use crate::policy::{Liveness, Shutdown};

/// How long a child that hangs is given to stop, if its spec gives it for ever.
const GRACE: Duration = Duration::from_secs(5);

impl Engine {
    /// Looks at a child and asks it, as it is due.
    pub(super) fn watch(&mut self, key: Key, run: Run) {
        let now = self.now;
        let Some(watch) = self.watch_of(key, run) else { return };
        let (look, probe) = watch.due(now);
        if look {
            self.actions.push(Action::Look { key, run });
        }
        if probe {
            self.actions.push(Action::Probe { key, run });
        }
        self.rearm(key);
    }

    /// A handler is seen from its first await on, or else from the first look; so half a deadline is often enough to look.
    pub(super) fn on_looked(&mut self, key: Key, run: Run, busy: Option<Duration>) {
        let now = self.now;
        let Some(deadline) = self.liveness_of(key).and_then(|liveness| liveness.handler_deadline) else {
            return;
        };
        let Some(watch) = self.watch_of(key, run) else { return };
        match busy {
            Some(busy) if busy >= deadline => self.condemn(key, run, Sign::Handler(busy)),
            busy => {
                let wait = (deadline - busy.unwrap_or_default()).min(deadline / 2);
                watch.look = Some(now.saturating_add(wait));
                self.rearm(key);
            }
        }
    }

    pub(super) fn on_probed(&mut self, key: Key, run: Run, answered: bool) {
        let now = self.now;
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(watch) = self.watch_of(key, run) else { return };
        watch.misses = if answered { 0 } else { watch.misses + 1 };
        if watch.misses >= policy.misses {
            let misses = watch.misses;
            return self.condemn(key, run, Sign::Probe(misses));
        }
        watch.probe = Some(now.saturating_add(policy.every));
        self.rearm(key);
    }

    /// The child hangs: it is told to stop, then killed, then abandoned, and comes back (rule 7).
    fn condemn(&mut self, key: Key, run: Run, sign: Sign) {
        let now = self.now;
        let Some(entry) = self.children.get_mut(key) else { return };
        entry.forgive(now);
        self.actions.push(Action::Report(Report::Unresponsive { key, sign }));
        let stopping = Stopping { unresponsive: true, ..Stopping::new(run) };
        let grace = match entry.policy.shutdown {
            Shutdown::BrutalKill => return self.kill(key, stopping),
            Shutdown::Timeout(time) => time,
            Shutdown::Infinity => GRACE,
        };
        let deadline = now.saturating_add(grace);
        self.children.set(key, State::Stopping(Box::new(stopping)), Some(deadline));
        self.actions.push(Action::Stop { key, reason: ExitReason::Unresponsive });
    }

    /// A child that hung is gone, or as good as: now it is as if it had ended by itself.
    pub(super) fn replace(&mut self, key: Key) {
        if matches!(self.mode, Mode::Up) {
            self.react(key, ExitReason::Unresponsive);
        } else {
            self.children.set(key, State::Ended { reason: ExitReason::Unresponsive }, None);
            self.ended.push_back(key);
        }
    }

    fn liveness_of(&self, key: Key) -> Option<&Liveness> {
        self.children.get(key)?.policy.liveness.as_deref()
    }

    fn watch_of(&mut self, key: Key, of: Run) -> Option<&mut Watch> {
        match &mut self.children.get_mut(key)?.state {
            State::Running { run, watch, .. } if *run == of => watch.as_deref_mut(),
            _ => None,
        }
    }

    fn rearm(&mut self, key: Key) {
        let next = match self.children.get(key).map(|entry| &entry.state) {
            Some(State::Running { watch: Some(watch), .. }) => watch.next(),
            _ => None,
        };
        self.children.set_deadline(key, next);
    }
}
