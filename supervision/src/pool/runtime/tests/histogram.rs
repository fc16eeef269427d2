//! The histogram compared with a list of its durations.

use std::time::Duration;

use proptest::prelude::*;

use crate::pool::runtime::histogram::Histogram;

#[test]
fn an_empty_histogram_has_zero_percentiles() {
    assert_eq!(Histogram::default().percentile(0.5), Duration::ZERO);
}

#[test]
fn the_shortest_and_the_longest_are_counted_too() {
    let mut times = Histogram::default();
    times.count(Duration::ZERO);
    assert!(times.percentile(1.0) <= Duration::from_nanos(9));
    times.count(Duration::MAX);
    assert!(times.percentile(1.0) >= Duration::from_secs(3600));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_percentile_is_an_upper_bound_within_an_eighth(
        nanos in prop::collection::vec(prop_oneof![8..1_000_u64, 8..10_000_000_u64, 8..3_600_000_000_000_u64], 1..200),
        part in 0.01..1.0_f64,
    ) {
        let (mut times, mut sorted) = (Histogram::default(), nanos);
        sorted.iter().for_each(|nanos| times.count(Duration::from_nanos(*nanos)));
        sorted.sort_unstable();
        let place = ((sorted.len() as f64 * part).ceil() as usize).max(1) - 1;
        let (exact, estimate) = (sorted[place], times.percentile(part).as_nanos() as u64);
        prop_assert!(exact <= estimate && estimate <= exact + exact / 8 + 1, "{exact} is estimated as {estimate}");
    }
}
