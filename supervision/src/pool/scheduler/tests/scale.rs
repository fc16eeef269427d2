//! The target number of workers.

use std::time::Duration;

use crate::pool::scheduler::scale::{Load, PoolSize, Scale};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Between 1 and 8 workers, with a maximum wait of 1 s and a calm period of 10 s.
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
    assert_eq!(turned.bounds(), (start, start), "{end} is not the maximum");
}

#[test]
fn the_size_doubles_when_jobs_wait_too_long_and_not_before() {
    let mut scale = scale();
    assert_eq!(scale.target_size(2, waiting(100, Duration::from_millis(999)), secs(0)), 2);
    assert_eq!(scale.target_size(2, waiting(100, secs(1)), secs(0)), 4);
    assert_eq!(scale.target_size(4, waiting(100, secs(1)), secs(0)), 8);
    assert_eq!(scale.target_size(8, waiting(100, secs(1)), secs(0)), 8, "not above the maximum");
}

#[test]
fn no_more_workers_are_added_than_jobs_wait() {
    assert_eq!(scale().target_size(4, waiting(1, secs(1)), secs(0)), 5);
    assert_eq!(scale().target_size(0, waiting(9, secs(1)), secs(0)), 1, "from none, too");
}

#[test]
fn one_worker_is_removed_after_each_calm_period() {
    let mut scale = scale();
    assert_eq!(scale.target_size(3, CALM, secs(0)), 3);
    assert_eq!(scale.target_size(3, CALM, secs(9)), 3);
    assert_eq!(scale.target_size(3, CALM, secs(10)), 2);
    assert_eq!(scale.target_size(2, CALM, secs(19)), 2);
    assert_eq!(scale.target_size(2, CALM, secs(20)), 1);
    assert_eq!(scale.target_size(1, CALM, secs(30)), 1, "not below the minimum");
}

#[test]
fn waiting_jobs_or_only_busy_workers_end_a_calm_period() {
    for load in [waiting(1, Duration::ZERO), BUSY] {
        let mut scale = scale();
        assert_eq!(scale.target_size(3, CALM, secs(0)), 3);
        assert_eq!(scale.target_size(3, load, secs(9)), 3);
        assert_eq!(scale.target_size(3, CALM, secs(10)), 3);
        assert_eq!(scale.target_size(3, CALM, secs(19)), 3);
        assert_eq!(scale.target_size(3, CALM, secs(20)), 2);
    }
}
