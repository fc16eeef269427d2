//! Bursts of log lines: the first ones are written, then counts.

use std::time::Duration;

use crate::system::throttle::{BURST, PERIOD, Throttle, Throttled};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns a throttle that has just written its last uncounted line.
fn exhausted(now: Duration) -> Throttle {
    let mut throttle = Throttle::default();
    for _ in 0..BURST {
        assert_eq!(throttle.admit(now), Throttled::Write);
    }
    throttle
}

#[test]
fn lines_beyond_the_first_ones_are_counted_and_schedule_one_count() {
    let mut throttle = exhausted(secs(0));
    assert_eq!(throttle.admit(secs(4)), Throttled::CountAfter(secs(6)));
    assert_eq!(throttle.admit(secs(5)), Throttled::Counted);
    assert_eq!(throttle.take_count(secs(10)), 2);
}

#[test]
fn a_burst_that_continues_is_one_count_in_each_period() {
    let mut throttle = exhausted(secs(0));
    throttle.admit(secs(1));
    for period in 1..5 {
        let begin = PERIOD * period;
        assert_eq!(throttle.take_count(begin), 1);
        assert_eq!(throttle.admit(begin + secs(1)), Throttled::CountAfter(secs(9)));
    }
}

#[test]
fn a_period_without_a_line_ends_the_burst() {
    let mut throttle = exhausted(secs(0));
    throttle.admit(secs(1));
    throttle.take_count(secs(10));
    assert_eq!(throttle.admit(secs(20)), Throttled::Write);
}

#[test]
fn a_count_that_no_timer_wrote_is_written_by_the_next_line() {
    let mut throttle = exhausted(secs(0));
    throttle.admit(secs(1));
    assert_eq!(throttle.admit(secs(11)), Throttled::WriteCount(2));
    assert_eq!(throttle.admit(secs(12)), Throttled::CountAfter(secs(9)));
}
