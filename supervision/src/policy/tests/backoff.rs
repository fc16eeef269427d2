//! The delays of a backoff.

use std::time::Duration;

use crate::policy::Backoff;

const MILLI: Duration = Duration::from_millis(1);
const DRAWS: [f64; 7] = [0.0, f64::MIN_POSITIVE, 0.25, 0.5, 1.0 - f64::EPSILON, 1.0, 1e300];

#[test]
fn a_delay_doubles_with_each_failure_up_to_the_cap() {
    let backoff = Backoff::new(3 * MILLI, 1000 * MILLI);
    for failures in 0..8 {
        assert_eq!(backoff.delay(failures, 0.5), 3 * MILLI * 2_u32.pow(failures));
    }
    for failures in [9, 10, 31, 32, 33, 63, 64, 127, 128, u32::MAX] {
        assert_eq!(backoff.delay(failures, 0.5), 1000 * MILLI, "after {failures}");
    }
}

#[test]
fn a_delay_reaches_its_cap_however_short_the_first_is() {
    let backoff = Backoff::new(Duration::from_nanos(1), Duration::MAX);
    let mut before = Duration::ZERO;
    for failures in 0..95 {
        let delay = backoff.delay(failures, 0.0);
        assert!(delay > before, "after {failures}: {delay:?} does not grow");
        before = delay;
    }
    assert_eq!(before, Duration::MAX);
    assert_eq!(backoff.delay(40, 0.0), Duration::from_nanos(1 << 40));
}

#[test]
fn a_delay_grows_by_its_factor_up_to_the_cap() {
    let delays = |factor| {
        let backoff = Backoff::new(100 * MILLI, 2700 * MILLI).factor(factor);
        [0, 1, 2, 3, 4, u32::MAX].map(|failures| backoff.delay(failures, 0.0).as_millis())
    };
    assert_eq!(delays(3.0), [100, 300, 900, 2700, 2700, 2700]);
    assert_eq!(delays(1.5), [100, 150, 225, 337, 506, 2700]);
    for constant in [1.0, 0.5, -2.0, f64::NAN] {
        assert_eq!(delays(constant), [100; 6], "with {constant}");
    }
}

#[test]
fn a_first_or_constant_delay_is_exact_however_long_it_is() {
    // Too many digits for a floating-point number.
    let first = Duration::from_nanos(u64::MAX);
    let backoff = |factor| Backoff::new(first, Duration::MAX).factor(factor);
    for factor in [1.0, 2.0, 3.0] {
        assert_eq!(backoff(factor).delay(0, 0.0), first, "with {factor}");
    }
    assert_eq!(backoff(1.0).delay(7, 0.0), first);
}

#[test]
fn full_jitter_draws_between_nothing_and_the_whole_delay() {
    let backoff = Backoff::new(1000 * MILLI, 4000 * MILLI).full_jitter();
    for (failures, whole) in [(0, 1000), (1, 2000), (2, 4000), (9, 4000)] {
        let drawn = [0.0, 0.25, 1.0, 7.0].map(|draw| backoff.delay(failures, draw));
        assert_eq!(drawn, [0, whole / 4, whole, whole].map(|millis| millis * MILLI));
    }
    assert_eq!(Backoff::new(Duration::MAX, Duration::MAX).full_jitter().delay(0, 1.0), Duration::MAX);
}

#[test]
fn a_child_without_a_seed_has_that_of_its_supervisor() {
    let backoff = Backoff::new(MILLI, MILLI);
    assert_eq!((backoff.seed_or(7), backoff.seed(3).seed_or(7)), (7, 3));
    assert_eq!(backoff.reset_after(9 * MILLI).healthy(), 9 * MILLI);
}

#[test]
fn a_cap_below_the_first_delay_is_raised_to_it() {
    let backoff = Backoff::new(5 * MILLI, MILLI);
    assert_eq!((backoff.delay(0, 0.0), backoff.delay(7, 0.0)), (5 * MILLI, 5 * MILLI));
    assert_eq!(backoff.healthy(), 5 * MILLI);
}

#[test]
fn a_first_delay_of_zero_stays_zero() {
    let backoff = Backoff::new(Duration::ZERO, Duration::MAX).jitter(1.0);
    for failures in [0, 1, 64, u32::MAX] {
        assert_eq!(backoff.delay(failures, 1.0), Duration::ZERO);
    }
}

#[test]
fn jitter_adds_between_nothing_and_its_part() {
    let backoff = Backoff::new(1000 * MILLI, 1000 * MILLI).jitter(0.2);
    assert_eq!(backoff.delay(0, 0.0), 1000 * MILLI);
    assert_eq!(backoff.delay(0, 0.5), 1100 * MILLI);
    assert_eq!(backoff.delay(0, 1.0), 1200 * MILLI, "also on top of the cap");
    for draw in DRAWS {
        let delay = backoff.delay(0, draw);
        assert!((1000 * MILLI..=1200 * MILLI).contains(&delay), "{delay:?} for {draw}");
    }
    for draw in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(backoff.delay(0, draw), 1000 * MILLI, "for {draw}");
    }
}

#[test]
fn jitter_is_limited_to_the_range_from_zero_to_one() {
    let longest = |part| Backoff::new(1000 * MILLI, 1000 * MILLI).jitter(part).delay(0, 1.0);
    assert_eq!(longest(7.0), 2000 * MILLI);
    assert_eq!(longest(f64::INFINITY), 2000 * MILLI);
    for part in [-0.5, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(longest(part), 1000 * MILLI, "for {part}");
    }
}

#[test]
fn any_delay_and_any_number_of_failures_is_accepted() {
    let long = [Duration::ZERO, MILLI, Duration::MAX / 2, Duration::MAX - MILLI, Duration::MAX];
    for (first, cap) in long.iter().flat_map(|first| long.map(|cap| (*first, cap))) {
        for failures in [0, 1, 31, 32, 94, 95, 128, u32::MAX] {
            for draw in DRAWS {
                let delay = Backoff::new(first, cap).jitter(1.0).delay(failures, draw);
                assert!(delay >= first, "{delay:?} from {first:?} to {cap:?} after {failures}, {draw}");
            }
        }
    }
}
