//! The liveness checks of running children, and the restart of unresponsive ones.

use std::time::Duration;

use perennial_actors::host::Suspensions;

use super::core::Engine;
use super::state::{LivenessTimers, State, Stopping};
use super::types::{Action, ChildKey, StartId};
use crate::policy::Liveness;
use crate::report::{LivenessFailure, ReportKind};

impl Engine {
    /// Checks the handler of a child and probes it, if either is due.
    pub(super) fn check_liveness(&mut self, key: ChildKey, run: StartId) {
        let now = self.now;
        let Some(timers) = self.timers_mut(key, run) else { return };
        let (check_due, probe_due) = timers.due(now);
        let is_overdue = probe_due && timers.probe_id.take().is_some();
        timers.is_overdue |= is_overdue;
        if check_due || is_overdue {
            self.actions.push(Action::CheckBusy { key, run });
        }
        if probe_due && !is_overdue { self.send_probe(key, run) } else { self.rearm(key) }
    }

    /// Sends a probe. Its timeout is a deadline of the engine, and not only of the task that waits
    /// for the answer: the child wakes that task, and tokio may reserve it for a thread that the
    /// child then blocks.
    fn send_probe(&mut self, key: ChildKey, run: StartId) {
        let (now, probe_id) = (self.now, self.next_probe_id);
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(timers) = self.timers_mut(key, run) else { return };
        timers.probe_id = Some(probe_id);
        timers.probe_at = Some(now.saturating_add(policy.timeout));
        self.next_probe_id = probe_id.wrapping_add(1);
        self.actions.push(Action::Probe { key, run, probe_id });
        self.rearm(key);
    }

    /// Handles the state of a child's handler. If the child is suspended, or was suspended since
    /// the last check, all checks start anew from now or from its resumption.
    pub(super) fn on_busy_checked(
        &mut self,
        key: ChildKey,
        run: StartId,
        busy: Option<Duration>,
        suspensions: Suspensions,
    ) {
        let now = self.now;
        let Some(liveness) = self.liveness_of(key).cloned() else { return };
        let Some(timers) = self.timers_mut(key, run) else { return };
        if suspensions.is_suspended {
            *timers = LivenessTimers::begin(&liveness, now, timers.resumptions);
            return self.rearm(key);
        }
        if suspensions.resumptions != timers.resumptions {
            let resumed_at = now.saturating_sub(suspensions.resumed_for);
            *timers = LivenessTimers::begin(&liveness, resumed_at, suspensions.resumptions);
            return self.rearm(key);
        }
        if std::mem::take(&mut timers.is_overdue) && self.record_missed_probe(key, run, &liveness) {
            return;
        }
        if let Some(deadline) = liveness.handler_deadline {
            self.check_handler(key, run, busy, deadline);
        }
    }

    /// Counts a missed answer. Returns `true` if that makes the child unresponsive.
    fn record_missed_probe(&mut self, key: ChildKey, run: StartId, liveness: &Liveness) -> bool {
        let now = self.now;
        let (Some(policy), Some(timers)) = (liveness.probe, self.timers_mut(key, run)) else { return false };
        timers.missed_probes += 1;
        let misses = timers.missed_probes;
        if misses >= policy.failure_threshold {
            self.stop_unresponsive(key, run, LivenessFailure::Probe(misses));
            return true;
        }
        timers.probe_at = Some(now.saturating_add(policy.period));
        self.rearm(key);
        false
    }

    /// Checks the time of a handler against its deadline. A handler is observed from its first
    /// await or from the first check, so a check every half deadline is sufficient.
    fn check_handler(&mut self, key: ChildKey, run: StartId, busy: Option<Duration>, deadline: Duration) {
        let now = self.now;
        let Some(timers) = self.timers_mut(key, run) else { return };
        match busy {
            Some(busy) if busy >= deadline => {
                self.stop_unresponsive(key, run, LivenessFailure::Handler(busy))
            }
            busy => {
                let wait = (deadline - busy.unwrap_or_default()).min(deadline / 2);
                timers.check_at = Some(now.saturating_add(wait));
                self.rearm(key);
            }
        }
    }

    /// Handles the outcome of a probe. Outcomes after the timeout are ignored. A missing answer
    /// counts as missed only if a check finds that the child is not suspended.
    pub(super) fn on_probed(&mut self, key: ChildKey, run: StartId, probe_id: u32, answered: bool) {
        let now = self.now;
        let Some(policy) = self.liveness_of(key).and_then(|liveness| liveness.probe) else { return };
        let Some(timers) = self.timers_mut(key, run).filter(|timers| timers.probe_id == Some(probe_id))
        else {
            return;
        };
        timers.probe_id = None;
        if answered {
            timers.missed_probes = 0;
            timers.probe_at = Some(now.saturating_add(policy.period));
        } else {
            (timers.is_overdue, timers.probe_at) = (true, None);
            self.actions.push(Action::CheckBusy { key, run });
        }
        self.rearm(key);
    }

    /// Stops an unresponsive child: asks it to stop, then kills it, then abandons it. Then it
    /// restarts (rule 7).
    fn stop_unresponsive(&mut self, key: ChildKey, run: StartId, sign: LivenessFailure) {
        self.reset_backoff_if_healthy(key);
        self.report(key, ReportKind::Unresponsive { sign });
        self.begin_stop(key, Stopping { run, unresponsive: true, ..Stopping::default() });
    }

    fn liveness_of(&self, key: ChildKey) -> Option<&Liveness> {
        self.children.get(key)?.policy.liveness.as_deref()
    }

    fn timers_mut(&mut self, key: ChildKey, of: StartId) -> Option<&mut LivenessTimers> {
        match &mut self.children.get_mut(key)?.state {
            State::Running { run, timers, .. } if *run == of => timers.as_deref_mut(),
            _ => None,
        }
    }

    fn rearm(&mut self, key: ChildKey) {
        let next = match self.children.get(key).map(|entry| &entry.state) {
            Some(State::Running { timers: Some(timers), .. }) => timers.next(),
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

    /// Returns an engine with a running child that is probed every second, has half a second to
    /// answer, and may miss one answer.
    fn probed() -> Engine {
        let probe =
            ProbePolicy { initial_delay: None, period: at(1000), timeout: at(500), failure_threshold: 2 };
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

    /// Passes the next deadline, which is at this time. Returns the id of the probe that is sent
    /// then.
    fn asked(engine: &mut Engine, millis: u64) -> Option<u32> {
        assert_eq!(engine.next_deadline(), Some(at(millis)));
        tick(engine, millis, Suspensions::default()).iter().find_map(|action| match action {
            Action::Probe { probe_id, .. } => Some(*probe_id),
            _ => None,
        })
    }

    /// Passes a deadline. If the child is checked, it is found idle and with these suspensions.
    fn tick(engine: &mut Engine, millis: u64, suspensions: Suspensions) -> Vec<Action> {
        let actions = engine.step(Event::Tick, at(millis));
        match actions[..] {
            [Action::CheckBusy { key, run }] => {
                engine.step(Event::BusyChecked { key, run, busy: None, suspensions }, at(millis))
            }
            _ => actions,
        }
    }

    fn answers(engine: &mut Engine, probe_id: u32, millis: u64) -> Vec<Action> {
        engine.step(Event::Probed { key: CHILD, run: RUN, probe_id, answered: true }, at(millis))
    }

    fn is_unresponsive(actions: &[Action]) -> bool {
        actions
            .iter()
            .any(|action| matches!(action, Action::Report { kind: ReportKind::Unresponsive { .. }, .. }))
    }

    #[test]
    fn missing_answer_is_detected_without_an_event_of_the_probe() {
        let mut engine = probed();
        assert!(asked(&mut engine, 1000).is_some());
        assert_eq!(asked(&mut engine, 1500), None);
        assert!(asked(&mut engine, 2500).is_some());
        assert!(is_unresponsive(&tick(&mut engine, 3000, Suspensions::default())));
    }

    #[test]
    fn late_answer_does_not_count_for_the_next_probe() {
        let mut engine = probed();
        let first = asked(&mut engine, 1000).expect("it is asked");
        asked(&mut engine, 1500);
        let second = asked(&mut engine, 2500).expect("it is asked again");
        assert!(answers(&mut engine, first, 2600).is_empty());
        assert!(is_unresponsive(&tick(&mut engine, 3000, Suspensions::default())));
        assert!(answers(&mut engine, second, 3001).is_empty(), "it is being stopped");
    }

    #[test]
    fn answer_in_time_resets_the_missed_answers() {
        let mut engine = probed();
        asked(&mut engine, 1000);
        asked(&mut engine, 1500);
        for n in 0..10 {
            let begun = 2500 + n * 3000;
            let probe_id = asked(&mut engine, begun).expect("it is asked again");
            answers(&mut engine, probe_id, begun + 500);
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
    fn suspended_child_misses_no_answer() {
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
    fn checks_start_anew_when_the_child_is_resumed() {
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
            assert_eq!(is_unresponsive(&found), misses, "the miss before does not count, those after it do");
        }
    }

    #[test]
    fn child_that_was_resumed_long_ago_is_probed_at_once() {
        let mut engine = probed();
        asked(&mut engine, 1000);
        assert!(tick(&mut engine, 20_000, resumed(3, 10_000)).is_empty());
        assert_eq!(engine.next_deadline(), Some(at(11_000)));
        let actions = tick(&mut engine, 20_000, resumed(3, 10_000));
        assert!(matches!(actions[..], [Action::Probe { .. }]), "{actions:?}");
    }
}
