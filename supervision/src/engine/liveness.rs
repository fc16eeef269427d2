//! Watching children that run, and what becomes of those that are found to hang.

use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::Suspensions;

use super::core::{Engine, Mode};
use super::liveness_timers::LivenessTimers;
use super::types::{Action, ChildKey, EngineReport, StartId, State, Stopping, UnresponsiveCause};
use crate::policy::{Liveness, Shutdown};

/// How long a child that hangs is given to stop, if its spec gives it for ever.
const GRACE: Duration = Duration::from_secs(5);

impl Engine {
    /// Looks at a child and asks it, as it is due.
    pub(super) fn watch(&mut self, key: ChildKey, run: StartId) {
        let now = self.now;
        let Some(watch) = self.watch_of(key, run) else { return };
        let (look, probe) = watch.due(now);
        let is_overdue = probe && watch.probe_id.take().is_some();
        watch.is_overdue |= is_overdue;
        if look || is_overdue {
            self.actions.push(Action::CheckBusy { key, run });
        }
        if probe && !is_overdue { self.ask(key, run) } else { self.rearm(key) }
    }

    /// The time for an answer runs here, and not only where the answer is waited for: that is a task which the child wakes, and
    /// which tokio may keep for a thread that the child then blocks.
    fn ask(&mut self, key: ChildKey, run: StartId) {
        let (now, question) = (self.now, self.questions);
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(watch) = self.watch_of(key, run) else { return };
        watch.probe_id = Some(question);
        watch.probe = Some(now.saturating_add(policy.timeout));
        self.questions = question.wrapping_add(1);
        self.actions.push(Action::Probe { key, run, question });
        self.rearm(key);
    }

    /// What is due of a child that is suspended, or was when it was asked, begins anew: with the look, or when it was resumed.
    pub(super) fn on_looked(
        &mut self,
        key: ChildKey,
        run: StartId,
        busy: Option<Duration>,
        suspensions: Suspensions,
    ) {
        let now = self.now;
        let Some(liveness) = self.liveness_of(key).cloned() else { return };
        let Some(watch) = self.watch_of(key, run) else { return };
        if suspensions.is_suspended {
            *watch = LivenessTimers::begin(&liveness, now, watch.resumptions);
            return self.rearm(key);
        }
        if suspensions.resumptions != watch.resumptions {
            let resumed_at = now.saturating_sub(suspensions.resumed_for);
            *watch = LivenessTimers::begin(&liveness, resumed_at, suspensions.resumptions);
            return self.rearm(key);
        }
        if std::mem::take(&mut watch.is_overdue) && self.missed(key, run, &liveness) {
            return;
        }
        if let Some(deadline) = liveness.handler_deadline {
            self.judge_handler(key, run, busy, deadline);
        }
    }

    /// Counts a missed answer. Returns `true` if it was the last that the child may miss.
    fn missed(&mut self, key: ChildKey, run: StartId, liveness: &Liveness) -> bool {
        let now = self.now;
        let (Some(policy), Some(watch)) = (liveness.probe, self.watch_of(key, run)) else { return false };
        watch.missed_probes += 1;
        let misses = watch.missed_probes;
        if misses >= policy.failure_threshold {
            self.stop_unresponsive(key, run, UnresponsiveCause::Probe(misses));
            return true;
        }
        watch.probe = Some(now.saturating_add(policy.period));
        self.rearm(key);
        false
    }

    /// A handler is seen from its first await on, or else from the first look; so half a deadline is often enough to look.
    fn judge_handler(&mut self, key: ChildKey, run: StartId, busy: Option<Duration>, deadline: Duration) {
        let now = self.now;
        let Some(watch) = self.watch_of(key, run) else { return };
        match busy {
            Some(busy) if busy >= deadline => {
                self.stop_unresponsive(key, run, UnresponsiveCause::Handler(busy))
            }
            busy => {
                let wait = (deadline - busy.unwrap_or_default()).min(deadline / 2);
                watch.look = Some(now.saturating_add(wait));
                self.rearm(key);
            }
        }
    }

    /// What comes after the time was up changes nothing. Whether an answer that never comes was missed, a look tells.
    pub(super) fn on_probed(&mut self, key: ChildKey, run: StartId, question: u32, answered: bool) {
        let now = self.now;
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(watch) = self.watch_of(key, run).filter(|watch| watch.probe_id == Some(question)) else {
            return;
        };
        watch.probe_id = None;
        if answered {
            watch.missed_probes = 0;
            watch.probe = Some(now.saturating_add(policy.period));
        } else {
            (watch.is_overdue, watch.probe) = (true, None);
            self.actions.push(Action::CheckBusy { key, run });
        }
        self.rearm(key);
    }

    /// The child hangs: it is told to stop, then killed, then abandoned, and comes back (rule 7).
    fn stop_unresponsive(&mut self, key: ChildKey, run: StartId, sign: UnresponsiveCause) {
        self.reset_backoff_if_healthy(key);
        let Some(entry) = self.children.get(key) else { return };
        self.actions.push(Action::Report(EngineReport::Unresponsive { key, sign }));
        let stopping = Stopping { unresponsive: true, ..Stopping::new(run) };
        let grace = match entry.policy.shutdown {
            Shutdown::BrutalKill => return self.kill(key, stopping),
            Shutdown::Timeout(time) | Shutdown::Drain(time) => time,
            Shutdown::Infinity => GRACE,
        };
        let deadline = self.now.saturating_add(grace);
        self.children.set(key, State::Stopping(Box::new(stopping)), Some(deadline));
        self.actions.push(Action::Stop { key, reason: ExitReason::Unresponsive, drains: false });
    }

    /// A child that hung is gone, or as good as: now it is as if it had ended by itself.
    pub(super) fn restart_unresponsive(&mut self, key: ChildKey) {
        if matches!(self.mode, Mode::Running) {
            self.on_child_exit(key, ExitReason::Unresponsive);
        } else {
            self.children.set(key, State::Ended { reason: ExitReason::Unresponsive }, None);
            self.ended.push_back(key);
        }
    }

    fn liveness_of(&self, key: ChildKey) -> Option<&Liveness> {
        self.children.get(key)?.policy.liveness.as_deref()
    }

    fn watch_of(&mut self, key: ChildKey, of: StartId) -> Option<&mut LivenessTimers> {
        match &mut self.children.get_mut(key)?.state {
            State::Running { run, watch, .. } if *run == of => watch.as_deref_mut(),
            _ => None,
        }
    }

    fn rearm(&mut self, key: ChildKey) {
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
    use crate::policy::{AutoShutdown, ChildPolicy, Intensity, ProbePolicy, Strategy, SupervisorKind};

    const CHILD: ChildKey = ChildKey(0);
    const RUN: StartId = StartId(0);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A child that runs, is asked every second, has half a second to answer, and may miss one answer.
    fn probed() -> Engine {
        let probe = ProbePolicy { period: at(1000), timeout: at(500), failure_threshold: 2 };
        let liveness = Liveness { probe: Some(probe), ..Liveness::default() };
        let child = ChildPolicy { liveness: Some(liveness.into()), ..ChildPolicy::default() };
        let kind =
            SupervisorKind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::Never };
        let policy = Policy { kind, intensity: Intensity::default().into(), kill_grace: at(1000), seed: 0 };
        let mut engine = Engine::new(policy, [("a".into(), child)], RUN);
        engine.step(Event::Begin, at(0));
        engine.step(Event::Started { key: CHILD, run: RUN }, at(0));
        engine
    }

    /// What it is asked when this deadline has passed, which is the next one.
    fn asked(engine: &mut Engine, millis: u64) -> Option<u32> {
        assert_eq!(engine.next_deadline(), Some(at(millis)));
        tick(engine, millis, Suspensions::default()).iter().find_map(|action| match action {
            Action::Probe { question, .. } => Some(*question),
            _ => None,
        })
    }

    /// What follows from a deadline, when the child is found like this if it is looked at.
    fn tick(engine: &mut Engine, millis: u64, suspensions: Suspensions) -> Vec<Action> {
        let actions = engine.step(Event::Tick, at(millis));
        match actions[..] {
            [Action::CheckBusy { key, run }] => {
                engine.step(Event::BusyChecked { key, run, busy: None, suspensions }, at(millis))
            }
            _ => actions,
        }
    }

    fn answers(engine: &mut Engine, question: u32, millis: u64) -> Vec<Action> {
        engine.step(Event::Probed { key: CHILD, run: RUN, question, answered: true }, at(millis))
    }

    fn hangs(actions: &[Action]) -> bool {
        actions.iter().any(|action| matches!(action, Action::Report(EngineReport::Unresponsive { .. })))
    }

    #[test]
    fn nobody_has_to_say_that_an_answer_was_missed() {
        let mut engine = probed();
        assert!(asked(&mut engine, 1000).is_some());
        assert_eq!(asked(&mut engine, 1500), None);
        assert!(asked(&mut engine, 2500).is_some());
        assert!(hangs(&tick(&mut engine, 3000, Suspensions::default())));
    }

    #[test]
    fn an_answer_that_comes_too_late_is_no_answer_to_the_next_question() {
        let mut engine = probed();
        let first = asked(&mut engine, 1000).expect("it is asked");
        asked(&mut engine, 1500);
        let second = asked(&mut engine, 2500).expect("it is asked again");
        assert!(answers(&mut engine, first, 2600).is_empty());
        assert!(hangs(&tick(&mut engine, 3000, Suspensions::default())));
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

    const SUSPENDED: Suspensions =
        Suspensions { is_suspended: true, resumptions: 0, resumed_for: Duration::ZERO };

    fn resumed(resumptions: u32, before: u64) -> Suspensions {
        Suspensions { is_suspended: false, resumptions, resumed_for: at(before) }
    }

    #[test]
    fn a_suspended_child_misses_no_answer_however_long_that_lasts() {
        let mut engine = probed();
        let mut now = 0;
        for _ in 0..100 {
            assert!(asked(&mut engine, now + 1000).is_some());
            now += 1500;
            assert_eq!(engine.next_deadline(), Some(at(now)));
            assert!(tick(&mut engine, now, SUSPENDED).is_empty());
        }
    }

    #[test]
    fn what_is_due_of_a_child_begins_anew_when_it_is_resumed() {
        let mut engine = probed();
        asked(&mut engine, 1000);
        assert_eq!(asked(&mut engine, 1500), None, "it misses an answer");
        assert!(asked(&mut engine, 2500).is_some());
        // It was suspended after that, and resumed at 2900.
        assert!(tick(&mut engine, 3000, resumed(1, 100)).is_empty());
        for (begun, misses) in [(3900, false), (5400, true)] {
            assert_eq!(engine.next_deadline(), Some(at(begun)));
            assert!(!tick(&mut engine, begun, resumed(1, begun - 2900)).is_empty());
            let found = tick(&mut engine, begun + 500, resumed(1, begun - 2400));
            assert_eq!(hangs(&found), misses, "the miss before does not count, those after it do");
        }
    }

    #[test]
    fn a_child_that_was_resumed_long_ago_is_asked_at_once() {
        let mut engine = probed();
        asked(&mut engine, 1000);
        assert!(tick(&mut engine, 20_000, resumed(3, 10_000)).is_empty());
        assert_eq!(engine.next_deadline(), Some(at(11_000)));
        let actions = tick(&mut engine, 20_000, resumed(3, 10_000));
        assert!(matches!(actions[..], [Action::Probe { .. }]), "{actions:?}");
    }
}
