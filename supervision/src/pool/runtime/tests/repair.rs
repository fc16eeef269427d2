//! The schedule of repairs.

use std::time::Duration;

use crate::policy::Backoff;
use crate::pool::runtime::repair::{Repair, Step};

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_worker_missing_only_for_a_moment_is_left_to_its_supervisor() {
    let mut repair = Repair::new(None);
    assert_eq!(repair.next_step(true, at(0)), Step::Wait(at(100)));
    assert_eq!(repair.next_step(true, at(60)), Step::Wait(at(40)));
    assert_eq!(repair.next_step(false, at(90)), Step::Idle);
    assert_eq!(repair.next_step(true, at(100)), Step::Wait(at(100)));
}

#[test]
fn each_failed_repair_delays_the_next_longer() {
    let (mut repair, mut now) = (Repair::new(Some(Backoff::new(at(10), at(50)))), at(0));
    let mut waits = Vec::new();
    while waits.len() < 5 {
        match repair.next_step(true, now) {
            Step::Wait(wait) => {
                waits.push(wait.as_millis());
                now += wait;
            }
            Step::Reconcile => {}
            Step::Idle => panic!("a worker is missing"),
        }
    }
    assert_eq!(waits, [10, 20, 40, 50, 50]);
}
