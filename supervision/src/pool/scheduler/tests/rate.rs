//! The rate limit compared with a log of all starts.

use std::time::Duration;

use proptest::prelude::*;

use crate::pool::scheduler::rate::Rate;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_whole_period_may_start_at_once() {
    let mut rate = Rate::new(3, ms(10));
    for _ in 0..3 {
        assert!(rate.is_ready(ms(5)));
        rate.record_start(ms(5));
    }
    assert!(!rate.is_ready(ms(5)));
    assert_eq!(rate.ready_at(ms(14)), Some(ms(15)));
    assert_eq!(rate.ready_at(ms(15)), None);
}

#[test]
fn each_start_counts_for_one_period() {
    let mut rate = Rate::new(2, ms(10));
    rate.record_start(ms(0));
    rate.record_start(ms(4));
    assert_eq!(rate.ready_at(ms(9)), Some(ms(10)));
    rate.record_start(ms(10));
    assert_eq!(rate.ready_at(ms(13)), Some(ms(14)));
}

#[test]
fn a_rate_of_zero_is_a_rate_of_one() {
    let mut rate = Rate::new(0, ms(10));
    assert!(rate.is_ready(ms(0)));
    rate.record_start(ms(0));
    assert!(!rate.is_ready(ms(9)));
}

#[test]
fn a_high_rate_uses_little_memory() {
    let mut rate = Rate::new(10_000_000, Duration::from_secs(1));
    for n in 0..2_000_000 {
        let now = Duration::from_micros(n);
        assert!(rate.is_ready(now), "what is over is evicted when it is asked");
        rate.record_start(now);
    }
    assert!((4000..=4200).contains(&rate.entries()), "{} entries", rate.entries());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// For any requests at any times: the starts in each period that ends now do not exceed the
    /// rate, and no start waits longer than needed, except for the resolution.
    #[test]
    fn no_period_exceeds_the_rate_and_no_start_waits_longer_than_needed(
        jobs in 1..20_u32,
        period in 1..50_000_u64,
        pauses in prop::collection::vec(prop_oneof![Just(0), 0..100_u64, 0..5_000_u64], 1..300),
    ) {
        let micros = Duration::from_micros;
        let (period, part) = (micros(period), micros(period) / 4096);
        let mut rate = Rate::new(jobs, period);
        let (mut begun, mut now) = (Vec::new(), Duration::ZERO);
        for pause in pauses {
            now += micros(pause);
            let within = |length: Duration| begun.iter().filter(|at| **at + length > now).count();
            let (surely, perhaps) = (within(period + part), within(period));
            let ready = rate.is_ready(now);
            prop_assert!(!ready || perhaps < jobs as usize, "{perhaps} of {jobs} have begun by {now:?}");
            prop_assert!(ready || surely >= jobs as usize, "only {surely} of {jobs} have begun by {now:?}");
            prop_assert_eq!(rate.ready_at(now).is_none(), ready);
            if ready {
                rate.record_start(now);
                begun.push(now);
            }
        }
    }
}
