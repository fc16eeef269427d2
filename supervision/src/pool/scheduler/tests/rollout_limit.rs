//! The arithmetic of the limits of a rollout.

use std::time::Duration;

use proptest::prelude::*;

use crate::pool::scheduler::rollout_limit::{Margins, RolloutLimit, RolloutLimits};

fn limits(max_unavailable: impl Into<RolloutLimit>, max_surge: impl Into<RolloutLimit>) -> RolloutLimits {
    RolloutLimits {
        max_unavailable: max_unavailable.into(),
        max_surge: max_surge.into(),
        min_ready: Duration::ZERO,
        progress_deadline: Duration::from_secs(600),
    }
}

const fn percent(percent: u32) -> RolloutLimit {
    RolloutLimit::percent(percent)
}

fn workers(workers: usize) -> RolloutLimit {
    workers.into()
}

#[test]
fn unavailable_workers_are_rounded_down_and_additional_ones_up_as_in_kubernetes() {
    // wanted, max_unavailable, max_surge; and what they come to.
    let table = [
        (10, percent(25), percent(25), (2, 3)),
        (4, percent(25), percent(25), (1, 1)),
        (3, percent(25), percent(25), (0, 1)),
        (1, percent(25), percent(25), (0, 1)),
        (10, percent(30), percent(30), (3, 3)),
        (10, percent(99), percent(1), (9, 1)),
        (10, percent(100), percent(0), (10, 0)),
        (10, percent(0), percent(100), (0, 10)),
        (10, workers(2), workers(3), (2, 3)),
        (10, workers(1), workers(0), (1, 0)),
        (10, workers(0), percent(1), (0, 1)),
        // Both come to zero: one may be unavailable.
        (1, percent(25), workers(0), (1, 0)),
        (3, percent(33), percent(0), (1, 0)),
        (4, percent(24), workers(0), (1, 0)),
        // More than all.
        (10, workers(99), workers(99), (10, 10)),
        (10, workers(1), percent(200), (1, 10)),
        (0, percent(25), percent(25), (1, 0)),
        (usize::MAX, percent(300), percent(300), (usize::MAX, usize::MAX)),
    ];
    for (wanted, down, up, (unavailable, surge)) in table {
        let resolved = limits(down, up).resolve(wanted);
        assert_eq!(resolved, Margins { unavailable, surge }, "{wanted} workers, {down}, {up}");
    }
}

#[test]
fn limits_that_are_both_zero_are_known_before_they_are_resolved() {
    for (down, up, expected) in [
        (workers(0), workers(0), true),
        (percent(0), percent(0), true),
        (workers(0), percent(0), true),
        (percent(1), workers(0), false),
        (workers(0), percent(1), false),
        (workers(1), workers(0), false),
    ] {
        assert_eq!(limits(down, up).are_zero(), expected, "{down}, {up}");
    }
}

#[test]
fn a_limit_is_written_as_a_number_of_workers_or_a_percentage() {
    assert_eq!([workers(3), percent(25)].map(|limit| limit.to_string()), ["3", "25 %"]);
}

#[test]
fn only_a_percentage_of_unavailable_workers_exceeds_all() {
    assert!(limits(percent(101), 1).exceed_all());
    assert!(!limits(percent(100), percent(500)).exceed_all());
    assert!(!limits(500, 1).exceed_all());
}

proptest! {
    #[test]
    fn any_limits_leave_room_for_a_replacement(
        wanted in any::<usize>(),
        (down, up) in (any::<u32>(), any::<u32>()),
    ) {
        let Margins { unavailable, surge } = limits(percent(down), percent(up)).resolve(wanted);
        prop_assert!((unavailable > 0 || surge > 0) && unavailable <= wanted.max(1) && surge <= wanted);
    }
}
