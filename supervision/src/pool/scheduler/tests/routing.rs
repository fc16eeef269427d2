//! The workers that may run a job: running workers, the worker of a key, and workers that have not
//! failed the job.

use super::model::{job, ms};
use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::slots::fit;
use crate::pool::scheduler::{Next, Scheduler};

/// A scheduler with this many idle workers and one more slot.
fn scheduler(workers: usize) -> Scheduler<u64> {
    let mut scheduler = Scheduler::new(workers + 1, 1_000_000);
    for slot in 0..workers {
        scheduler.worker_started(slot, 1);
        assert_eq!(lease_next(&mut scheduler, slot), None);
    }
    scheduler
}

fn lease_next(scheduler: &mut Scheduler<u64>, slot: usize) -> Option<u64> {
    match scheduler.lease(slot, 1, ms(0), &mut Vec::new()).0 {
        Next::Job(job, _) => Some(job),
        Next::Nothing => None,
    }
}

fn aimed(number: u64, target: Target) -> QueuedJob<u64> {
    QueuedJob { placement: Placement { target, ..Placement::default() }, ..job(number) }
}

/// Returns a key that maps to this slot, given the number of slots.
fn key_of(slot: usize, slots: usize) -> u64 {
    let leads = |key: &u64| (0..slots).max_by_key(|slot| fit(*key, *slot)) == Some(slot);
    (0..).find(leads).expect("there is one")
}

#[test]
fn round_robin_gives_each_running_worker_one_turn_and_others_none() {
    let mut scheduler = scheduler(3);
    let turns = |scheduler: &mut Scheduler<u64>, turns: usize| -> Vec<usize> {
        (0..turns).filter_map(|_| scheduler.next_in_turn()).collect()
    };
    assert_eq!(turns(&mut scheduler, 5), [0, 1, 2, 0, 1]);
    scheduler.worker_exited(0, 1);
    assert_eq!(turns(&mut scheduler, 3), [2, 1, 2]);
    scheduler.worker_started(0, 2);
    assert_eq!(turns(&mut scheduler, 3), [0, 1, 2]);
    scheduler.set_open(1, false);
    assert_eq!(turns(&mut scheduler, 3), [0, 2, 0]);
    scheduler.worker_exited(0, 2);
    scheduler.worker_exited(2, 1);
    assert_eq!(scheduler.next_in_turn(), None);
    assert_eq!(Scheduler::<u64>::new(0, 1).next_in_turn(), None);
}

#[test]
fn round_robin_keeps_turns_while_other_workers_start_and_end() {
    let mut scheduler = scheduler(4);
    let mut turns = [0; 4];
    for scaling_check in 1..=300 {
        // The same worker ends and restarts before each turn.
        scheduler.worker_exited(0, scaling_check);
        scheduler.worker_started(0, scaling_check + 1);
        turns[scheduler.next_in_turn().expect("some run")] += 1;
    }
    assert_eq!(turns, [75; 4]);
}

#[test]
fn least_queued_routing_chooses_only_running_workers() {
    let mut scheduler = scheduler(3);
    for (number, slot) in [(1, 0), (2, 0), (3, 1)] {
        scheduler.enqueue(aimed(number, Target::Slot(slot)));
    }
    assert_eq!(scheduler.least_queued(), Some(2), "no worker has come to the last slot");
    scheduler.worker_exited(2, 1);
    assert_eq!(scheduler.least_queued(), Some(1));
    scheduler.worker_exited(1, 1);
    scheduler.worker_exited(0, 1);
    assert_eq!(scheduler.least_queued(), None);
}

#[test]
fn jobs_for_a_worker_that_does_not_run_go_to_all() {
    let mut scheduler = scheduler(2);
    assert_eq!(scheduler.enqueue(aimed(1, Target::Slot(2))), Some(1), "any may have it");
    scheduler.enqueue(aimed(2, Target::Slot(1)));
    scheduler.enqueue(aimed(3, Target::Slot(1)));
    let (leased, woken) = scheduler.worker_exited(1, 1);
    assert_eq!((leased.map(|job| job.item), woken), (None, vec![0]));
    for expected in 1..=3 {
        assert_eq!(lease_next(&mut scheduler, 0), Some(expected));
        scheduler.release_lease(0, 1);
    }
}

#[test]
fn a_key_waits_for_its_due_worker_and_maps_to_another_after_that() {
    let mut scheduler = scheduler(2);
    scheduler.set_open(2, false);
    let key = key_of(1, 2);
    assert_eq!(scheduler.slot_of_key(key), Some(1));
    scheduler.worker_exited(1, 1);
    assert_eq!(scheduler.enqueue(aimed(1, Target::Key(key))), None, "it waits for the next incarnation");
    assert_eq!(lease_next(&mut scheduler, 0), None);
    assert_eq!(scheduler.decline(1, 1), [], "it is an old one that declines");
    assert_eq!(scheduler.decline(1, 2), [0]);
    assert_eq!(scheduler.slot_of_key(key), Some(0));
    assert_eq!(lease_next(&mut scheduler, 0), Some(1));
    assert!(!scheduler.has_no_worker(2) && scheduler.has_no_worker(0));
    scheduler.worker_exited(0, 1);
    scheduler.decline(0, 2);
    assert!(scheduler.has_no_worker(2));
    assert_eq!(scheduler.slot_of_key(key), None);
    scheduler.set_open(0, true);
    assert!(!scheduler.has_no_worker(2), "it is due again");
}

#[test]
fn closing_a_slot_remaps_only_its_own_keys() {
    let mut scheduler = scheduler(5);
    let led =
        |scheduler: &Scheduler<u64>| (0..1000).map(|key| scheduler.slot_of_key(key)).collect::<Vec<_>>();
    let before = led(&scheduler);
    for slot in 0..6 {
        let keys = before.iter().filter(|led| **led == Some(slot)).count();
        assert!((100..250).contains(&keys), "{keys} keys lead to {slot}");
    }
    scheduler.set_open(3, false);
    for (before, after) in before.iter().zip(led(&scheduler)) {
        assert!(*before == after || *before == Some(3) && after != Some(3));
    }
    scheduler.set_open(3, true);
    assert_eq!(led(&scheduler), before);
}

#[test]
fn a_failed_job_is_for_other_workers_while_one_runs() {
    let mut scheduler = scheduler(2);
    scheduler.enqueue(job(1));
    scheduler.enqueue(job(2));
    assert_eq!((lease_next(&mut scheduler, 0), lease_next(&mut scheduler, 1)), (Some(1), Some(2)));
    let failed = scheduler.release_lease(0, 1).expect("it was leased");
    let placement = Placement { target: Target::Except(0), ..failed.placement };
    assert_eq!(scheduler.enqueue(QueuedJob { placement, ..failed }), None, "the other is busy");
    assert!(!scheduler.has_job_for(0) && scheduler.has_job_for(1));
    assert_eq!(lease_next(&mut scheduler, 0), None);
    let (leased, woken) = scheduler.worker_exited(1, 1);
    assert_eq!((leased.map(|job| job.item), woken), (Some(2), vec![0]), "it is the last that runs");
    assert_eq!(lease_next(&mut scheduler, 0), Some(1));
}

#[test]
fn a_worker_that_takes_another_job_than_it_was_woken_for_passes_its_wakeup_on() {
    // The first worker takes the job that it was woken for, and leaves one that it may not run to
    // the third.
    let mut scheduler = scheduler(3);
    assert_eq!(scheduler.enqueue(aimed(2, Target::Except(2))), Some(1));
    assert_eq!(scheduler.enqueue(job(1)), Some(2));
    let (next, woken) = scheduler.lease(1, 1, ms(0), &mut Vec::new());
    assert!(matches!(next, Next::Job(1, _)));
    assert_eq!(woken, Some(0), "the second job is not for the one that is awake");
    assert_eq!(lease_next(&mut scheduler, 2), None);
    assert_eq!(lease_next(&mut scheduler, 0), Some(2));
}

#[test]
fn a_worker_that_takes_a_shared_job_wakes_no_other_for_a_job_that_any_may_run() {
    let mut scheduler = scheduler(3);
    let woken = [1, 2].map(|number| scheduler.enqueue(job(number)).expect("a worker is woken"));
    for (slot, number) in woken.into_iter().zip([1, 2]) {
        let (next, to_wake) = scheduler.lease(slot, 1, ms(0), &mut Vec::new());
        assert!(matches!(next, Next::Job(job, _) if job == number));
        assert_eq!(to_wake, None, "each job has woken its own worker");
    }
    assert_eq!(scheduler.idle(), 1);
}
