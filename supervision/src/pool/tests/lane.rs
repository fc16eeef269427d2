//! A lane against a plain map, and what taking out many costs.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::model::{job, ms};
use crate::pool::priority_queue::{Placement, PriorityQueue, QueuedJob};
use crate::pool::scheduler::{EXPIRED_AT_ONCE, Scheduler};

#[derive(Clone, Copy, Debug)]
enum Op {
    /// So many jobs come, one after the other.
    Push(u64),
    Urgent(u8),
    /// The last that was taken comes back.
    Return,
    Pop,
    /// Takes out the one at this part of all that wait.
    Withdraw(f64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1..120_u64).prop_map(Op::Push),
        1 => (1..4_u8).prop_map(Op::Urgent),
        2 => Just(Op::Return),
        3 => Just(Op::Pop),
        8 => (0.0..1.0_f64).prop_map(Op::Withdraw),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lane_gives_jobs_by_priority_and_number_whichever_are_taken_out_between(
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let (mut lane, mut model, mut number) = (PriorityQueue::default(), BTreeMap::new(), 0);
        let mut taken: Vec<QueuedJob<u64>> = Vec::new();
        for op in ops {
            match op {
                Op::Push(count) => for _ in 0..count {
                    number += 1;
                    lane.push(job(number));
                    model.insert((Reverse(0), number), number);
                },
                Op::Urgent(priority) => {
                    number += 1;
                    let stand = Placement { priority, ..Placement::default() };
                    lane.push(QueuedJob { stand, ..job(number) });
                    model.insert((Reverse(priority), number), number);
                }
                Op::Return => if let Some(job) = taken.pop() {
                    model.insert((Reverse(job.stand.priority), job.number), job.number);
                    lane.push(job);
                },
                Op::Pop => {
                    let popped = lane.pop();
                    let expected = model.pop_first().map(|(_, number)| number);
                    prop_assert_eq!(popped.as_ref().map(|job| job.number), expected);
                    taken.extend(popped);
                }
                Op::Withdraw(part) => {
                    let place = (model.len() as f64 * part) as usize;
                    let rank = model.keys().nth(place).copied();
                    let number = rank.map_or(number + 1, |(_, number)| number);
                    let withdrawn = lane.cancel(number).map(|job| job.number);
                    prop_assert_eq!(withdrawn, rank.and_then(|rank| model.remove(&rank)));
                }
            }
            prop_assert_eq!((lane.len(), lane.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(lane.first(), model.keys().next().copied());
        }
        let rest: Vec<u64> = std::iter::from_fn(|| lane.pop()).map(|job| job.number).collect();
        prop_assert_eq!(rest, model.into_values().collect::<Vec<_>>());
    }
}

/// How many jobs: so many that work for each of all for each of all would take hours.
const MANY: u64 = 100_000;

/// The numbers below `MANY` in an order that jumps about.
fn scattered() -> impl Iterator<Item = u64> {
    (0..MANY).map(|n| n * 7919 % MANY)
}

#[test]
fn so_many_that_wait_or_are_delayed_can_be_taken_out_in_any_order() {
    let mut board: Scheduler<u64> = Scheduler::new(2, usize::MAX);
    for is_delayed in [false, true] {
        for number in 0..MANY {
            if is_delayed {
                board.delay(job(number), ms(number * 31 % 1000));
            } else {
                board.put(job(number));
            }
        }
        for number in scattered() {
            assert_eq!(board.cancel(number), Some(number));
        }
        assert_eq!((board.waiting(), board.is_timed()), (0, false));
    }
}

#[test]
fn so_many_that_are_delayed_can_expire_or_come_due_in_any_order() {
    let mut board: Scheduler<u64> = Scheduler::new(2, usize::MAX);
    for number in 0..MANY {
        let stand = Placement { expires: Some(ms(number * 31 % 1000)), ..Placement::default() };
        board.delay(QueuedJob { stand, ..job(number) }, ms(2000));
    }
    let mut expired = Vec::new();
    while board.waiting() > 0 {
        let before = expired.len();
        board.tick(ms(1000), &mut expired);
        assert!((1..=EXPIRED_AT_ONCE).contains(&(expired.len() - before)), "some come out, and not too many");
    }
    assert_eq!(expired.len() as u64, MANY);
    for number in scattered() {
        board.delay(job(number), ms(number * 31 % 1000));
    }
    board.tick(ms(1000), &mut expired);
    board.worker_started(0, 1);
    assert_eq!(board.ready() as u64, MANY);
}
