//! A priority queue compared with a map, and the cost of many cancellations.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::model::{job, ms};
use crate::pool::scheduler::priority_queue::{Placement, PriorityQueue, QueuedJob};
use crate::pool::scheduler::{EXPIRED_AT_ONCE, Scheduler};

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Pushes this many jobs.
    Push(u64),
    Urgent(u8),
    /// Pushes the job that was popped last.
    Return,
    Pop,
    /// Cancels the job at this fraction of all queued jobs.
    Cancel(f64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1..120_u64).prop_map(Op::Push),
        1 => (1..4_u8).prop_map(Op::Urgent),
        2 => Just(Op::Return),
        3 => Just(Op::Pop),
        8 => (0.0..1.0_f64).prop_map(Op::Cancel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_pops_by_priority_and_number_whichever_jobs_are_cancelled(
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let (mut queue, mut model, mut number) = (PriorityQueue::default(), BTreeMap::new(), 0);
        let mut taken: Vec<QueuedJob<u64>> = Vec::new();
        for op in ops {
            match op {
                Op::Push(count) => for _ in 0..count {
                    number += 1;
                    queue.push(job(number));
                    model.insert((Reverse(0), number), number);
                },
                Op::Urgent(priority) => {
                    number += 1;
                    let placement = Placement { priority, ..Placement::default() };
                    queue.push(QueuedJob { placement, ..job(number) });
                    model.insert((Reverse(priority), number), number);
                }
                Op::Return => if let Some(job) = taken.pop() {
                    model.insert((Reverse(job.placement.priority), job.number), job.number);
                    queue.push(job);
                },
                Op::Pop => {
                    let popped = queue.pop();
                    let expected = model.pop_first().map(|(_, number)| number);
                    prop_assert_eq!(popped.as_ref().map(|job| job.number), expected);
                    taken.extend(popped);
                }
                Op::Cancel(part) => {
                    let place = (model.len() as f64 * part) as usize;
                    let rank = model.keys().nth(place).copied();
                    let number = rank.map_or(number + 1, |(_, number)| number);
                    let withdrawn = queue.cancel(number).map(|job| job.number);
                    prop_assert_eq!(withdrawn, rank.and_then(|rank| model.remove(&rank)));
                }
            }
            prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(queue.first(), model.keys().next().copied());
        }
        let rest: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|job| job.number).collect();
        prop_assert_eq!(rest, model.into_values().collect::<Vec<_>>());
    }
}

/// The number of jobs. An operation that takes linear time per job would run for hours.
const MANY: u64 = 100_000;

/// The numbers below `MANY`, scattered.
fn scattered() -> impl Iterator<Item = u64> {
    (0..MANY).map(|n| n * 7919 % MANY)
}

#[test]
fn many_queued_or_delayed_jobs_can_be_cancelled_in_any_order() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(2, usize::MAX);
    for is_delayed in [false, true] {
        for number in 0..MANY {
            if is_delayed {
                scheduler.delay(job(number), ms(number * 31 % 1000));
            } else {
                scheduler.enqueue(job(number));
            }
        }
        for number in scattered() {
            assert_eq!(scheduler.cancel(number), Some(number));
        }
        assert_eq!((scheduler.waiting(), scheduler.is_timed()), (0, false));
    }
}

#[test]
fn many_delayed_jobs_can_expire_or_become_due_in_any_order() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(2, usize::MAX);
    for number in 0..MANY {
        let placement = Placement { expires: Some(ms(number * 31 % 1000)), ..Placement::default() };
        scheduler.delay(QueuedJob { placement, ..job(number) }, ms(2000));
    }
    let mut expired = Vec::new();
    while scheduler.waiting() > 0 {
        let before = expired.len();
        scheduler.tick(ms(1000), &mut expired);
        assert!((1..=EXPIRED_AT_ONCE).contains(&(expired.len() - before)), "some come out, and not too many");
    }
    assert_eq!(expired.len() as u64, MANY);
    for number in scattered() {
        scheduler.delay(job(number), ms(number * 31 % 1000));
    }
    scheduler.tick(ms(1000), &mut expired);
    scheduler.worker_started(0, 1);
    assert_eq!(scheduler.queues.ready() as u64, MANY);
}
