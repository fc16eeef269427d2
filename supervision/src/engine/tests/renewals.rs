//! Children whose exits are a part of their work.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use crate::engine::{Action, ChildKey, Engine, Event, Policy, StartId};
use crate::policy::{AutoShutdown, Backoff, ChildPolicy, Intensity, Strategy, SupervisorKind};
use crate::report::ReportKind;

const SECOND: Duration = Duration::from_secs(1);
const CHILD: ChildKey = ChildKey(0);

/// Returns an engine that tolerates no restart, with one child that runs as start 0, renews itself
/// and has a backoff.
fn running() -> Engine {
    let kind = SupervisorKind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::Never };
    let intensity = Intensity { restarts: 0, period: Duration::MAX };
    let backoff = Some(Arc::new(Backoff::new(SECOND, SECOND)));
    let child = ChildPolicy { renews: true, backoff, ..ChildPolicy::default() };
    let policy = Policy { kind, intensity: intensity.into(), kill_grace: SECOND, seed: 7 };
    let mut engine = Engine::new(policy, [("worker".into(), child)], StartId(0));
    engine.step(Event::Begin, SECOND);
    engine.step(Event::Started { key: CHILD, run: StartId(0) }, SECOND);
    engine
}

fn ended(engine: &mut Engine, run: u16, reason: ExitReason) -> Vec<Action> {
    engine.step(Event::Ended { key: CHILD, run: StartId(run), reason }, SECOND)
}

#[test]
fn normal_exit_of_a_renewing_child_starts_the_next_incarnation_at_once_and_counts_no_restart() {
    let mut engine = running();
    for run in 0..1_000 {
        let reason = if run % 2 == 0 { ExitReason::Normal } else { ExitReason::shutdown() };
        let actions = ended(&mut engine, run, reason);
        assert!(matches!(actions[..], [Action::Start { key: CHILD, .. }]), "{actions:?}");
        engine.step(Event::Started { key: CHILD, run: StartId(run + 1) }, SECOND);
    }
    assert_eq!(engine.view(CHILD).expect("it is there").restarts, 1_000);
}

/// Steps the engine through the delay of the backoff.
fn delay_passed(engine: &mut Engine, now: Duration) {
    let actions = engine.step(Event::Tick, now);
    assert!(matches!(actions[..], [Action::Start { key: CHILD, .. }]), "{actions:?}");
}

#[test]
fn crash_of_a_renewing_child_that_has_started_counts_no_restart_and_waits_for_the_backoff() {
    let mut engine = running();
    let mut now = SECOND;
    for run in 0..1_000 {
        let actions =
            engine.step(Event::Ended { key: CHILD, run: StartId(run), reason: ExitReason::Killed }, now);
        let [Action::Report { kind: ReportKind::Terminated { .. }, .. }, Action::Report { kind, .. }] =
            &actions[..]
        else {
            panic!("{actions:?}");
        };
        assert!(matches!(kind, ReportKind::Restarting { restarts_left: 0, delay: SECOND, .. }), "{kind:?}");
        now += SECOND;
        delay_passed(&mut engine, now);
        engine.step(Event::Started { key: CHILD, run: StartId(run + 1) }, now);
    }
    assert_eq!(engine.view(CHILD).expect("it is there").restarts, 1_000);
}

#[test]
fn failed_start_after_a_crash_counts() {
    let mut engine = running();
    ended(&mut engine, 0, ExitReason::Killed);
    delay_passed(&mut engine, 2 * SECOND);
    start_fails_and_counts(&mut engine);
}

#[test]
fn failed_start_after_a_normal_exit_counts() {
    let mut engine = running();
    ended(&mut engine, 0, ExitReason::Normal);
    start_fails_and_counts(&mut engine);
}

/// Lets the second start fail, which is one failure more than the engine tolerates.
fn start_fails_and_counts(engine: &mut Engine) {
    let failed = Event::StartFailed { key: CHILD, run: StartId(1), reason: ExitReason::failed("no") };
    let actions = engine.step(failed, SECOND);
    let [.., Action::Retry { key, generation }] = actions[..] else { panic!("{actions:?}") };
    let actions = engine.step(Event::Retry { key, generation }, SECOND);
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Report { key: CHILD, kind: ReportKind::GaveUp { .. } }))
    );
}
