//! The delays of a backoff: its factor, its cap and its full jitter.

use std::time::Duration;

use perennial_supervision::Backoff;

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_delay_doubles_by_default_up_to_the_cap() {
    let backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(300));
    let delays = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|n| backoff.delay(n, 0.0).as_secs());
    assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300, 300], "as the crash loops of Kubernetes");
}

#[test]
fn another_factor_grows_a_delay_up_to_the_cap() {
    let backoff = Backoff::new(100 * MILLI, 1000 * MILLI);
    let delays =
        |factor| [0, 1, 2, 3, 4, 94, u32::MAX].map(|n| backoff.factor(factor).delay(n, 0.0).as_micros());
    assert_eq!(delays(1.5), [100_000, 150_000, 225_000, 337_500, 506_250, 1_000_000, 1_000_000]);
    assert_eq!(delays(3.0), [100_000, 300_000, 900_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000]);
    assert_eq!(delays(f64::INFINITY)[..2], [100_000, 1_000_000]);
}

#[test]
fn factor_of_one_and_what_is_no_factor_keep_the_delay_constant() {
    let backoff = Backoff::new(100 * MILLI, 1000 * MILLI);
    for factor in [1.0, 0.5, 0.0, -2.0, f64::NAN, f64::NEG_INFINITY] {
        for failures in [0, 1, 5, 94, u32::MAX] {
            assert_eq!(backoff.factor(factor).delay(failures, 0.0), 100 * MILLI, "for {factor}");
        }
    }
}

#[test]
fn factor_of_two_is_the_default() {
    assert_eq!(Backoff::new(MILLI, MILLI).factor(2.0), Backoff::new(MILLI, MILLI));
}

#[test]
fn any_factor_keeps_a_delay_between_the_first_and_the_cap() {
    let long = [Duration::ZERO, Duration::from_nanos(1), MILLI, Duration::MAX / 2, Duration::MAX];
    for (first, cap) in long.iter().flat_map(|first| long.map(|cap| (*first, cap.max(*first)))) {
        for factor in [1.0 + f64::EPSILON, 1.1, 2.0, 10.0, f64::MAX, f64::INFINITY] {
            let backoff = Backoff::new(first, cap).factor(factor);
            let mut before = first;
            for failures in [0, 1, 2, 10, 94, 1000, u32::MAX] {
                let delay = backoff.delay(failures, 0.0);
                let case = format!("{delay:?} from {first:?} to {cap:?} by {factor} after {failures}");
                assert!(before <= delay && delay <= cap, "{case}");
                assert!(backoff.full_jitter().delay(failures, 1.0) <= cap, "{case}");
                before = delay;
            }
        }
    }
}

#[test]
fn full_jitter_draws_evenly_between_zero_and_the_capped_delay() {
    let backoff = Backoff::new(100 * MILLI, 800 * MILLI).full_jitter();
    let draws = |failures| [0.0, 0.25, 0.5, 1.0, 1e300].map(|u| backoff.delay(failures, u).as_millis());
    assert_eq!(draws(0), [0, 25, 50, 100, 100]);
    assert_eq!(draws(2), [0, 100, 200, 400, 400]);
    assert_eq!(draws(9), [0, 200, 400, 800, 800], "of the cap");
    for draw in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(backoff.delay(2, draw), Duration::ZERO, "for {draw}");
    }
}

#[test]
fn the_last_of_two_jitters_counts() {
    let backoff = Backoff::new(100 * MILLI, 100 * MILLI);
    assert_eq!(backoff.jitter(0.5).full_jitter(), backoff.full_jitter());
    assert_eq!(backoff.full_jitter().jitter(0.5), backoff.jitter(0.5));
}
