//! The stops that drain: no other incarnation follows them.

use std::time::Duration;

use perennial_actors::ExitReason;

use crate::engine::{Action, ChildKey, Engine, Event, Policy, Request, RequestId, StartId, Target};
use crate::policy::{
    AutoShutdown, ChildKind, ChildPolicy, Intensity, Restart, Shutdown, Strategy, SupervisorKind,
};

/// Returns a one-for-all engine with four running children: one that drains, one with a timeout, a
/// supervisor, and a second one with a timeout.
fn up() -> Engine {
    let child = |shutdown, kind| ChildPolicy {
        shutdown,
        kind,
        restart: Restart::Permanent,
        ..ChildPolicy::default()
    };
    let children = [
        child(Shutdown::Drain(Duration::from_secs(5)), ChildKind::Worker),
        child(Shutdown::default(), ChildKind::Worker),
        child(Shutdown::Infinity, ChildKind::Supervisor),
        child(Shutdown::default(), ChildKind::Worker),
    ];
    let policy = Policy {
        kind: SupervisorKind::Static { strategy: Strategy::OneForAll, auto_shutdown: AutoShutdown::Never },
        intensity: (Intensity { restarts: 10, period: Duration::from_secs(5) }).into(),
        kill_grace: Duration::from_secs(5),
        seed: 0,
    };
    let named = ["a", "b", "c", "d"].into_iter().map(Into::into).zip(children);
    let mut engine = Engine::new(policy, named, StartId(0));
    stops(&mut engine, Event::Begin);
    engine
}

/// Handles an event, and completes every start and stop at once. Returns the children that were
/// asked to stop, each with `true` if it drains.
fn stops(engine: &mut Engine, event: Event) -> Vec<(u64, bool)> {
    let (mut events, mut stopped) = (vec![event], Vec::new());
    let mut runs = [StartId(0), StartId(1), StartId(2), StartId(3)];
    while let Some(event) = events.pop() {
        for action in engine.step(event, Duration::ZERO) {
            match action {
                Action::Start { key, run } => {
                    runs[key.0 as usize] = run;
                    events.push(Event::Started { key, run });
                }
                Action::Stop { key, drains, .. } => {
                    stopped.push((key.0, drains));
                    let run = runs[key.0 as usize];
                    events.push(Event::Ended { key, run, reason: ExitReason::shutdown() });
                }
                _ => {}
            }
        }
    }
    stopped
}

#[test]
fn final_shutdown_drains_supervisors_and_children_that_are_set_to_drain() {
    let shutdown = |drains| Event::Shutdown { reason: ExitReason::shutdown(), drains };
    assert_eq!(stops(&mut up(), shutdown(true)), [(3, false), (2, true), (1, false), (0, true)]);
    assert_eq!(stops(&mut up(), shutdown(false)), [(3, false), (2, false), (1, false), (0, false)]);
}

#[test]
fn request_to_terminate_drains_and_a_restart_of_the_group_does_not() {
    for (key, drains) in [(0, true), (1, false), (2, true)] {
        let request = Request::Terminate(Target::Key(ChildKey(key)));
        let event = Event::Request { ticket: RequestId(0), request };
        assert_eq!(stops(&mut up(), event), [(key, drains)]);
    }
    let crash = Event::Ended { key: ChildKey(3), run: StartId(3), reason: ExitReason::Killed };
    assert_eq!(stops(&mut up(), crash), [(2, false), (1, false), (0, false)]);
}
