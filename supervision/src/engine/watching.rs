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
        let ((look, probe), question) = (watch.due(now), watch.question);
        if look {
            self.actions.push(Action::Look { key, run });
        }
        match question {
            _ if !probe => self.rearm(key),
            Some(question) => self.on_probed(key, run, question, false),
            None => self.ask(key, run),
        }
    }

    /// The time for an answer runs here, and not only where the answer is waited for: that is a task which the child wakes, and
    /// which tokio may keep for a thread that the child then blocks.
    fn ask(&mut self, key: Key, run: Run) {
        let (now, question) = (self.now, self.questions);
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(watch) = self.watch_of(key, run) else { return };
        watch.question = Some(question);
        watch.probe = Some(now.saturating_add(policy.timeout));
        self.questions = question.wrapping_add(1);
        self.actions.push(Action::Probe { key, run, question });
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

    /// What comes after the time was up changes nothing.
    pub(super) fn on_probed(&mut self, key: Key, run: Run, question: u32, answered: bool) {
        let now = self.now;
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(watch) = self.watch_of(key, run).filter(|watch| watch.question == Some(question)) else {
            return;
        };
        watch.question = None;
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
        self.forgive(key);
        let Some(entry) = self.children.get(key) else { return };
        self.actions.push(Action::Report(Report::Unresponsive { key, sign }));
        let stopping = Stopping { unresponsive: true, ..Stopping::new(run) };
        let grace = match entry.policy.shutdown {
            Shutdown::BrutalKill => return self.kill(key, stopping),
            Shutdown::Timeout(time) => time,
            Shutdown::Infinity => GRACE,
        };
        let deadline = self.now.saturating_add(grace);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Event, Policy};
    use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Kind, ProbePolicy, Strategy};

    const CHILD: Key = Key(0);
    const RUN: Run = Run(0);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A child that runs, is asked every second, has half a second to answer, and may miss one answer.
    fn probed() -> Engine {
        let probe = ProbePolicy { every: at(1000), timeout: at(500), misses: 2 };
        let liveness = Liveness { probe: Some(probe), ..Liveness::default() };
        let child = ChildPolicy { liveness: Some(liveness.into()), ..ChildPolicy::default() };
        let kind = Kind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::Never };
        let policy = Policy { kind, intensity: Intensity::default(), patience: at(1000), seed: 0 };
        let mut engine = Engine::new(policy, [("a".into(), child)], RUN);
        engine.step(Event::Begin, at(0));
        engine.step(Event::Started { key: CHILD, run: RUN }, at(0));
        engine
    }

    /// What it is asked when this deadline has passed, which is the next one.
    fn asked(engine: &mut Engine, millis: u64) -> Option<u32> {
        assert_eq!(engine.next_deadline(), Some(at(millis)));
        engine.step(Event::Tick, at(millis)).iter().find_map(|action| match action {
            Action::Probe { question, .. } => Some(*question),
            _ => None,
        })
    }

    fn answers(engine: &mut Engine, question: u32, millis: u64) -> Vec<Action> {
        engine.step(Event::Probed { key: CHILD, run: RUN, question, answered: true }, at(millis))
    }

    fn hangs(actions: &[Action]) -> bool {
        actions.iter().any(|action| matches!(action, Action::Report(Report::Unresponsive { .. })))
    }

    #[test]
    fn nobody_has_to_say_that_an_answer_was_missed() {
        let mut engine = probed();
        assert!(asked(&mut engine, 1000).is_some());
        assert_eq!(asked(&mut engine, 1500), None);
        assert!(asked(&mut engine, 2500).is_some());
        assert!(hangs(&engine.step(Event::Tick, at(3000))));
    }

    #[test]
    fn an_answer_that_comes_too_late_is_no_answer_to_the_next_question() {
        let mut engine = probed();
        let first = asked(&mut engine, 1000).expect("it is asked");
        asked(&mut engine, 1500);
        let second = asked(&mut engine, 2500).expect("it is asked again");
        assert!(answers(&mut engine, first, 2600).is_empty());
        assert!(hangs(&engine.step(Event::Tick, at(3000))));
        assert!(answers(&mut engine, second, 3001).is_empty(), "it is on its way out");
    }

    #[test]
    fn an_answer_in_time_makes_good_for_one_that_was_missed() {
        let mut engine = probed();
        asked(&mut engine, 1000);
        asked(&mut engine, 1500);
        for n in 0..10 {
            let begun = 2500 + n * 3000;
            let question = asked(&mut engine, begun).expect("it is asked again");
            answers(&mut engine, question, begun + 500);
            assert!(asked(&mut engine, begun + 1500).is_some());
            assert_eq!(asked(&mut engine, begun + 2000), None, "one is missed again");
        }
    }
}
