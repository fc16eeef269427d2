//! What the engine says of itself, reports and waits for.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::Suspensions;

use super::world::{ALL, FIRST, SECOND, SECOND_CHILD, STATIC, World, policy};
use crate::engine::{
    Action, ChildKey, Engine, Event, Policy, Request, RequestError, RequestId, State, SupervisorExit, Target,
};
use crate::policy::{
    AutoShutdown, Backoff, ChildKind, ChildPolicy, Liveness, ProbePolicy, Restart, Shutdown, Strategy,
    SupervisorKind,
};
use crate::tree::ChildState;

fn terminate(id: &str) -> Request {
    Request::Terminate(Target::Id(id.into()))
}

fn of(restart: Restart) -> ChildPolicy {
    ChildPolicy { restart, ..ChildPolicy::default() }
}

/// Returns the requests that are answered, in order.
fn answered(actions: &[Action]) -> Vec<u64> {
    let ticket = |action: &Action| match action {
        Action::Answer { ticket, .. } => Some(ticket.0),
        _ => None,
    };
    actions.iter().filter_map(ticket).collect()
}

/// Returns `true` if a report of this kind is among the actions.
fn reports(actions: &[Action], kind: &str) -> bool {
    actions
        .iter()
        .any(|action| format!("{action:?}").starts_with("Report") && format!("{action:?}").contains(kind))
}

fn is_stopped(actions: &[Action], child: ChildKey) -> bool {
    actions.iter().any(|action| matches!(action, Action::Stop { key, .. } if *key == child))
}

#[test]
fn supervisor_is_stopping_from_its_shutdown_on_and_has_ended_when_its_last_child_has() {
    let mut world = World::up(STATIC, &[ChildPolicy::default()]);
    let says = |world: &World| {
        let engine = &world.engine;
        (engine.is_stopping_or_ended(), engine.has_ended(), engine.is_stopped_in_order(FIRST))
    };
    assert_eq!(says(&world), (false, false, false));
    world.shutdown();
    assert_eq!(says(&world), (true, false, true));
    world.end(FIRST, ExitReason::shutdown());
    assert_eq!(says(&world), (true, true, false));
}

#[test]
fn child_that_starts_in_a_transition_is_awaited() {
    let mut world = World::begin(STATIC, &[ChildPolicy::default(), ChildPolicy::default()]);
    assert_eq!(world.engine.awaited(), Some(FIRST));
    world.start(FIRST);
    assert_eq!(world.engine.awaited(), Some(SECOND_CHILD));
    world.start(SECOND_CHILD);
    assert_eq!(world.engine.awaited(), None);
}

#[test]
fn shutdown_interrupts_the_initial_start() {
    let mut world = World::begin(STATIC, &[ChildPolicy::default()]);
    assert!(is_stopped(&world.shutdown(), FIRST));
}

#[test]
fn static_supervisor_stops_one_child_after_the_other_whatever_continues_it() {
    let mut world = World::up(STATIC, &[ChildPolicy::default(), ChildPolicy::default()]);
    let actions = world.shutdown();
    assert!(is_stopped(&actions, SECOND_CHILD) && !is_stopped(&actions, FIRST), "{actions:?}");
    assert!(world.happen(Event::ContinueShutdown).is_empty());
    assert!(is_stopped(&world.end(SECOND_CHILD, ExitReason::shutdown()), FIRST));
}

#[test]
fn child_that_a_change_no_longer_names_is_forgotten_at_shutdown() {
    let mut world = World::up(STATIC, &[ChildPolicy::default(), ChildPolicy::default()]);
    let children = vec![("0".into(), ChildPolicy::default())];
    assert_eq!(answered(&world.ask(1, Request::Change { policy: policy(STATIC), children })), [1]);
    world.shutdown();
    let actions = world.end(SECOND_CHILD, ExitReason::shutdown());
    assert!(actions.iter().any(|action| matches!(action, Action::Forget { key: SECOND_CHILD, .. })));
    let actions = world.end(FIRST, ExitReason::shutdown());
    assert!(!actions.iter().any(|action| matches!(action, Action::Forget { .. })), "{actions:?}");
}

#[test]
fn start_that_fails_after_its_timeout_has_timed_out_whatever_it_says() {
    let timed = ChildPolicy { start_timeout: Some(SECOND), ..ChildPolicy::default() };
    let mut world = World::begin(STATIC, &[timed]);
    assert!(matches!(world.tick()[..], [Action::Kill { key: FIRST }]));
    let actions = world.fail(FIRST, ExitReason::Ignore);
    let timed_out = |action: &Action| {
        matches!(
            action,
            Action::Exit { ending: SupervisorExit::StartFailed { reason: ExitReason::StartTimedOut, .. } }
        )
    };
    assert!(actions.iter().any(timed_out), "{actions:?}");
}

#[test]
fn change_does_not_wait_for_a_child_that_restarts() {
    let mut world = World::up(STATIC, &[ChildPolicy::default()]);
    world.end(FIRST, ExitReason::Killed);
    assert!(matches!(world.engine.view(FIRST).map(|view| view.state), Some(State::Starting { .. })));
    let children = vec![("0".into(), ChildPolicy::default())];
    assert_eq!(answered(&world.ask(1, Request::Change { policy: policy(STATIC), children })), [1]);
}

#[test]
fn change_waits_for_the_stop_of_a_child_whose_first_start_is_interrupted() {
    let mut world = World::up(STATIC, &[]);
    world.ask(1, Request::Start { id: "new".into(), policy: ChildPolicy::default().into() });
    assert_eq!(answered(&world.ask(2, terminate("new"))), []);
    let children = vec![("new".into(), ChildPolicy::default())];
    assert_eq!(answered(&world.ask(3, Request::Change { policy: policy(STATIC), children })), []);
    assert_eq!(answered(&world.end(FIRST, ExitReason::shutdown())), [1, 2, 3]);
}

#[test]
fn request_behind_one_that_begins_a_transition_is_decided_after_it() {
    let mut world = World::up(ALL, &[ChildPolicy::default(), ChildPolicy::default()]);
    world.ask(1, terminate("0"));
    world.ask(2, Request::Restart(Target::Id("0".into())));
    world.ask(3, Request::Delete(Target::Id("0".into())));
    assert_eq!(answered(&world.end(FIRST, ExitReason::shutdown())), [1]);
    let actions = world.start(FIRST);
    assert_eq!(answered(&actions), [2, 3]);
    let refused = |action: &Action| {
        matches!(action, Action::Answer { ticket: RequestId(3), result: Err(RequestError::Running(FIRST)) })
    };
    assert!(actions.iter().any(refused), "{actions:?}");
}

#[test]
fn start_beyond_the_limit_waits_for_every_start_that_began_before_it() {
    let mut world = World::up(SupervisorKind::Dynamic { max_children: 2 }, &[]);
    for ticket in 1..=3 {
        let actions =
            world.ask(ticket, Request::Start { id: "same".into(), policy: of(Restart::Temporary).into() });
        assert_eq!(answered(&actions), []);
    }
    assert_eq!(answered(&world.start(FIRST)), [1]);
    let actions = world.fail(SECOND_CHILD, ExitReason::failed("no"));
    assert_eq!(answered(&actions), [2]);
    assert!(actions.iter().any(|action| matches!(action, Action::Start { key: ChildKey(2), .. })));
    assert_eq!(answered(&world.start(ChildKey(2))), [3]);
}

#[test]
fn exit_is_reported_if_it_is_abnormal_or_the_child_restarts() {
    for (restart, reason, is_reported) in [
        (Restart::Permanent, ExitReason::Normal, true),
        (Restart::Permanent, ExitReason::Killed, true),
        (Restart::Temporary, ExitReason::Killed, true),
        (Restart::Temporary, ExitReason::Normal, false),
        (Restart::Transient, ExitReason::Normal, false),
    ] {
        let actions = World::up(STATIC, &[of(restart)]).end(FIRST, reason.clone());
        assert_eq!(reports(&actions, "Terminated"), is_reported, "{restart:?}, {reason:?}: {actions:?}");
    }
}

#[test]
fn exit_of_a_stopped_child_is_an_error_unless_it_was_asked_for() {
    let brutal = ChildPolicy { shutdown: Shutdown::BrutalKill, ..of(Restart::Transient) };
    let brutal_permanent = ChildPolicy { shutdown: Shutdown::BrutalKill, ..ChildPolicy::default() };
    for (child, reason, is_error) in [
        (of(Restart::Permanent), ExitReason::shutdown(), false),
        (of(Restart::Permanent), ExitReason::Normal, true),
        (of(Restart::Transient), ExitReason::Normal, false),
        (of(Restart::Transient), ExitReason::Killed, true),
        (brutal.clone(), ExitReason::Killed, false),
        (brutal, ExitReason::failed("no"), true),
        (brutal_permanent, ExitReason::Killed, false),
    ] {
        let mut world = World::up(STATIC, std::slice::from_ref(&child));
        world.ask(1, terminate("0"));
        let actions = world.end(FIRST, reason.clone());
        assert_eq!(reports(&actions, "ShutdownError"), is_error, "{child:?}, {reason:?}: {actions:?}");
        assert_eq!(answered(&actions), [1]);
    }
}

#[test]
fn exit_before_a_shutdown_reaches_the_child_is_an_error_as_if_it_had_been_asked_to_stop() {
    for (restart, reason, is_error) in [
        (Restart::Permanent, ExitReason::shutdown(), false),
        (Restart::Permanent, ExitReason::Normal, true),
        (Restart::Transient, ExitReason::Normal, false),
        (Restart::Transient, ExitReason::Killed, true),
    ] {
        let mut world = World::up(STATIC, &[of(restart), ChildPolicy::default()]);
        assert!(is_stopped(&world.shutdown(), SECOND_CHILD));
        world.end(FIRST, reason.clone());
        let actions = world.end(SECOND_CHILD, ExitReason::shutdown());
        assert_eq!(reports(&actions, "ShutdownError"), is_error, "{restart:?}, {reason:?}: {actions:?}");
        assert!(matches!(actions.last(), Some(Action::Exit { .. })), "{actions:?}");
    }
}

#[test]
fn next_incarnation_of_a_supervisor_uses_no_start_id_again() {
    let mut world = World::up(STATIC, &[ChildPolicy::default(), ChildPolicy::default()]);
    world.end(FIRST, ExitReason::Killed);
    let last = [FIRST, SECOND_CHILD].map(|key| world.run(key)).into_iter().max();
    let children = [("0".into(), ChildPolicy::default())];
    let mut next =
        World { engine: Engine::new(policy(STATIC), children, world.engine.next_run()), now: SECOND };
    next.happen(Event::Begin);
    assert!(Some(next.run(FIRST)) > last, "{:?} after {last:?}", next.run(FIRST));
}

#[test]
fn changed_supervisor_keeps_the_seed_of_its_delays() {
    let minute = Duration::from_secs(60);
    let backoff = Some(Arc::new(Backoff::new(minute, minute).jitter(0.5)));
    let child = ChildPolicy { backoff, ..ChildPolicy::default() };
    let [kept, changed] = [7, 8].map(|seed| {
        let mut world = World::up(STATIC, std::slice::from_ref(&child));
        let policy = Policy { seed, ..policy(STATIC) };
        world.ask(1, Request::Change { policy, children: vec![("0".into(), child.clone())] });
        world.end(FIRST, ExitReason::Killed);
        world.engine.next_deadline().expect("the restart is delayed")
    });
    assert_eq!(kept, changed);
    assert!(kept > SECOND + minute, "the delay has jitter: {kept:?}");
}

#[test]
fn killed_worker_has_grace_after_the_grace_and_a_supervisor_never() {
    for (kind, has_grace) in [(ChildKind::Worker, true), (ChildKind::Supervisor, false)] {
        let child = ChildPolicy { kind, shutdown: Shutdown::Timeout(SECOND), ..ChildPolicy::default() };
        let mut world = World::up(STATIC, &[child]);
        world.ask(1, terminate("0"));
        let actions = world.tick();
        assert!(matches!(actions.last(), Some(Action::Kill { key: FIRST })), "{actions:?}");
        assert_eq!(world.engine.next_deadline(), has_grace.then(|| world.now + SECOND));
        if has_grace {
            let actions = world.tick();
            assert!(matches!(actions.first(), Some(Action::Abandon { key: FIRST })), "{actions:?}");
            assert!(reports(&actions, "ShutdownError"), "an abandoned child did not stop in order");
            assert_eq!(answered(&actions), [1]);
        }
    }
}

#[test]
fn start_that_a_shutdown_interrupts_is_not_retried() {
    let mut world = World::up(STATIC, &[ChildPolicy::default()]);
    world.end(FIRST, ExitReason::Killed);
    world.shutdown();
    let actions = world.end(FIRST, ExitReason::shutdown());
    assert!(!actions.iter().any(|action| matches!(action, Action::Retry { .. })), "{actions:?}");
    assert!(matches!(actions.last(), Some(Action::Exit { .. })), "{actions:?}");
}

#[test]
fn children_of_a_group_restart_are_shown_as_restarting_and_waiting() {
    let shown =
        |world: &World| [FIRST, SECOND_CHILD].map(|key| world.engine.view(key).map(|view| view.shown));
    let mut world = World::begin(ALL, &[ChildPolicy::default(), ChildPolicy::default()]);
    assert_eq!(shown(&world), [Some(ChildState::Starting), Some(ChildState::Waiting)]);
    world.start(FIRST);
    world.start(SECOND_CHILD);
    world.end(FIRST, ExitReason::Killed);
    world.end(SECOND_CHILD, ExitReason::shutdown());
    assert_eq!(shown(&world), [Some(ChildState::Restarting), Some(ChildState::Waiting)]);
    world.shutdown();
    assert_eq!(shown(&world), [Some(ChildState::Stopping), Some(ChildState::Stopped)]);
}

#[test]
fn children_of_a_static_supervisor_are_found_by_id() {
    let world = World::up(STATIC, &[ChildPolicy::default(), ChildPolicy::default()]);
    assert_eq!(["0", "1", "2"].map(|id| world.engine.find(id)), [Some(FIRST), Some(SECOND_CHILD), None]);
}

#[test]
fn unresponsive_child_that_is_terminated_is_significant_no_more() {
    let kind =
        SupervisorKind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::AllSignificant };
    let probe = ProbePolicy { initial_delay: None, period: SECOND, timeout: SECOND, failure_threshold: 1 };
    let liveness = Some(Arc::new(Liveness { probe: Some(probe), ..Liveness::default() }));
    let significant = ChildPolicy { significant: true, ..of(Restart::Transient) };
    let mut world = World::up(kind, &[significant.clone(), ChildPolicy { liveness, ..significant }]);
    world.tick();
    let actions = world.tick();
    let [Action::CheckBusy { key: SECOND_CHILD, run }] = actions[..] else { panic!("{actions:?}") };
    let suspensions = Suspensions::default();
    world.happen(Event::BusyChecked { key: SECOND_CHILD, run, busy: None, last_ping: None, suspensions });
    assert!(world.engine.view(SECOND_CHILD).is_some_and(|view| view.shown == ChildState::Stopping));
    assert_eq!(answered(&world.ask(1, terminate("1"))), []);
    let actions = world.end(FIRST, ExitReason::Normal);
    assert!(actions.iter().any(|action| matches!(action, Action::BeginShutdown)), "{actions:?}");
}
