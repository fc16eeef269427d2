//! The rates of kinds: which limit applies, and what they keep in memory.

use std::time::Duration;

use crate::pool::scheduler::RateKey;
use crate::pool::scheduler::key_rates::KeyRates;
use crate::pool::scheduler::rate_limit::RateLimit;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn kind(number: u64) -> RateKey {
    RateKey::new(number).expect("it is not 0")
}

#[test]
fn kinds_use_memory_only_while_a_start_counts() {
    for limit in [RateLimit::per(1, secs(10)), RateLimit::window(1, secs(10))] {
        let mut rates = KeyRates::default();
        rates.set_each(Some(limit));
        for number in 1..=1_000_000 {
            // A hundred new kinds in each second.
            let now = Duration::from_millis(number * 10);
            assert_eq!(rates.record_start(kind(number), now), Some(now + secs(10)));
            assert!(rates.kinds() <= 1_000, "{} kinds", rates.kinds());
        }
        rates.remove_unused(secs(10_010));
        assert_eq!(rates.kinds(), 0);
    }
}

#[test]
fn each_kind_has_its_own_limit_or_that_of_each() {
    let mut rates = KeyRates::default();
    rates.set_each(Some(RateLimit::per(1, secs(10))));
    rates.set_own(kind(2), Some(RateLimit::per(1, secs(60))));
    rates.set_own(kind(3), None);
    assert_eq!(rates.record_start(kind(1), secs(0)), Some(secs(10)));
    assert_eq!(rates.record_start(kind(2), secs(0)), Some(secs(60)));
    assert_eq!(rates.record_start(kind(3), secs(0)), None);
    assert_eq!(rates.ready_at(kind(4), secs(0)), None, "a new kind may start");
}

#[test]
fn a_changed_limit_is_unused_and_leaves_that_of_others_alone() {
    let mut rates = KeyRates::default();
    rates.set_each(Some(RateLimit::per(1, secs(10))));
    rates.set_own(kind(2), Some(RateLimit::per(1, secs(60))));
    rates.record_start(kind(1), secs(0));
    rates.record_start(kind(2), secs(0));
    rates.set_each(Some(RateLimit::per(1, secs(20))));
    assert_eq!(rates.ready_at(kind(1), secs(0)), None);
    assert_eq!(rates.ready_at(kind(2), secs(0)), Some(secs(60)));
    rates.set_own(kind(2), Some(RateLimit::per(1, secs(30))));
    assert_eq!(rates.ready_at(kind(2), secs(0)), None);
    assert_eq!(rates.record_start(kind(2), secs(0)), Some(secs(30)));
    assert_eq!(rates.kinds(), 1);
}
