//! The number of times that a restart window stores.

use std::time::Duration;

use crate::engine::intensity::RestartWindow;
use crate::policy::{Intensity, RestartLimit};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn window(restarts: u32, millis: u64) -> RestartWindow {
    RestartWindow::new(Intensity { restarts, period: ms(millis) })
}

#[test]
fn unlimited_restarts_store_no_times() {
    for period in [Duration::ZERO, Duration::from_secs(5), Duration::MAX] {
        let mut window = RestartWindow::new(Intensity { restarts: u32::MAX, period });
        for n in 0..10_000 {
            assert_eq!(window.record(ms(n), 1), Some(u32::MAX));
        }
        assert_eq!(window.times.capacity(), 0);
    }
}

#[test]
fn restart_times_stored_are_at_most_one_more_than_the_limit() {
    let mut window = RestartWindow::new(Intensity { restarts: 100, period: Duration::MAX });
    for left in (0..100).rev() {
        assert_eq!(window.record(ms(0), 1), Some(left));
    }
    assert_eq!((window.record(ms(0), 1), window.times.len()), (None, 101));
}

#[test]
fn restarts_outside_the_period_are_not_stored() {
    let mut window = window(u32::MAX - 1, 10);
    for n in 0..10_000 {
        assert!(window.record(ms(n), 1).is_some());
        assert!(window.times.len() <= 11);
    }
}

#[test]
fn counted_restarts_are_discarded_while_any_number_is_tolerated() {
    let (mut window, limit) = (window(2, 1000), Intensity { restarts: 2, period: ms(1000) });
    assert_eq!(window.record(ms(0), 1), Some(1));
    window.change(Intensity { restarts: u32::MAX, ..limit });
    assert_eq!((window.record(ms(1), 1), window.times.capacity()), (Some(u32::MAX), 0));
    window.change(limit);
    assert_eq!(window.record(ms(2), 1), Some(1));
}

/// Returns how many restarts at the same time are tolerated with `children` children.
fn tolerated(children: usize) -> usize {
    let mut window = RestartWindow::new(RestartLimit::PerChildren);
    (0..).take_while(|_| window.record(ms(0), children).is_some()).count()
}

#[test]
fn limit_that_grows_is_three_or_a_tenth_of_the_children() {
    let of = [0, 1, 2, 10, 30, 39, 40, 100, 10_000].map(|children| (children, tolerated(children)));
    let limits = [(0, 3), (1, 3), (2, 3), (10, 3), (30, 3), (39, 3), (40, 4), (100, 10), (10_000, 1_000)];
    assert_eq!(of, limits);
}

#[test]
fn limit_that_grows_is_never_unlimited() {
    let intensity = RestartLimit::PerChildren.with(usize::MAX);
    assert!(!intensity.is_unlimited());
    assert_eq!(intensity.period, Duration::from_secs(5));
}

#[test]
fn children_that_leave_do_not_turn_tolerated_restarts_into_too_many() {
    let mut window = RestartWindow::new(RestartLimit::PerChildren);
    for n in 0..8 {
        assert!(window.record(ms(n), 100).is_some());
    }
    assert_eq!(window.record(ms(1_000), 5), Some(1), "there were 100 children at the oldest restart");
    assert_eq!(window.record(ms(5_007), 5), Some(7), "one restart with 100 children still counts");
    assert_eq!(window.record(ms(5_008), 5), Some(0), "only restarts with few children count");
}

#[test]
fn remaining_restarts_are_those_that_the_period_still_tolerates() {
    let mut window = window(3, 1_000);
    assert_eq!(window.remaining(ms(0), 1), 3);
    window.record(ms(0), 1);
    window.record(ms(500), 1);
    assert_eq!(window.remaining(ms(1_000), 1), 1);
    assert_eq!(window.remaining(ms(1_001), 1), 2);
}
