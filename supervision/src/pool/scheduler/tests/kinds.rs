//! Jobs of a kind that has used up its rate are held, and hold back no other job.

use super::model::{job, ms};
use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::rate_limit::RateLimit;
use crate::pool::scheduler::{Next, RateKey, Scheduler};

fn scheduler(slots: usize, limit: RateLimit) -> Scheduler<u64> {
    let mut scheduler = Scheduler::new(slots, usize::MAX);
    (0..slots).for_each(|slot| scheduler.worker_started(slot, 1));
    assert_eq!(scheduler.set_rate_per_key(Some(limit)), None);
    scheduler
}

fn key(kind: u64) -> RateKey {
    RateKey::new(kind).expect("it is not 0")
}

fn of_kind(number: u64, kind: u64) -> QueuedJob<u64> {
    QueuedJob { placement: Placement { rate_key: Some(key(kind)), ..Placement::default() }, ..job(number) }
}

fn meant(mut job: QueuedJob<u64>, target: Target) -> QueuedJob<u64> {
    job.placement.target = target;
    job
}

/// Leases a job to a worker that has none.
fn lease(scheduler: &mut Scheduler<u64>, slot: usize, now: u64) -> Option<u64> {
    match scheduler.lease(slot, 1, ms(now), &mut Vec::new()).0 {
        Next::Job(number, _) => Some(number),
        Next::Nothing => None,
    }
}

/// Completes the job of a worker and leases the next.
fn next(scheduler: &mut Scheduler<u64>, now: u64) -> Option<u64> {
    scheduler.release_lease(0, 1);
    lease(scheduler, 0, now)
}

#[test]
fn an_exhausted_kind_holds_back_neither_other_kinds_nor_jobs_without_a_kind() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(10)));
    for (number, kind) in [(1, 7), (2, 7), (3, 7), (4, 8)] {
        scheduler.enqueue(of_kind(number, kind));
    }
    scheduler.enqueue(job(5));
    assert_eq!([(); 3].map(|()| next(&mut scheduler, 0)), [Some(1), Some(4), Some(5)]);
    assert_eq!(next(&mut scheduler, 0), None);
    assert_eq!(scheduler.next_deadline(ms(0)), Some(ms(10)));
    assert_eq!(scheduler.tick(ms(9), &mut Vec::new()), []);
    assert_eq!(scheduler.tick(ms(10), &mut Vec::new()), [0]);
    assert_eq!((next(&mut scheduler, 10), next(&mut scheduler, 10)), (Some(2), None));
    assert_eq!(scheduler.next_deadline(ms(10)), Some(ms(20)));
}

#[test]
fn a_worker_that_looks_before_the_tick_gets_the_job_of_a_kind_that_is_due() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(10)));
    scheduler.enqueue(of_kind(1, 7));
    scheduler.enqueue(of_kind(2, 7));
    scheduler.enqueue(job(3));
    assert_eq!(next(&mut scheduler, 0), Some(1));
    assert_eq!(next(&mut scheduler, 10), Some(2), "it precedes the later job");
}

#[test]
fn jobs_of_a_kind_start_by_priority_then_by_number() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(10)));
    for (number, priority) in [(1, 0), (2, 0), (3, 9), (4, 0), (5, 9)] {
        let held = of_kind(number, 7);
        scheduler.enqueue(QueuedJob { placement: Placement { priority, ..held.placement }, ..held });
    }
    let begun = [0, 10, 20, 30, 40].map(|now| next(&mut scheduler, now));
    assert_eq!(begun, [Some(3), Some(5), Some(1), Some(2), Some(4)]);
}

#[test]
fn a_kind_whose_rate_is_not_used_up_wakes_one_worker_after_another() {
    let mut scheduler = scheduler(3, RateLimit::per(1, ms(10)).burst(2));
    for number in 1..=5 {
        scheduler.enqueue(of_kind(number, 7));
    }
    assert_eq!([0, 1, 2].map(|slot| lease(&mut scheduler, slot, 0)), [Some(1), Some(2), None]);
    scheduler.release_lease(0, 1);
    scheduler.release_lease(1, 1);
    assert_eq!([0, 1].map(|slot| lease(&mut scheduler, slot, 0)), [None, None]);
    let woken = scheduler.tick(ms(20), &mut Vec::new());
    assert_eq!(woken.len(), 1);
    let (_, second) = scheduler.lease(woken[0], 1, ms(20), &mut Vec::new());
    let (job, third) = scheduler.lease(second.expect("two may start"), 1, ms(20), &mut Vec::new());
    assert!(matches!(job, Next::Job(4, _)));
    assert_eq!(third, None, "there is no use in it");
}

#[test]
fn jobs_that_are_held_make_no_pool_larger() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(10)));
    for number in 1..=5 {
        scheduler.enqueue(of_kind(number, 7));
    }
    scheduler.enqueue(job(6));
    assert_eq!(next(&mut scheduler, 0), Some(1));
    assert_eq!((scheduler.queues.ready(), scheduler.runnable()), (5, 1));
    assert_eq!(next(&mut scheduler, 4), Some(6));
    assert_eq!((scheduler.runnable(), scheduler.oldest()), (0, None));
    scheduler.tick(ms(10), &mut Vec::new());
    assert_eq!(scheduler.oldest(), Some(ms(10)), "it waits for a worker since the rate allows it");
}

#[test]
fn held_jobs_count_until_they_are_cancelled_or_their_kind_is_released() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(10)));
    scheduler.set_rate_for(key(8), Some(RateLimit::per(1, ms(20))));
    for (number, kind) in [(1, 7), (2, 7), (3, 7), (4, 7), (5, 8), (6, 8), (7, 8), (8, 8)] {
        scheduler.enqueue(of_kind(number, kind));
    }
    assert_eq!([(); 3].map(|()| next(&mut scheduler, 0)), [Some(1), Some(5), None]);
    let startable = |scheduler: &Scheduler<u64>| (scheduler.queues.startable(), scheduler.waiting());
    assert_eq!(startable(&scheduler), (0, 6));
    scheduler.enqueue(of_kind(9, 7));
    scheduler.cancel(3);
    scheduler.cancel(4);
    scheduler.cancel(6);
    assert_eq!(startable(&scheduler), (0, 4));
    scheduler.tick(ms(10), &mut Vec::new());
    assert_eq!(startable(&scheduler), (2, 4), "the other kind is held");
    scheduler.tick(ms(20), &mut Vec::new());
    assert_eq!(startable(&scheduler), (4, 4));
}

#[test]
fn a_kind_is_held_for_all_workers_and_released_for_all() {
    let mut scheduler = scheduler(2, RateLimit::per(1, ms(10)));
    scheduler.enqueue(of_kind(1, 7));
    scheduler.enqueue(meant(of_kind(2, 7), Target::Slot(0)));
    scheduler.enqueue(meant(of_kind(3, 7), Target::Slot(1)));
    assert_eq!((lease(&mut scheduler, 1, 0), lease(&mut scheduler, 0, 0)), (Some(1), None));
    assert_eq!(scheduler.queues.reserved_for(0), 1, "held jobs count for routing");
    assert_eq!(scheduler.tick(ms(10), &mut Vec::new()), [0], "its job may start");
    // The other worker is busy. When its slot closes, its job goes to the worker that is left.
    assert_eq!(lease(&mut scheduler, 0, 10), Some(2));
    scheduler.set_open(1, false);
    scheduler.release_lease(0, 1);
    assert_eq!((lease(&mut scheduler, 0, 19), lease(&mut scheduler, 0, 20)), (None, Some(3)));
}

#[test]
fn a_changed_limit_starts_what_it_allows_at_once() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(1_000)));
    for number in 1..=4 {
        scheduler.enqueue(of_kind(number, 7));
    }
    assert_eq!((next(&mut scheduler, 0), next(&mut scheduler, 0)), (Some(1), None));
    assert_eq!(scheduler.set_rate_for(key(7), Some(RateLimit::per(1, ms(10)))), Some(0));
    assert_eq!((lease(&mut scheduler, 0, 0), next(&mut scheduler, 0)), (Some(2), None));
    assert_eq!(scheduler.next_deadline(ms(0)), Some(ms(10)));
    assert_eq!(scheduler.set_rate_for(key(7), None), Some(0));
    assert_eq!((lease(&mut scheduler, 0, 0), next(&mut scheduler, 0)), (Some(3), Some(4)));
}

#[test]
fn a_paused_scheduler_has_no_deadline_for_a_kind() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(10)));
    scheduler.enqueue(of_kind(1, 7));
    scheduler.enqueue(of_kind(2, 7));
    assert_eq!((next(&mut scheduler, 0), next(&mut scheduler, 0)), (Some(1), None));
    scheduler.pause(true);
    assert_eq!(scheduler.next_deadline(ms(5)), None);
    assert_eq!(scheduler.pause(false), [0]);
    assert_eq!(lease(&mut scheduler, 0, 10), Some(2));
}

#[test]
fn a_scheduler_without_jobs_of_kinds_needs_no_clock_and_holds_nothing() {
    let mut scheduler = scheduler(1, RateLimit::per(1, ms(10)));
    assert!(!scheduler.is_timed());
    scheduler.enqueue(of_kind(1, 7));
    scheduler.enqueue(of_kind(2, 7));
    assert!(scheduler.is_timed());
    assert_eq!((next(&mut scheduler, 0), next(&mut scheduler, 0)), (Some(1), None));
    assert!(scheduler.has_held_kind());
    assert_eq!(scheduler.cancel(2), Some(2));
    assert!(!scheduler.has_held_kind() && !scheduler.is_timed());
    assert_eq!((scheduler.next_deadline(ms(0)), scheduler.waiting()), (None, 0));
}
