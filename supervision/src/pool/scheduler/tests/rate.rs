//! The rate limit compared with a log of all starts.

use std::time::Duration;

use proptest::prelude::*;

use crate::pool::scheduler::rate::Rate;
use crate::pool::scheduler::rate_limit::RateLimit;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_whole_period_may_start_at_once() {
    let mut rate = Rate::new(RateLimit::window(3, ms(10)));
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
    let mut rate = Rate::new(RateLimit::window(2, ms(10)));
    rate.record_start(ms(0));
    rate.record_start(ms(4));
    assert_eq!(rate.ready_at(ms(9)), Some(ms(10)));
    rate.record_start(ms(10));
    assert_eq!(rate.ready_at(ms(13)), Some(ms(14)));
}

#[test]
fn a_rate_of_zero_is_a_rate_of_one() {
    let mut rate = Rate::new(RateLimit::window(0, ms(10)));
    assert!(rate.is_ready(ms(0)));
    rate.record_start(ms(0));
    assert!(!rate.is_ready(ms(9)));
}

#[test]
fn a_high_rate_uses_little_memory() {
    let mut rate = Rate::new(RateLimit::window(10_000_000, Duration::from_secs(1)));
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
        let mut rate = Rate::new(RateLimit::window(jobs, period));
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

const MINUTE: Duration = Duration::from_secs(60);

/// Starts as many jobs as the rate allows at a time, and returns their number.
fn starts_at(rate: &mut Rate, now: Duration) -> usize {
    let mut starts = 0;
    while rate.is_ready(now) {
        rate.record_start(now);
        starts += 1;
    }
    starts
}

/// Celery's `rate_limit="10/m"`.
#[test]
fn a_smooth_rate_allows_one_start_in_each_part_of_the_period() {
    let mut rate = Rate::new(RateLimit::per(10, MINUTE));
    assert_eq!(starts_at(&mut rate, ms(100)), 1);
    assert_eq!(rate.ready_at(ms(100)), Some(ms(6_100)));
    assert_eq!(starts_at(&mut rate, ms(6_099)), 0);
    assert_eq!(starts_at(&mut rate, ms(6_100)), 1);
    assert_eq!(starts_at(&mut rate, MINUTE * 9), 1, "unused starts are lost");
}

#[test]
fn a_bucket_keeps_as_many_unused_starts_as_its_burst() {
    let mut rate = Rate::new(RateLimit::per(10, MINUTE).burst(4));
    assert_eq!(starts_at(&mut rate, ms(0)), 4);
    assert_eq!(rate.unused_at(), ms(24_000));
    assert_eq!(starts_at(&mut rate, ms(5_999)), 0);
    assert_eq!(starts_at(&mut rate, ms(13_000)), 2);
    assert_eq!(rate.ready_at(ms(13_000)), Some(ms(18_000)), "the rest of a token is kept");
    assert_eq!(starts_at(&mut rate, MINUTE * 9), 4);
}

#[test]
fn a_bucket_whose_token_takes_no_whole_nanosecond_allows_no_start_too_early_or_late() {
    let mut rate = Rate::new(RateLimit::per(3, Duration::from_secs(1)).burst(2));
    assert_eq!(starts_at(&mut rate, ms(0)), 2);
    assert_eq!(rate.ready_at(ms(0)), Some(Duration::from_nanos(333_333_334)));
    assert_eq!(starts_at(&mut rate, Duration::from_nanos(333_333_333)), 0);
    for third in 1..=3_000 {
        let now = Duration::from_nanos((third * 1_000_000_000_u64).div_ceil(3));
        assert_eq!(starts_at(&mut rate, now), 1);
    }
}

#[test]
fn the_longest_times_and_the_largest_numbers_limit_without_overflow() {
    let most = RateLimit::per(u32::MAX, Duration::MAX).burst(u32::MAX);
    for limit in [RateLimit::per(1, Duration::MAX), most, RateLimit::window(1, Duration::MAX)] {
        let mut rate = Rate::new(limit);
        assert!(rate.is_ready(ms(0)) && rate.is_ready(Duration::MAX));
        rate.record_start(Duration::MAX);
        rate.record_start(Duration::MAX);
        assert_eq!(rate.unused_at(), Duration::MAX);
    }
}

#[test]
fn a_limit_that_allows_nothing_or_everything_is_zero() {
    let zero = Duration::ZERO;
    for limit in [RateLimit::per(0, MINUTE), RateLimit::per(1, zero), RateLimit::per(1, MINUTE).burst(0)] {
        assert!(limit.is_zero(), "{limit:?}");
    }
    assert!(RateLimit::window(0, MINUTE).is_zero() && RateLimit::window(1, zero).is_zero());
    assert!(!RateLimit::per(1, MINUTE).is_zero() && !RateLimit::window(1, MINUTE).is_zero());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// For any requests at any times: between any two of the starts lie at most the burst and the
    /// tokens of that time; and no start waits longer than needed.
    #[test]
    fn in_any_time_at_most_its_tokens_and_the_burst_start_and_none_waits_longer_than_needed(
        jobs in 1..20_u32,
        period in 1..50_000_u64,
        burst in 1..6_u32,
        pauses in prop::collection::vec(prop_oneof![Just(0), 0..100_u64, 0..5_000_u64], 1..300),
    ) {
        let period = Duration::from_nanos(period);
        let mut rate = Rate::new(RateLimit::per(jobs, period).burst(burst));
        let (mut begun, mut now): (Vec<Duration>, _) = (Vec::new(), Duration::ZERO);
        for pause in pauses {
            now += Duration::from_nanos(pause);
            let tokens = |since: Duration, now: Duration| {
                (now - since).as_nanos() * u128::from(jobs) / period.as_nanos()
            };
            let is_allowed = |now: Duration| begun.iter().enumerate().all(|(n, since)| {
                let with_this = begun.len() - n + 1;
                with_this as u128 <= u128::from(burst) + tokens(*since, now)
            });
            prop_assert_eq!(rate.is_ready(now), is_allowed(now), "{:?} have begun by {:?}", begun, now);
            if let Some(ready_at) = rate.ready_at(now) {
                let before = ready_at - Duration::from_nanos(1);
                prop_assert!(is_allowed(ready_at) && !is_allowed(before), "{:?}", ready_at);
            } else {
                rate.record_start(now);
                begun.push(now);
            }
            let unused_at = rate.unused_at();
            let mut later = rate.clone();
            prop_assert_eq!(starts_at(&mut later, unused_at.max(now)), burst as usize);
        }
    }
}
