//! How many workers there are to be.

use std::time::Duration;

use crate::pool::scale::{Load, PoolSize, Scale};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Between 1 and 8 workers; more when a job has waited for a second, fewer when it was calm for ten.
fn scale() -> Scale {
    Scale::of(&PoolSize::from(1..=8), secs(1), secs(10)).expect("it may grow")
}

const fn waiting(queued: usize, waited: Duration) -> Load {
    Load { queued, waited, idle: 0 }
}

const CALM: Load = Load { queued: 0, waited: Duration::ZERO, idle: 1 };

const BUSY: Load = Load { queued: 0, waited: Duration::ZERO, idle: 0 };

#[test]
fn a_fixed_size_is_not_scaled() {
    assert!(Scale::of(&PoolSize::from(4), secs(1), secs(10)).is_none());
    assert!(Scale::of(&PoolSize::from(4..=4), secs(1), secs(10)).is_none());
    let (turned, start, end) = (PoolSize::Between(std::ops::RangeInclusive::new(4, 2)), 4, 2);
    assert_eq!((turned.max(), turned.min()), (start, start), "{end} is not the maximum");
}

#[test]
fn it_doubles_when_jobs_wait_for_too_long_and_not_before() {
    let mut scale = scale();
    assert_eq!(scale.target_size(2, waiting(100, Duration::from_millis(999)), secs(0)), 2);
    assert_eq!(scale.target_size(2, waiting(100, secs(1)), secs(0)), 4);
    assert_eq!(scale.target_size(4, waiting(100, secs(1)), secs(0)), 8);
    assert_eq!(scale.target_size(8, waiting(100, secs(1)), secs(0)), 8, "not above the maximum");
}

#[test]
fn there_are_never_more_new_workers_than_jobs_that_wait() {
    assert_eq!(scale().target_size(4, waiting(1, secs(1)), secs(0)), 5);
    assert_eq!(scale().target_size(0, waiting(9, secs(1)), secs(0)), 1, "from none, too");
}

#[test]
fn one_goes_each_time_that_it_was_calm_for_long_enough() {
    let mut scale = scale();
    assert_eq!(scale.target_size(3, CALM, secs(0)), 3);
    assert_eq!(scale.target_size(3, CALM, secs(9)), 3);
    assert_eq!(scale.target_size(3, CALM, secs(10)), 2);
    assert_eq!(scale.target_size(2, CALM, secs(19)), 2);
    assert_eq!(scale.target_size(2, CALM, secs(20)), 1);
    assert_eq!(scale.target_size(1, CALM, secs(30)), 1, "not below the minimum");
}

#[test]
fn a_job_that_waits_or_workers_who_are_all_busy_are_no_calm() {
    for load in [waiting(1, Duration::ZERO), BUSY] {
        let mut scale = scale();
        assert_eq!(scale.target_size(3, CALM, secs(0)), 3);
        assert_eq!(scale.target_size(3, load, secs(9)), 3);
        assert_eq!(scale.target_size(3, CALM, secs(10)), 3);
        assert_eq!(scale.target_size(3, CALM, secs(19)), 3);
        assert_eq!(scale.target_size(3, CALM, secs(20)), 2);
    }
}
