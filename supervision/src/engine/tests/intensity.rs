//! The number of times that a restart window stores.

use std::time::Duration;

use crate::engine::intensity::RestartWindow;
use crate::policy::Intensity;

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
            assert_eq!(window.record(ms(n)), Some(u32::MAX));
        }
        assert_eq!(window.times.capacity(), 0);
    }
}

#[test]
fn restart_times_stored_are_at_most_one_more_than_the_limit() {
    let mut window = RestartWindow::new(Intensity { restarts: 100, period: Duration::MAX });
    for left in (0..100).rev() {
        assert_eq!(window.record(ms(0)), Some(left));
    }
    assert_eq!((window.record(ms(0)), window.times.len()), (None, 101));
}

#[test]
fn restarts_outside_the_period_are_not_stored() {
    let mut window = window(u32::MAX - 1, 10);
    for n in 0..10_000 {
        assert!(window.record(ms(n)).is_some());
        assert!(window.times.len() <= 11);
    }
}

#[test]
fn counted_restarts_are_discarded_while_any_number_is_tolerated() {
    let (mut window, limit) = (window(2, 1000), Intensity { restarts: 2, period: ms(1000) });
    assert_eq!(window.record(ms(0)), Some(1));
    window.change(Intensity { restarts: u32::MAX, ..limit });
    assert_eq!((window.record(ms(1)), window.times.capacity()), (Some(u32::MAX), 0));
    window.change(limit);
    assert_eq!(window.record(ms(2)), Some(1));
}
