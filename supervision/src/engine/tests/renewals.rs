//! Children for which a normal exit is a part of their work.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use crate::engine::{Action, ChildKey, Engine, EngineReport, Event, Policy, StartId};
use crate::policy::{AutoShutdown, Backoff, ChildPolicy, Intensity, Strategy, SupervisorKind};

const SECOND: Duration = Duration::from_secs(1);
const CHILD: ChildKey = ChildKey(0);

/// Returns an engine that tolerates no restart, with one child that runs as start 0, renews itself
/// and has a backoff.
fn running() -> Engine {
    let kind = SupervisorKind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::Never };
    let intensity = Intensity { restarts: 0, period: Duration::MAX };
    let backoff = Some(Arc::new(Backoff::new(SECOND, SECOND)));
    let child = ChildPolicy { renews: true, backoff, ..ChildPolicy::default() };
    let policy = Policy { kind, intensity, kill_grace: SECOND, seed: 7 };
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

#[test]
fn crash_after_normal_exits_counts() {
    let mut engine = running();
    ended(&mut engine, 0, ExitReason::Normal);
    engine.step(Event::Started { key: CHILD, run: StartId(1) }, SECOND);
    let actions = ended(&mut engine, 1, ExitReason::Killed);
    assert!(
        actions.iter().any(|action| matches!(action, Action::Report(EngineReport::GaveUp { key: CHILD })))
    );
}

#[test]
fn failed_start_after_a_normal_exit_counts() {
    let mut engine = running();
    ended(&mut engine, 0, ExitReason::Normal);
    let failed = Event::StartFailed { key: CHILD, run: StartId(1), reason: ExitReason::failed("no") };
    let actions = engine.step(failed, SECOND);
    let [.., Action::Retry { key, generation }] = actions[..] else { panic!("{actions:?}") };
    let actions = engine.step(Event::Retry { key, generation }, SECOND);
    assert!(
        actions.iter().any(|action| matches!(action, Action::Report(EngineReport::GaveUp { key: CHILD })))
    );
}
