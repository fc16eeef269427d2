//! Conditions on the exit reason.

use perennial_actors::ExitReason;
use perennial_actors::host::catch_panic;

use crate::policy::{Restart, RestartCondition};

#[test]
fn a_condition_returns_what_its_function_returns_for_the_reason() {
    let condition = RestartCondition::new(|reason| matches!(reason, ExitReason::Killed));
    assert!(condition.evaluate(&ExitReason::Killed));
    assert!(!condition.evaluate(&ExitReason::Normal));
}

#[test]
fn a_condition_equals_its_clones_only_and_does_not_show_its_function() {
    let condition = RestartCondition::new(|_| true);
    assert_eq!(condition, condition.clone());
    assert_ne!(condition, RestartCondition::new(|_| true));
    assert_eq!(format!("{condition:?}"), "RestartCondition(..)");
}

#[test]
fn each_setting_of_systemd_restarts_after_the_exits_of_its_table() {
    const CLEAN: [bool; 5] = [true, false, false, false, false];
    const ERROR: [bool; 5] = [false, true, false, false, false];
    const SIGNAL: [bool; 5] = [false, true, true, true, false];
    let panicked = catch_panic(None, || panic!("the reason of a panic")).expect_err("it panics");
    let table = [
        (ExitReason::Normal, CLEAN),
        (ExitReason::shutdown(), CLEAN),
        (ExitReason::Ignore, CLEAN),
        (ExitReason::failed("an error"), ERROR),
        (ExitReason::NoProcess, ERROR),
        (ExitReason::NoConnection, ERROR),
        (panicked, SIGNAL),
        (ExitReason::Killed, SIGNAL),
        (ExitReason::StartTimedOut, [false, true, true, false, false]),
        (ExitReason::Unresponsive, [false, true, true, false, true]),
    ];
    for (reason, restarts) in table {
        let decided = [
            Restart::on_success,
            Restart::on_failure,
            Restart::on_abnormal,
            Restart::on_abort,
            Restart::on_watchdog,
        ]
        .map(|condition| condition(&reason));
        assert_eq!(decided, restarts, "{reason:?}");
    }
}
