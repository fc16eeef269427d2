//! The settings of a child, and those of an existing one that a changed spec names.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use crate::policy::{Backoff, ChildKind, ChildPolicy, Liveness, Restart, StartLimit};

const SECOND: Duration = Duration::from_secs(1);

/// Returns the liveness checks of a child with a handler deadline.
fn deadline() -> Option<Arc<Liveness>> {
    Some(Arc::new(Liveness { handler_deadline: Some(SECOND), ..Liveness::default() }))
}

#[test]
fn the_last_of_a_restart_type_and_a_condition_decides() {
    let mut child = ChildPolicy::default();
    child.set_condition(|reason| *reason == ExitReason::Normal);
    assert_eq!(child.restart, Restart::Transient, "a child that does not restart stays as a stopped one");
    let condition = child.restart_if.clone().expect("it has the condition");
    assert!(condition.evaluate(&ExitReason::Normal) && !condition.evaluate(&ExitReason::Killed));
    child.set_restart(Restart::Temporary);
    assert_eq!((child.restart, child.restart_if), (Restart::Temporary, None));
}

#[test]
fn a_start_limit_and_the_delays_of_first_starts_are_kept_as_they_were_set() {
    let mut child = ChildPolicy::default();
    child.set_start_limit(5, 10 * SECOND);
    child.set_retry_start(Backoff::new(SECOND, 2 * SECOND));
    let expected = ChildPolicy {
        start_limit: Some(Arc::new(StartLimit { burst: 5, interval: 10 * SECOND })),
        retry_start: Some(Arc::new(Backoff::new(SECOND, 2 * SECOND))),
        ..ChildPolicy::default()
    };
    assert_eq!(child, expected);
}

#[test]
fn a_handler_deadline_is_idle_for_a_task_only() {
    let watchdog = Some(Arc::new(Liveness { watchdog: Some(SECOND), ..Liveness::default() }));
    let table = [
        (true, deadline(), true),
        (false, deadline(), false),
        (true, watchdog, false),
        (true, None, false),
        (false, None, false),
    ];
    for (is_task, liveness, is_idle) in table {
        let case = format!("task: {is_task}, {liveness:?}");
        let child = ChildPolicy { is_task, liveness, ..ChildPolicy::default() };
        assert_eq!(child.has_idle_deadline(), is_idle, "{case}");
    }
}

#[test]
fn an_existing_child_keeps_its_kind_and_gets_all_other_settings() {
    let current =
        ChildPolicy { kind: ChildKind::Supervisor, once: false, is_task: true, ..ChildPolicy::default() };
    let mut new = ChildPolicy { significant: true, liveness: deadline(), ..ChildPolicy::default() };
    new.set_condition(|_| true);
    let merged = new.clone().of_existing(&current);
    assert_eq!(merged, ChildPolicy { kind: ChildKind::Supervisor, is_task: true, ..new });
    assert!(merged.restart_if.is_some() && merged.has_idle_deadline());
}

#[test]
fn an_existing_child_that_is_started_once_stays_so_and_temporary() {
    let current = ChildPolicy { once: true, restart: Restart::Temporary, ..ChildPolicy::default() };
    let mut new = ChildPolicy { significant: true, ..ChildPolicy::default() };
    new.set_condition(|_| true);
    let expected = ChildPolicy { significant: true, ..current.clone() };
    assert_eq!(new.of_existing(&current), expected);
    let other = ChildPolicy { once: true, ..ChildPolicy::default() };
    assert!(!other.of_existing(&ChildPolicy::default()).once);
}
