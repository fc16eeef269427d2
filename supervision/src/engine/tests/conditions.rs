//! Conditions that decide in place of a restart type.

use std::sync::Arc;

use perennial_actors::ExitReason;

use super::world::{ALL, FIRST, SECOND, SECOND_CHILD, STATIC, World, starts};
use crate::engine::{Action, ChildKey};
use crate::policy::{Backoff, ChildPolicy, StartLimit};
use crate::tree::ChildState;

/// Returns a child with a condition. The tests give its outcome.
fn conditional() -> ChildPolicy {
    let mut child = ChildPolicy::default();
    child.set_condition(|_| unreachable!("the engine never evaluates a condition itself"));
    child
}

fn checks(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::CheckCondition { .. }))
}

#[test]
fn exit_of_a_child_waits_for_its_condition_and_is_decided_by_it() {
    for restarts in [false, true] {
        let mut world = World::up(STATIC, &[conditional()]);
        let actions = world.end(FIRST, ExitReason::Killed);
        assert!(matches!(actions[..], [Action::CheckCondition { key: FIRST, .. }]), "{actions:?}");
        assert_eq!(world.shown(FIRST), Some(ChildState::Restarting));
        let actions = world.decide(&actions, restarts);
        assert_eq!(starts(&actions).len(), usize::from(restarts), "{actions:?}");
        let shown = if restarts { ChildState::Restarting } else { ChildState::Stopped };
        assert_eq!(world.shown(FIRST), Some(shown));
    }
}

#[test]
fn failed_restart_waits_for_the_condition_of_the_child_and_is_decided_by_it() {
    for restarts in [false, true] {
        let mut world = World::up(STATIC, &[conditional()]);
        let actions = world.end(FIRST, ExitReason::Killed);
        world.decide(&actions, true);
        let actions = world.fail(FIRST, ExitReason::failed("no"));
        assert!(checks(&actions), "{actions:?}");
        let actions = world.decide(&actions, restarts);
        if restarts {
            assert_eq!(starts(&world.retry(&actions)), [FIRST]);
        } else {
            assert!(matches!(actions.last(), Some(Action::Close { key: FIRST, .. })), "{actions:?}");
            assert_eq!(world.shown(FIRST), Some(ChildState::Stopped));
        }
    }
}

#[test]
fn siblings_wait_while_the_condition_of_a_failed_group_restart_is_evaluated() {
    let children = [conditional(), ChildPolicy::default()];
    let mut world = World::up(ALL, &children);
    world.end(SECOND_CHILD, ExitReason::Killed);
    assert_eq!(starts(&world.end(FIRST, ExitReason::shutdown())), [FIRST]);
    let failed = world.fail(FIRST, ExitReason::failed("no"));
    assert_eq!(world.shown(SECOND_CHILD), Some(ChildState::Waiting));
    // A change of the spec closes the mailboxes of children that wait for nothing.
    let actions = world.change(ALL, &children);
    assert!(!actions.iter().any(|action| matches!(action, Action::Close { .. })), "{actions:?}");
    assert_eq!(world.shown(SECOND_CHILD), Some(ChildState::Waiting));
    let actions = world.decide(&failed, true);
    assert_eq!(starts(&world.retry(&actions)), [FIRST]);
    assert_eq!(starts(&world.start(FIRST)), [SECOND_CHILD]);
}

#[test]
fn siblings_start_when_a_condition_ends_the_child_that_they_wait_for() {
    let mut world = World::up(ALL, &[conditional(), ChildPolicy::default()]);
    world.end(SECOND_CHILD, ExitReason::Killed);
    world.end(FIRST, ExitReason::shutdown());
    let failed = world.fail(FIRST, ExitReason::failed("no"));
    assert_eq!(starts(&world.decide(&failed, false)), [SECOND_CHILD]);
}

#[test]
fn no_sibling_waits_while_the_condition_of_a_first_start_is_evaluated() {
    const THIRD: ChildKey = ChildKey(2);
    let mut never_started = conditional();
    never_started.set_retry_start(Backoff::new(SECOND, SECOND));
    let start_limit = Some(Arc::new(StartLimit { burst: 2, interval: SECOND }));
    let limited = ChildPolicy { start_limit, ..ChildPolicy::default() };
    let mut world = World::begin(ALL, &[never_started, limited, ChildPolicy::default()]);
    let failed = world.fail(FIRST, ExitReason::failed("no"));
    assert!(checks(&failed), "{failed:?}");
    world.start(SECOND_CHILD);
    world.start(THIRD);
    // The group restarts. The first child fails once more, and the second one too.
    world.end(SECOND_CHILD, ExitReason::Killed);
    world.end(THIRD, ExitReason::shutdown());
    let failed = world.fail(FIRST, ExitReason::failed("no"));
    assert!(checks(&failed), "{failed:?}");
    let failed = world.fail(SECOND_CHILD, ExitReason::failed("no"));
    assert_eq!(world.shown(THIRD), Some(ChildState::Waiting));
    // The second child may not start again. The third one waited for it alone.
    assert_eq!(starts(&world.retry(&failed)), [THIRD]);
}
