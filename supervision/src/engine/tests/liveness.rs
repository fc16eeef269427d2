//! The liveness checks: deadlines, watchdogs and probes, and suspended children.

use std::time::Duration;

use perennial_actors::host::Suspensions;

use crate::engine::liveness::check_limits;
use crate::engine::{Action, ChildKey, Engine, Event, Policy, Request, RequestId, StartId};
use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Liveness, ProbePolicy, Strategy, SupervisorKind};
use crate::report::{LivenessFailure, ReportKind};

const CHILD: ChildKey = ChildKey(0);
const RUN: StartId = StartId(0);

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns an engine with a running child that is probed every second, has half a second to
/// answer, and may miss one answer.
fn probed() -> Engine {
    let probe = ProbePolicy { initial_delay: None, period: at(1000), timeout: at(500), failure_threshold: 2 };
    let liveness = Liveness { probe: Some(probe), ..Liveness::default() };
    engine_of(ChildPolicy { liveness: Some(liveness.into()), ..ChildPolicy::default() })
}

fn engine_policy() -> Policy {
    let kind = SupervisorKind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::Never };
    Policy { kind, intensity: Intensity::default().into(), kill_grace: at(1000), seed: 0 }
}

/// Returns an engine with this child, which has started.
fn engine_of(child: ChildPolicy) -> Engine {
    let mut engine = Engine::new(engine_policy(), [("a".into(), child)], RUN);
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
            engine.step(Event::BusyChecked { key, run, busy: None, last_ping: None, suspensions }, at(millis))
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

#[test]
fn time_of_a_handler_and_its_silence_have_limits_of_their_own() {
    use LivenessFailure::{Handler, Watchdog};
    let secs = Duration::from_secs;
    let some = |time: u64| (time > 0).then(|| secs(time));
    // The deadline, the watchdog, for how long it is busy and silent; 0 for none. The outcome is
    // the time until the next check.
    for (deadline, watchdog, busy, silent, outcome) in [
        (0, 0, 9, 9, Ok(0)),
        (10, 0, 0, 0, Ok(5)),
        (10, 0, 3, 3, Ok(5)),
        (10, 0, 7, 1, Ok(3)),
        (10, 0, 10, 1, Err(Handler(secs(10)))),
        (0, 30, 0, 0, Ok(15)),
        (0, 30, 90, 20, Ok(10)),
        (0, 30, 90, 30, Err(Watchdog(secs(30)))),
        (0, 30, 0, 31, Err(Watchdog(secs(31)))),
        (100, 30, 98, 20, Ok(2)),
        (100, 30, 40, 25, Ok(5)),
        (100, 30, 100, 30, Err(Handler(secs(100)))),
        (100, 30, 99, 30, Err(Watchdog(secs(30)))),
    ] {
        let (handler_deadline, watchdog) = (some(deadline), some(watchdog));
        let liveness = Liveness { handler_deadline, watchdog, probe: None };
        let found = check_limits(&liveness, some(busy), some(silent));
        assert_eq!(found, outcome.map(some), "{liveness:?}: busy {busy}, silent {silent}");
    }
}

/// Returns the engine of a child with a watchdog of 30 seconds, which has started.
fn with_watchdog(is_task: bool) -> Engine {
    let liveness = Liveness { watchdog: Some(at(30_000)), ..Liveness::default() };
    engine_of(ChildPolicy { liveness: Some(liveness.into()), is_task, ..ChildPolicy::default() })
}

/// Passes the next deadline. The check then finds the child busy since `busy_since` and its
/// last ping at `pinged`, both in milliseconds. Returns the time, and how long it was silent if
/// it is unresponsive.
fn checked(
    engine: &mut Engine,
    busy_since: Option<u64>,
    pinged: Option<u64>,
) -> (Duration, Option<Duration>) {
    let now = engine.next_deadline().expect("it is checked");
    let [Action::CheckBusy { key, run }] = engine.step(Event::Tick, now)[..] else {
        panic!("nothing is checked at {now:?}")
    };
    let ago = |time: Option<u64>| time.map(|time| now - at(time));
    let (busy, last_ping, suspensions) = (ago(busy_since), ago(pinged), Suspensions::default());
    let actions = engine.step(Event::BusyChecked { key, run, busy, last_ping, suspensions }, now);
    let silent = actions.iter().find_map(|action| match action {
        Action::Report {
            kind: ReportKind::Unresponsive { sign: LivenessFailure::Watchdog(time) }, ..
        } => Some(*time),
        _ => None,
    });
    (now, silent)
}

#[test]
fn task_is_silent_since_its_start_or_its_last_ping() {
    let mut engine = with_watchdog(true);
    assert_eq!(checked(&mut engine, None, None), (at(15_000), None));
    assert_eq!(checked(&mut engine, None, Some(29_000)), (at(30_000), None));
    assert_eq!(checked(&mut engine, None, Some(29_000)), (at(45_000), None));
    assert_eq!(checked(&mut engine, None, Some(29_000)), (at(59_000), Some(at(30_000))));
    let mut engine = with_watchdog(true);
    assert_eq!(checked(&mut engine, None, None), (at(15_000), None));
    assert_eq!(checked(&mut engine, None, None), (at(30_000), Some(at(30_000))));
}

#[test]
fn actor_is_silent_since_its_last_ping_or_the_start_of_its_handler() {
    let mut engine = with_watchdog(false);
    for n in 1..=10 {
        assert_eq!(checked(&mut engine, None, None), (at(n * 15_000), None), "it is idle");
    }
    assert_eq!(checked(&mut engine, Some(155_000), Some(1_000)), (at(165_000), None));
    assert_eq!(checked(&mut engine, Some(155_000), Some(1_000)), (at(180_000), None));
    assert_eq!(checked(&mut engine, Some(155_000), Some(184_000)), (at(185_000), None));
    assert_eq!(checked(&mut engine, Some(155_000), Some(184_000)), (at(200_000), None));
    assert_eq!(checked(&mut engine, Some(155_000), Some(184_000)), (at(214_000), Some(at(30_000))));
}

#[test]
fn silence_before_a_resumption_or_a_change_of_the_policy_does_not_count() {
    let mut engine = with_watchdog(true);
    assert_eq!(checked(&mut engine, None, Some(2_000)), (at(15_000), None));
    // It was suspended then, and resumed at 31000.
    assert!(tick(&mut engine, 32_000, resumed(1, 1_000)).is_empty());
    assert_eq!(engine.next_deadline(), Some(at(46_000)));
    assert!(tick(&mut engine, 46_000, resumed(1, 15_000)).is_empty());
    let policy = engine.view(CHILD).expect("it is there").policy.clone();
    let children = vec![("a".into(), policy)];
    let request = Request::Change { policy: engine_policy(), children };
    engine.step(Event::Request { ticket: RequestId(0), request }, at(60_000));
    assert_eq!(engine.next_deadline(), Some(at(75_000)));
    assert!(tick(&mut engine, 75_000, resumed(1, 44_000)).is_empty());
    assert!(is_unresponsive(&tick(&mut engine, 90_000, resumed(1, 59_000))));
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
