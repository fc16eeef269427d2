//! The rules of the scheduler, one by one.

use std::time::Duration;

use super::model::{job, ms};
use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::rate_limit::RateLimit;
use crate::pool::scheduler::{Next, Phase, Scheduler};

/// A scheduler with this many idle workers.
fn idle_scheduler(workers: usize) -> Scheduler<u64> {
    let mut scheduler = Scheduler::new(workers, 100);
    for slot in 0..workers {
        scheduler.worker_started(slot, 1);
        assert_eq!(lease_next(&mut scheduler, slot), None);
    }
    scheduler
}

/// Leases a job to the first incarnation in a slot at time 0.
fn lease_next(scheduler: &mut Scheduler<u64>, slot: usize) -> Option<u64> {
    lease_at(scheduler, slot, 0)
}

fn lease_at(scheduler: &mut Scheduler<u64>, slot: usize, now: u64) -> Option<u64> {
    match scheduler.lease(slot, 1, ms(now), &mut Vec::new()).0 {
        Next::Job(job, _) => Some(job),
        Next::Nothing => None,
    }
}

fn urgent(number: u64, priority: u8) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { placement: Placement { priority, ..job.placement }, ..job }
}

fn for_slot(number: u64, slot: usize) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { placement: Placement { target: Target::Slot(slot), ..job.placement }, ..job }
}

fn pinned(number: u64, slot: usize) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { placement: Placement { target: Target::Pinned(slot), ..job.placement }, ..job }
}

fn for_key(number: u64, key: u64) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { placement: Placement { target: Target::Key(key), ..job.placement }, ..job }
}

/// A retried job that failed on the worker in this slot.
fn failed_by(slot: usize, number: u64) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { placement: Placement { target: Target::Except(slot), ..job.placement }, ..job }
}

fn expiring(number: u64, at: u64) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { placement: Placement { expires: Some(ms(at)), ..job.placement }, ..job }
}

#[test]
fn urgent_jobs_come_first_and_equal_ones_in_submission_order() {
    let mut scheduler = idle_scheduler(1);
    for job in [urgent(1, 0), urgent(2, 5), urgent(3, 0), urgent(4, 9), urgent(5, 5)] {
        scheduler.enqueue(job);
    }
    let mut order = Vec::new();
    while let Some(job) = lease_next(&mut scheduler, 0) {
        scheduler.release_lease(0, 1).expect("it was leased");
        order.push(job);
    }
    assert_eq!(order, [4, 2, 5, 1, 3]);
}

#[test]
fn retried_jobs_keep_their_positions() {
    for order in [[0, 1], [1, 0]] {
        let mut scheduler = idle_scheduler(3);
        for number in 1..=4 {
            scheduler.enqueue(job(number));
        }
        assert_eq!((lease_next(&mut scheduler, 0), lease_next(&mut scheduler, 1)), (Some(1), Some(2)));
        for slot in order {
            let job = scheduler.release_lease(slot, 1).expect("it was leased");
            scheduler.enqueue(job);
        }
        assert_eq!(
            [lease_next(&mut scheduler, 0), lease_next(&mut scheduler, 1), lease_next(&mut scheduler, 2)],
            [Some(1), Some(2), Some(3)]
        );
    }
}

#[test]
fn each_job_wakes_one_idle_worker_and_none_is_woken_twice() {
    let mut scheduler = idle_scheduler(2);
    let woken = [scheduler.enqueue(job(1)), scheduler.enqueue(job(2)), scheduler.enqueue(job(3))];
    assert_eq!(woken.iter().flatten().count(), 2, "{woken:?}");
    assert_ne!(woken[0], woken[1]);
    assert_eq!(woken[2], None, "no worker is idle");
}

#[test]
fn a_job_for_one_worker_wakes_it_and_is_leased_to_no_other() {
    let mut scheduler = idle_scheduler(3);
    assert_eq!(scheduler.enqueue(for_slot(1, 1)), Some(1));
    assert_eq!((lease_next(&mut scheduler, 0), lease_next(&mut scheduler, 2)), (None, None));
    assert_eq!(scheduler.enqueue(for_slot(2, 1)), None, "it is awake");
    assert_eq!(lease_next(&mut scheduler, 1), Some(1));
}

#[test]
fn a_worker_that_takes_its_own_job_first_passes_its_wakeup_on() {
    let mut scheduler = idle_scheduler(2);
    let woken = scheduler.enqueue(job(1)).expect("a worker is woken");
    assert_eq!(
        scheduler.enqueue(QueuedJob {
            placement: Placement { priority: 1, target: Target::Slot(woken), ..Placement::default() },
            ..job(2)
        }),
        None
    );
    let (next, to_wake) = scheduler.lease(woken, 1, ms(0), &mut Vec::new());
    assert!(matches!(next, Next::Job(2, _)));
    assert_eq!(to_wake, Some(1 - woken));
}

#[test]
fn a_worker_whose_slot_is_closed_passes_its_wakeup_on() {
    let mut scheduler = idle_scheduler(2);
    let woken = scheduler.enqueue(job(1)).expect("a worker is woken");
    assert_eq!(scheduler.set_open(woken, false), [1 - woken]);
}

#[test]
fn routed_and_shared_jobs_start_in_submission_order() {
    let mut scheduler = idle_scheduler(1);
    scheduler.enqueue(job(1));
    scheduler.enqueue(for_slot(2, 0));
    scheduler.enqueue(job(3));
    for expected in 1..=3 {
        assert_eq!(lease_next(&mut scheduler, 0), Some(expected));
        scheduler.release_lease(0, 1);
    }
}

#[test]
fn jobs_of_a_closed_slot_go_to_all_and_keep_their_positions() {
    let mut scheduler = idle_scheduler(2);
    scheduler.enqueue(for_slot(1, 1));
    scheduler.enqueue(job(2));
    scheduler.enqueue(for_slot(3, 1));
    scheduler.set_open(1, false);
    assert_eq!(lease_next(&mut scheduler, 1), None, "a closed slot has none");
    assert_eq!(scheduler.enqueue(for_slot(4, 1)), None, "worker 0 is awake since the second job came");
    for expected in 1..=4 {
        assert_eq!(lease_next(&mut scheduler, 0), Some(expected));
        scheduler.release_lease(0, 1);
    }
}

#[test]
fn opening_a_slot_wakes_its_worker() {
    let mut scheduler = Scheduler::new(2, 100);
    scheduler.set_open(1, false);
    scheduler.enqueue(job(1));
    scheduler.worker_started(1, 1);
    assert_eq!(lease_next(&mut scheduler, 1), None);
    assert_eq!(scheduler.set_open(1, true), [1]);
    assert_eq!(lease_next(&mut scheduler, 1), Some(1));
}

#[test]
fn calls_of_an_old_incarnation_have_no_effect() {
    let mut scheduler = idle_scheduler(1);
    scheduler.enqueue(job(1));
    assert_eq!(lease_next(&mut scheduler, 0), Some(1));
    let (returned, _) = scheduler.worker_exited(0, 1);
    scheduler.enqueue(returned.expect("it was leased"));
    assert_eq!(lease_next(&mut scheduler, 0), None, "it is gone");
    scheduler.worker_started(0, 2);
    scheduler.worker_started(0, 1);
    assert_eq!(lease_next(&mut scheduler, 0), None, "it came too late");
    assert!(matches!(scheduler.lease(0, 2, ms(0), &mut Vec::new()).0, Next::Job(1, _)));
    assert!(scheduler.release_lease(0, 1).is_none());
    assert!(scheduler.worker_exited(0, 1).0.is_none());
    assert_eq!(scheduler.leased(), 1);
    assert_eq!(scheduler.release_lease(0, 2).map(|job| job.item), Some(1));
}

#[test]
fn a_woken_worker_that_ends_before_it_leases_passes_its_wakeup_on() {
    let mut scheduler = idle_scheduler(2);
    let first = scheduler.enqueue(job(1)).expect("a worker is woken");
    assert_eq!(scheduler.worker_exited(first, 1).1, [1 - first]);
}

#[test]
fn expired_jobs_are_not_leased_and_are_removed_in_time() {
    let mut scheduler = idle_scheduler(1);
    scheduler.enqueue(expiring(1, 10));
    scheduler.enqueue(expiring(2, 10));
    scheduler.enqueue(job(3));
    let mut expired = Vec::new();
    assert!(matches!(scheduler.lease(0, 1, ms(10), &mut expired).0, Next::Job(3, _)));
    assert_eq!(expired, [1, 2]);
    scheduler.enqueue(expiring(4, 20));
    scheduler.delay(expiring(5, 30), ms(40));
    assert_eq!(scheduler.next_deadline(ms(10)), Some(ms(20)));
    scheduler.tick(ms(20), &mut expired);
    assert_eq!(scheduler.next_deadline(ms(20)), Some(ms(30)));
    scheduler.tick(ms(35), &mut expired);
    assert_eq!(expired, [1, 2, 4, 5]);
    assert_eq!(scheduler.waiting(), 0);
}

#[test]
fn delayed_jobs_are_queued_when_due_and_use_capacity_before() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(1, 2);
    scheduler.delay(job(1), ms(10));
    scheduler.delay(job(2), ms(5));
    assert_eq!((scheduler.room() > 0, scheduler.waiting(), scheduler.queues.ready()), (false, 2, 0));
    scheduler.worker_started(0, 1);
    assert_eq!(lease_next(&mut scheduler, 0), None);
    assert_eq!(scheduler.next_deadline(ms(0)), Some(ms(5)));
    assert_eq!(scheduler.tick(ms(5), &mut Vec::new()), [0]);
    assert_eq!(lease_next(&mut scheduler, 0), Some(2));
    assert_eq!((scheduler.room() > 0, scheduler.waiting(), scheduler.queues.ready()), (true, 1, 0));
}

#[test]
fn a_paused_scheduler_leases_nothing_and_wakes_all_when_resumed() {
    let mut scheduler = idle_scheduler(2);
    scheduler.pause(true);
    assert_eq!((scheduler.enqueue(job(1)), lease_next(&mut scheduler, 0)), (None, None));
    let mut woken = scheduler.pause(false);
    woken.sort_unstable();
    assert_eq!(woken, [0, 1]);
}

#[test]
fn workers_that_wait_for_the_rate_wake_each_other() {
    let mut scheduler = idle_scheduler(3);
    scheduler.set_rate(Some(RateLimit::window(1, ms(10))));
    for number in 1..=3 {
        scheduler.enqueue(job(number));
    }
    assert_eq!(lease_at(&mut scheduler, 0, 0), Some(1));
    assert_eq!((lease_at(&mut scheduler, 1, 0), lease_at(&mut scheduler, 2, 0)), (None, None));
    assert_eq!(scheduler.enqueue(job(4)), None, "there is no use in it");
    assert_eq!(scheduler.next_deadline(ms(0)), Some(ms(10)));
    assert_eq!(scheduler.tick(ms(9), &mut Vec::new()), []);
    let woken = scheduler.tick(ms(10), &mut Vec::new());
    assert_eq!(woken.len(), 1);
    let (next, to_wake) = scheduler.lease(woken[0], 1, ms(10), &mut Vec::new());
    assert!(matches!(next, Next::Job(2, since) if since == Some(ms(0))));
    let to_wake = to_wake.expect("there is more to do");
    assert_eq!(lease_at(&mut scheduler, to_wake, 10), None);
    assert_eq!(scheduler.next_deadline(ms(10)), Some(ms(20)));
}

#[test]
fn a_job_for_one_worker_that_waits_for_the_rate_wakes_that_one() {
    let mut scheduler = idle_scheduler(3);
    scheduler.set_rate(Some(RateLimit::window(1, ms(10))));
    scheduler.enqueue(job(1));
    assert_eq!(lease_at(&mut scheduler, 0, 0), Some(1));
    scheduler.enqueue(for_slot(2, 1));
    for slot in [1, 2] {
        assert_eq!(lease_at(&mut scheduler, slot, 0), None);
    }
    assert_eq!(scheduler.tick(ms(10), &mut Vec::new()), [1]);
}

#[test]
fn a_worker_woken_by_the_rate_that_finds_nothing_wakes_the_next() {
    let mut scheduler = idle_scheduler(2);
    scheduler.set_rate(Some(RateLimit::window(1, ms(10))));
    scheduler.enqueue(job(1));
    assert_eq!(lease_at(&mut scheduler, 1, 0), Some(1));
    scheduler.release_lease(1, 1);
    scheduler.enqueue(for_slot(2, 0));
    scheduler.enqueue(for_slot(3, 1));
    assert_eq!((lease_at(&mut scheduler, 0, 0), lease_at(&mut scheduler, 1, 0)), (None, None));
    let woken = scheduler.tick(ms(10), &mut Vec::new())[0];
    scheduler.cancel(2 + woken as u64);
    let (next, to_wake) = scheduler.lease(woken, 1, ms(10), &mut Vec::new());
    assert!(matches!(next, Next::Nothing));
    assert_eq!(to_wake, Some(1 - woken));
}

#[test]
fn a_paused_scheduler_has_no_deadline_for_its_rate() {
    let mut scheduler = idle_scheduler(2);
    scheduler.set_rate(Some(RateLimit::window(1, ms(10))));
    scheduler.enqueue(job(1));
    scheduler.enqueue(job(2));
    assert_eq!((lease_at(&mut scheduler, 0, 0), lease_at(&mut scheduler, 1, 0)), (Some(1), None));
    scheduler.pause(true);
    assert_eq!(scheduler.next_deadline(ms(5)), None);
    assert_eq!(scheduler.tick(ms(10), &mut Vec::new()), []);
}

#[test]
fn least_queued_routing_chooses_the_worker_with_the_fewest_jobs() {
    let mut scheduler = idle_scheduler(3);
    scheduler.enqueue(for_slot(1, 0));
    assert_eq!(lease_next(&mut scheduler, 0), Some(1));
    scheduler.enqueue(for_slot(2, 1));
    scheduler.enqueue(for_slot(3, 1));
    assert_eq!(scheduler.least_queued(), Some(2));
    scheduler.set_open(2, false);
    assert_eq!(scheduler.least_queued(), Some(0));
}

#[test]
fn a_queued_job_can_be_cancelled_in_any_place() {
    let mut scheduler = idle_scheduler(2);
    scheduler.enqueue(job(1));
    scheduler.enqueue(for_slot(2, 1));
    scheduler.enqueue(urgent(3, 9));
    scheduler.delay(expiring(4, 5), ms(10));
    scheduler.enqueue(for_key(5, 7));
    scheduler.enqueue(failed_by(1, 6));
    for number in 1..=6 {
        assert_eq!(scheduler.cancel(number), Some(number));
        assert_eq!(scheduler.cancel(number), None);
    }
    assert_eq!((scheduler.waiting(), scheduler.next_deadline(ms(0))), (0, None));
}

#[test]
fn clear_removes_queued_jobs_and_keeps_leased_ones() {
    let mut scheduler = idle_scheduler(1);
    scheduler.enqueue(job(1));
    assert_eq!(lease_next(&mut scheduler, 0), Some(1));
    scheduler.enqueue(job(2));
    scheduler.enqueue(for_slot(3, 0));
    scheduler.delay(expiring(4, 99), ms(5));
    scheduler.enqueue(for_key(5, 7));
    scheduler.enqueue(failed_by(0, 6));
    let mut cleared = scheduler.clear();
    cleared.sort_unstable();
    assert_eq!(cleared, [2, 3, 4, 5, 6]);
    assert_eq!((scheduler.waiting(), scheduler.leased(), scheduler.is_empty()), (0, 1, false));
    assert_eq!(scheduler.next_deadline(ms(0)), None);
}

#[test]
fn a_finishing_scheduler_leases_a_closed_one_does_not_and_phases_never_go_back() {
    let mut scheduler = idle_scheduler(1);
    scheduler.enqueue(job(1));
    scheduler.enqueue(job(2));
    scheduler.advance_to(Phase::Finishing);
    assert_eq!(lease_next(&mut scheduler, 0), Some(1));
    scheduler.release_lease(0, 1);
    scheduler.advance_to(Phase::Closed);
    scheduler.advance_to(Phase::Finishing);
    assert_eq!((scheduler.phase(), lease_next(&mut scheduler, 0)), (Phase::Closed, None));
}

#[test]
fn the_oldest_job_is_found_in_any_place() {
    let mut scheduler = idle_scheduler(2);
    let since = |job: QueuedJob<u64>, at: u64| QueuedJob { since: Some(ms(at)), ..job };
    assert_eq!(scheduler.oldest(), None);
    scheduler.delay(since(job(1), 1), ms(50));
    assert_eq!(scheduler.oldest(), None, "it does not wait for a worker");
    scheduler.enqueue(since(job(2), 7));
    scheduler.enqueue(since(urgent(3, 9), 8));
    scheduler.enqueue(since(for_slot(4, 1), 6));
    assert_eq!(scheduler.oldest(), Some(Duration::from_millis(6)));
}

#[test]
fn a_pinned_job_waits_through_restarts_and_is_removed_when_its_worker_is_not_due() {
    let mut scheduler = idle_scheduler(2);
    assert_eq!(scheduler.enqueue(pinned(1, 0)), Some(0), "its worker is woken");
    assert_eq!(lease_next(&mut scheduler, 1), None, "it is for no other");
    scheduler.worker_exited(0, 1);
    scheduler.worker_started(0, 2);
    assert!(matches!(scheduler.lease(0, 2, ms(0), &mut Vec::new()).0, Next::Job(1, _)));
    let again = scheduler.release_lease(0, 2).expect("it has it");
    scheduler.enqueue(again);
    scheduler.enqueue(job(2));
    assert!(scheduler.pop_orphaned().is_none());
    scheduler.set_open(0, false);
    assert_eq!((scheduler.pop_orphaned(), scheduler.waiting()), (Some(1), 1));
    scheduler.enqueue(pinned(3, 0));
    assert_eq!((scheduler.pop_orphaned(), scheduler.waiting()), (Some(3), 1), "it does not even come in");
    assert_eq!(lease_next(&mut scheduler, 1), Some(2));
}
