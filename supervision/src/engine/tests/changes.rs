//! Changes of the spec that are refused.

use std::sync::Arc;

use super::world::{SECOND, STATIC, World};
use crate::engine::{Action, RequestError};
use crate::policy::{ChildPolicy, Liveness};

/// Returns a child with a handler deadline.
fn with_deadline() -> ChildPolicy {
    let liveness = Liveness { handler_deadline: Some(SECOND), ..Liveness::default() };
    ChildPolicy { liveness: Some(Arc::new(liveness)), ..ChildPolicy::default() }
}

#[test]
fn handler_deadline_is_refused_for_a_task_and_nothing_changes_then() {
    let task = ChildPolicy { is_task: true, ..ChildPolicy::default() };
    let mut world = World::up(STATIC, &[ChildPolicy::default(), task.clone()]);
    let actions = world.change(STATIC, &[with_deadline(), with_deadline()]);
    let [Action::Answer { result: Err(RequestError::HandlerDeadlineOfTask(id)), .. }] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(&**id, "1");
    let policies: Vec<_> = world.engine.views().map(|view| view.policy.clone()).collect();
    assert_eq!(policies, [ChildPolicy::default(), task]);
}

#[test]
fn handler_deadline_is_accepted_for_an_actor_and_for_a_child_that_is_added() {
    let mut world = World::up(STATIC, &[ChildPolicy::default()]);
    let actions = world.change(STATIC, &[with_deadline(), with_deadline()]);
    assert!(matches!(actions.last(), Some(Action::Answer { result: Ok(_), .. })), "{actions:?}");
    let policies: Vec<_> = world.engine.views().map(|view| view.policy.clone()).collect();
    assert_eq!(policies, [with_deadline(), with_deadline()]);
}
