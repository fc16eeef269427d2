//! Children that are added at runtime: the order of their stop, and whether they stay.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use crate::engine::{Action, ChildKey, Engine, Event, Policy, Request, RequestId, StartId};
use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Strategy, SupervisorKind};

const SECOND: Duration = Duration::from_secs(1);

/// Returns an engine whose children run: those of the spec, and one that was added.
fn running(children: &[ChildPolicy], added: ChildPolicy) -> Engine {
    let kind = SupervisorKind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::Never };
    let intensity = Intensity { restarts: 0, period: Duration::MAX };
    let policy = Policy { kind, intensity: intensity.into(), kill_grace: SECOND, seed: 7 };
    let named = children.iter().enumerate().map(|(id, child)| (Arc::from(id.to_string()), child.clone()));
    let mut engine = Engine::new(policy, named, StartId(0));
    engine.step(Event::Begin, SECOND);
    let id = children.len();
    for run in 0..id {
        engine.step(Event::Started { key: ChildKey(run as u64), run: StartId(run as u16) }, SECOND);
    }
    let request = Request::Start { id: id.to_string().into(), policy: added.into() };
    engine.step(Event::Request { ticket: RequestId(1), request }, SECOND);
    engine.step(Event::Started { key: ChildKey(id as u64), run: StartId(id as u16) }, SECOND);
    engine
}

/// Shuts an engine down. Returns the children in the order of their stops, and those that are
/// removed.
fn shut_down(engine: &mut Engine) -> (Vec<u64>, Vec<u64>) {
    let (mut stopped, mut removed) = (Vec::new(), Vec::new());
    let mut actions = engine.step(Event::Shutdown { reason: ExitReason::shutdown(), drains: false }, SECOND);
    loop {
        let mut next = None;
        for action in actions {
            match action {
                Action::Stop { key, .. } => next = Some(key),
                Action::Forget { key, .. } => removed.push(key.0),
                _ => {}
            }
        }
        let Some(key) = next else { return (stopped, removed) };
        stopped.push(key.0);
        let ended = Event::Ended { key, run: StartId(key.0 as u16), reason: ExitReason::shutdown() };
        actions = engine.step(ended, SECOND);
    }
}

#[test]
fn an_added_child_stops_first_and_is_removed() {
    let mut engine = running(&[ChildPolicy::default(), ChildPolicy::default()], ChildPolicy::default());
    assert_eq!(shut_down(&mut engine), (vec![2, 1, 0], vec![2]));
}

#[test]
fn marked_children_stop_before_all_others_in_reverse_start_order() {
    let marked = ChildPolicy { stops_first: true, ..ChildPolicy::default() };
    let children = [ChildPolicy::default(), marked.clone(), ChildPolicy::default(), marked];
    assert_eq!(shut_down(&mut running(&children, ChildPolicy::default())), (vec![3, 1, 4, 2, 0], vec![4]));
}

#[test]
fn an_added_child_that_joins_the_spec_is_kept() {
    let joins = ChildPolicy { joins_spec: true, ..ChildPolicy::default() };
    assert_eq!(shut_down(&mut running(&[ChildPolicy::default()], joins)), (vec![1, 0], vec![]));
}
