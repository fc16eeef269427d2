//! The schedule of repairs.

use std::time::Duration;

use crate::policy::Backoff;
use crate::pool::runtime::repair::{DELAYS, Repair, Retry, Step, WrongSlot};

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn wrong(slot: usize) -> WrongSlot {
    WrongSlot { slot, is_repairing: false }
}

const fn repairing(slot: usize) -> WrongSlot {
    WrongSlot { slot, is_repairing: true }
}

fn step<const N: usize>(due: [usize; N], wait: Option<u64>) -> Step {
    Step { due: due.to_vec(), wait: wait.map(at) }
}

#[test]
fn a_worker_missing_only_for_a_moment_is_left_to_its_supervisor() {
    let mut repair = Repair::new(DELAYS);
    assert_eq!(repair.next_step(&[wrong(0)], at(0)), step([], Some(100)));
    assert_eq!(repair.next_step(&[wrong(0)], at(60)), step([], Some(40)));
    assert_eq!(repair.next_step(&[], at(90)), step([], None));
    assert_eq!(repair.next_step(&[wrong(0)], at(100)), step([], Some(100)));
}

#[test]
fn each_failed_repair_delays_the_next_longer() {
    let (mut repair, mut now) = (Repair::new(Backoff::new(at(10), at(50))), at(0));
    let mut waits = Vec::new();
    while waits.len() < 5 {
        let next = repair.next_step(&[wrong(3)], now);
        match next.wait {
            Some(wait) => {
                assert_eq!(next.due, []);
                waits.push(wait.as_millis());
                now += wait;
            }
            None => assert_eq!(next.due, [3]),
        }
    }
    assert_eq!(waits, [10, 20, 40, 50, 50]);
}

#[test]
fn each_slot_has_a_delay_of_its_own() {
    let mut repair = Repair::new(Backoff::new(at(10), at(1000)));
    for (now, due) in [(0, false), (10, true), (10, false), (30, true), (30, false), (70, true)] {
        let expected = if due { vec![0] } else { Vec::new() };
        assert_eq!(repair.next_step(&[wrong(0)], at(now)).due, expected, "at {now}");
    }
    assert_eq!(repair.next_step(&[wrong(0), wrong(1)], at(70)), step([], Some(10)));
    assert_eq!(repair.next_step(&[wrong(0), wrong(1)], at(80)), step([1], Some(70)));
    assert_eq!(repair.next_step(&[wrong(0)], at(150)), step([0], None));
}

#[test]
fn a_slot_that_is_being_repaired_is_not_due_and_keeps_its_delay() {
    let mut repair = Repair::new(Backoff::new(at(10), at(1000)));
    repair.next_step(&[wrong(0)], at(0));
    assert_eq!(repair.next_step(&[wrong(0)], at(10)), step([0], None));
    assert_eq!(repair.next_step(&[repairing(0)], at(500)), step([], None));
    assert_eq!(repair.next_step(&[wrong(0)], at(600)), step([], Some(20)));
    assert_eq!(repair.next_step(&[], at(610)), step([], None));
    assert_eq!(repair.next_step(&[wrong(0)], at(700)), step([], Some(10)));
}

#[test]
fn a_change_that_fails_is_tried_again_with_growing_delays() {
    let mut retry = Retry::new(Backoff::new(at(10), at(1000)));
    assert!(retry.is_due(at(0)));
    for (now, due) in [(0, 10), (10, 30), (30, 70)] {
        retry.record(false, at(now));
        assert_eq!((retry.is_due(at(due - 1)), retry.is_due(at(due))), (false, true));
    }
    retry.record(true, at(70));
    assert!(retry.is_due(at(70)));
    retry.record(false, at(70));
    assert_eq!((retry.is_due(at(79)), retry.is_due(at(80))), (false, true));
}

#[test]
fn a_backoff_of_zero_or_with_jitter_causes_no_busy_loop() {
    for delays in [Backoff::new(at(0), at(0)), Backoff::new(at(1), at(5000)).full_jitter()] {
        let (mut repair, mut repairs) = (Repair::new(delays), 0);
        for now in 0..1000 {
            repairs += repair.next_step(&[wrong(0)], at(now)).due.len();
        }
        assert!((1..=100).contains(&repairs), "{repairs}");
    }
}
