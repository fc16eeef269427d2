//! Settings that no child could ever satisfy, and the limits of what they can hold.

use std::time::Duration;

use crate::policy::{Liveness, ProbePolicy, RestartLimit, StartLimit};

const SECOND: Duration = Duration::from_secs(1);
const ZERO: Duration = Duration::ZERO;

#[test]
fn a_start_limit_is_impossible_if_a_part_is_zero() {
    for (burst, interval, expected) in
        [(1, SECOND, false), (0, SECOND, true), (1, ZERO, true), (0, ZERO, true)]
    {
        assert_eq!(StartLimit { burst, interval }.is_impossible(), expected, "{burst}, {interval:?}");
    }
}

#[test]
fn a_probe_is_impossible_if_a_part_is_zero_but_its_initial_delay() {
    let standard = ProbePolicy::standard();
    let table = [
        (standard, false),
        (ProbePolicy { initial_delay: Some(ZERO), ..standard }, false),
        (ProbePolicy { period: ZERO, ..standard }, true),
        (ProbePolicy { timeout: ZERO, ..standard }, true),
        (ProbePolicy { failure_threshold: 0, ..standard }, true),
    ];
    for (probe, expected) in table {
        assert_eq!(probe.is_impossible(), expected, "{probe:?}");
        let liveness = Liveness { probe: Some(probe), ..Liveness::default() };
        assert_eq!(liveness.is_impossible(), expected, "{liveness:?}");
    }
}

#[test]
fn a_handler_deadline_and_a_watchdog_of_zero_are_impossible() {
    let (handler_deadline, watchdog) = (Some(ZERO), Some(ZERO));
    let table = [
        (Liveness::default(), false),
        (Liveness { handler_deadline: Some(SECOND), watchdog: Some(SECOND), probe: None }, false),
        (Liveness { handler_deadline, ..Liveness::default() }, true),
        (Liveness { watchdog, ..Liveness::default() }, true),
        (Liveness { handler_deadline, watchdog: Some(SECOND), probe: None }, true),
    ];
    for (liveness, expected) in table {
        assert_eq!(liveness.is_impossible(), expected, "{liveness:?}");
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn the_intensity_of_any_number_of_children_is_limited() {
    let restarts = |children| RestartLimit::PerChildren.with(children).restarts;
    let most = u32::MAX as usize;
    assert_eq!([most - 1, most, most + 1].map(|tenth| restarts(tenth * 10)), [u32::MAX - 1; 3]);
    assert_eq!((restarts((most - 2) * 10), restarts(usize::MAX)), (u32::MAX - 2, u32::MAX - 1));
}
