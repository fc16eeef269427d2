//! First starts that are tried again.

use perennial_actors::ExitReason;

use super::world::{ALL, FIRST, SECOND, SECOND_CHILD, STATIC, World, starts};
use crate::engine::Action;
use crate::policy::{Backoff, ChildPolicy};
use crate::tree::ChildState;

/// Returns a child whose first starts are a second apart while they fail.
fn persistent() -> ChildPolicy {
    let mut child = ChildPolicy::default();
    child.set_retry_start(Backoff::new(SECOND, SECOND));
    child
}

#[test]
fn failed_first_start_is_tried_again_while_the_supervisor_and_the_siblings_start() {
    let mut world = World::begin(STATIC, &[persistent(), ChildPolicy::default()]);
    assert_eq!(starts(&world.fail(FIRST, ExitReason::failed("no"))), [SECOND_CHILD]);
    assert_eq!(world.shown(FIRST), Some(ChildState::Restarting));
    let actions = world.start(SECOND_CHILD);
    assert!(matches!(actions.last(), Some(Action::Started)), "{actions:?}");
    for _ in 0..3 {
        let due = world.now + SECOND;
        assert_eq!((starts(&world.tick()), world.now), (vec![FIRST], due));
        assert_eq!(starts(&world.fail(FIRST, ExitReason::failed("no"))), []);
    }
    world.tick();
    world.start(FIRST);
    assert_eq!(world.shown(FIRST), Some(ChildState::Running));
}

#[test]
fn failed_restart_is_no_first_start() {
    let mut world = World::up(STATIC, &[persistent()]);
    world.end(FIRST, ExitReason::Killed);
    let failed = world.fail(FIRST, ExitReason::failed("no"));
    assert_eq!(world.engine.next_deadline(), None, "it has no delay");
    assert_eq!(starts(&world.retry(&failed)), [FIRST]);
}

#[test]
fn child_that_is_set_to_retry_its_first_start_after_a_failure_concerns_its_group_no_more() {
    let mut world = World::up(ALL, &[ChildPolicy::default()]);
    world.change(ALL, &[ChildPolicy::default(), ChildPolicy::default()]);
    world.end(FIRST, ExitReason::Killed);
    assert_eq!(starts(&world.start(FIRST)), [SECOND_CHILD], "an added child starts with its group");
    let failed = world.fail(SECOND_CHILD, ExitReason::failed("no"));
    world.change(ALL, &[ChildPolicy::default(), persistent()]);
    let actions = world.retry(&failed);
    assert!(matches!(actions[..], [Action::Report { key: SECOND_CHILD, .. }]), "{actions:?}");
    assert_eq!(world.engine.next_deadline(), Some(world.now + SECOND));
    assert_eq!(world.shown(FIRST), Some(ChildState::Running));
    assert_eq!(starts(&world.tick()), [SECOND_CHILD]);
}
