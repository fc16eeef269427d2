//! The limits for the starts of single children.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::world::{ALL, FIRST, SECOND, SECOND_CHILD, STATIC, World, starts};
use crate::engine::start_times::StartTimes;
use crate::engine::{Action, Request, Target};
use crate::policy::{Backoff, ChildPolicy, Restart, StartLimit, SupervisorKind};
use crate::report::ReportKind;
use crate::tree::ChildState;

/// Returns a child that may start this often within 10 seconds.
fn limited(burst: u32) -> ChildPolicy {
    let start_limit = Some(Arc::new(StartLimit { burst, interval: 10 * SECOND }));
    ChildPolicy { start_limit, ..ChildPolicy::default() }
}

/// Returns `true` if the report of an exceeded limit is among the actions.
fn hits_limit(actions: &[Action]) -> bool {
    let hits =
        |action: &Action| matches!(action, Action::Report { kind: ReportKind::StartLimitHit { .. }, .. });
    actions.iter().any(hits)
}

#[test]
fn child_at_its_limit_has_failed_and_one_of_a_dynamic_supervisor_is_removed() {
    let table = [(STATIC, Some(ChildState::Failed)), (SupervisorKind::Dynamic { max_children: 7 }, None)];
    for (kind, shown) in table {
        let mut world = World::begin(kind, &[]);
        world.ask(1, Request::Start { id: "0".into(), policy: limited(1).into() });
        world.start(FIRST);
        assert!(hits_limit(&world.end(FIRST, ExitReason::Killed)));
        assert_eq!(world.shown(FIRST), shown, "{kind:?}");
    }
}

#[test]
fn temporary_child_whose_first_starts_reach_its_limit_is_removed() {
    let retry_start = Some(Arc::new(Backoff::new(SECOND, SECOND)));
    let child = ChildPolicy { restart: Restart::Temporary, retry_start, ..limited(1) };
    let mut world = World::begin(STATIC, &[child]);
    let actions = world.fail(FIRST, ExitReason::failed("no"));
    assert!(hits_limit(&actions), "{actions:?}");
    assert!(actions.iter().any(|action| matches!(action, Action::Forget { key: FIRST, .. })), "{actions:?}");
    assert_eq!(world.shown(FIRST), None);
}

#[test]
fn limit_that_shrinks_during_a_delay_holds_for_the_start_after_it() {
    let second = || Some(Arc::new(Backoff::new(SECOND, SECOND)));
    let delayed = |burst| ChildPolicy { backoff: second(), ..limited(burst) };
    let mut world = World::up(STATIC, &[delayed(5)]);
    world.end(FIRST, ExitReason::Killed);
    world.change(STATIC, &[delayed(1)]);
    let actions = world.tick();
    assert_eq!((starts(&actions), hits_limit(&actions)), (vec![], true), "{actions:?}");
    assert_eq!(world.shown(FIRST), Some(ChildState::Failed));

    let persistent = |burst| ChildPolicy { retry_start: second(), ..limited(burst) };
    let mut world = World::begin(STATIC, &[persistent(5)]);
    world.fail(FIRST, ExitReason::failed("no"));
    world.change(STATIC, &[persistent(1)]);
    let actions = world.tick();
    assert_eq!((starts(&actions), hits_limit(&actions)), (vec![], true), "{actions:?}");
    assert_eq!(world.shown(FIRST), Some(ChildState::Failed));
}

#[test]
fn failed_child_does_not_start_with_its_group_even_when_its_interval_is_over() {
    let mut world = World::up(ALL, &[limited(1), ChildPolicy::default()]);
    world.end(FIRST, ExitReason::Killed);
    world.now += 20 * SECOND;
    assert_eq!(starts(&world.end(SECOND_CHILD, ExitReason::Killed)), [SECOND_CHILD]);
    assert_eq!(world.shown(FIRST), Some(ChildState::Failed));
}

#[test]
fn siblings_that_wait_for_a_child_that_reaches_its_limit_are_started() {
    let mut world = World::up(ALL, &[limited(2), ChildPolicy::default()]);
    world.end(FIRST, ExitReason::Killed);
    assert_eq!(starts(&world.end(SECOND_CHILD, ExitReason::shutdown())), [FIRST]);
    let failed = world.fail(FIRST, ExitReason::failed("no"));
    assert_eq!(world.shown(SECOND_CHILD), Some(ChildState::Waiting));
    let actions = world.retry(&failed);
    assert_eq!((starts(&actions), hits_limit(&actions)), (vec![SECOND_CHILD], true), "{actions:?}");
}

#[test]
fn reset_makes_a_failed_child_a_stopped_one_that_may_start_again() {
    let target = || Target::Id("0".into());
    let (reset, restart) = (|| Request::ResetFailed(target()), || Request::Restart(target()));
    let mut world = World::up(STATIC, &[limited(1)]);
    world.end(FIRST, ExitReason::Killed);
    assert_eq!(starts(&world.ask(1, restart())), [], "its limit holds for requests too");
    world.ask(2, reset());
    assert_eq!(world.shown(FIRST), Some(ChildState::Stopped));
    assert_eq!(starts(&world.ask(3, restart())), [FIRST]);
    world.start(FIRST);
    world.ask(4, reset());
    assert_eq!(world.shown(FIRST), Some(ChildState::Running));
    assert_eq!(starts(&world.end(FIRST, ExitReason::Killed)), [FIRST], "its earlier starts are forgotten");
}

#[test]
fn start_counts_for_exactly_one_interval() {
    let limit = |burst| StartLimit { burst, interval: 10 * SECOND };
    let mut times = StartTimes::default();
    times.record(Duration::ZERO, limit(2));
    times.record(5 * SECOND, limit(2));
    let over = Duration::from_nanos(1);
    let table = [
        (5 * SECOND, 3, false),
        (5 * SECOND, 2, true),
        (10 * SECOND, 2, true),
        (10 * SECOND + over, 2, false),
        (15 * SECOND, 1, true),
        (15 * SECOND + over, 1, false),
    ];
    for (due, burst, exceeds) in table {
        assert_eq!(times.would_exceed(due, limit(burst)), exceeds, "{due:?}, {burst}");
    }
}

#[test]
fn starts_that_do_not_count_any_more_are_not_stored() {
    let limit = StartLimit { burst: 3, interval: 10 * SECOND };
    let mut times = StartTimes::default();
    for n in 0..10_000 {
        times.record(n * SECOND, limit);
        assert!(times.0.len() <= 11, "{times:?}");
    }
    assert_eq!(times.0.len(), 11, "those of one interval are kept");
}
