//! What the scheduler knows of its jobs and workers, as the rest of a pool asks for it.

use std::collections::VecDeque;
use std::time::Duration;

use super::model::{job, ms};
use super::started::{lease, meant, started};
use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::rate_limit::RateLimit;
use crate::pool::scheduler::scale::{Load, PoolSize, Scale};
use crate::pool::scheduler::slots::fit;
use crate::pool::scheduler::{Next, Phase, Place, RateKey, ReadinessSource, Scheduler};
use crate::pool::stats::WorkerCounts;

#[test]
fn appended_jobs_count_and_start_after_the_queued_ones() {
    for queued in [vec![], vec![1, 2]] {
        let mut scheduler = started(1, 10);
        queued.iter().for_each(|number| assert!(scheduler.enqueue(job(*number)).is_none()));
        scheduler.append(&mut VecDeque::from([job(3), job(4)]));
        assert_eq!((scheduler.waiting(), scheduler.room()), (queued.len() + 2, 8 - queued.len()));
        let started = std::iter::from_fn(|| {
            let job = lease(&mut scheduler, 0);
            scheduler.release_lease(0, 1);
            job
        });
        assert_eq!(started.collect::<Vec<_>>(), [queued, vec![3, 4]].concat());
    }
}

#[test]
fn credit_is_the_room_while_every_worker_is_busy_and_jobs_are_accepted() {
    let mut scheduler = started(2, 5);
    assert_eq!(scheduler.credit(), 5, "no worker has found nothing yet");
    scheduler.enqueue(job(1));
    assert_eq!((lease(&mut scheduler, 0), scheduler.credit()), (Some(1), 5));
    assert_eq!((lease(&mut scheduler, 1), scheduler.credit()), (None, 0), "a worker would have to be woken");
    scheduler.enqueue(job(2));
    assert_eq!(scheduler.credit(), 4);
    scheduler.set_capacity(3);
    assert_eq!((scheduler.room(), scheduler.credit()), (2, 2));
    scheduler.advance_to(Phase::Finishing);
    assert_eq!((scheduler.room(), scheduler.credit()), (2, 0));
}

#[test]
fn only_workers_that_found_nothing_in_open_slots_are_idle() {
    let mut scheduler = started(3, 10);
    assert_eq!(scheduler.idle(), 0);
    for (slot, idle) in [(0, 1), (1, 2), (2, 3)] {
        assert_eq!((lease(&mut scheduler, slot), scheduler.idle()), (None, idle));
    }
    scheduler.set_open(2, false);
    assert_eq!(scheduler.idle(), 2);
    scheduler.enqueue(job(1));
    assert_eq!(scheduler.idle(), 1);
}

#[test]
fn jobs_are_runnable_unless_they_are_delayed_or_the_pool_is_paused() {
    let mut scheduler = started(1, 10);
    assert_eq!(scheduler.runnable(), 0);
    [1, 2].into_iter().for_each(|number| assert!(scheduler.enqueue(job(number)).is_none()));
    scheduler.delay(job(3), ms(1));
    assert_eq!((scheduler.runnable(), scheduler.waiting()), (2, 3));
    scheduler.pause(true);
    assert_eq!((scheduler.runnable(), scheduler.queues.ready()), (0, 2));
}

#[test]
fn time_matters_while_a_job_is_delayed_or_expires_and_under_a_rate() {
    let expiring =
        QueuedJob { placement: Placement { expires: Some(ms(9)), ..Placement::default() }, ..job(2) };
    let mut scheduler = started(1, 10);
    scheduler.enqueue(job(9));
    assert!(!scheduler.is_timed());
    scheduler.delay(job(1), ms(5));
    assert!(scheduler.is_timed());
    scheduler.cancel(1);
    assert!(!scheduler.is_timed());
    scheduler.enqueue(expiring);
    assert!(scheduler.is_timed());
    scheduler.cancel(2);
    assert!(!scheduler.is_timed());
    scheduler.set_rate(Some(RateLimit::window(1, ms(10))));
    assert!(scheduler.is_timed());
}

#[test]
fn a_job_for_one_worker_wakes_nothing_while_the_pool_is_paused() {
    let mut scheduler = started(1, 10);
    assert_eq!(lease(&mut scheduler, 0), None);
    scheduler.pause(true);
    assert_eq!(scheduler.enqueue(meant(1, Target::Slot(0))), None);
    assert_eq!(scheduler.pause(false), [0]);
}

#[test]
fn a_job_wakes_an_idle_worker_again_after_a_pause() {
    let mut scheduler = started(1, 10);
    scheduler.pause(true);
    scheduler.pause(false);
    assert_eq!(lease(&mut scheduler, 0), None);
    assert_eq!(scheduler.enqueue(job(1)), Some(0));
}

#[test]
fn a_job_that_failed_in_no_slot_of_the_pool_is_for_every_worker() {
    let mut scheduler = started(2, 10);
    scheduler.enqueue(meant(1, Target::Except(2)));
    assert_eq!(lease(&mut scheduler, 0), Some(1));
}

#[test]
fn due_workers_are_those_of_open_slots_and_present_ones_those_that_run() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(4, 10);
    assert_eq!(scheduler.due_slots(), [0, 1, 2, 3]);
    scheduler.set_open(0, false);
    scheduler.set_open(2, false);
    scheduler.worker_started(2, 1);
    assert_eq!(scheduler.due_slots(), [1, 3]);
    assert_eq!([0, 1, 2, 3, 4].map(|slot| scheduler.is_present(slot)), [false, false, true, false, false]);
    scheduler.worker_exited(2, 1);
    assert!(!scheduler.is_present(2));
}

#[test]
fn workers_are_counted_by_state_and_only_wanted_ones_are_down() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(6, 10);
    [0, 1, 2].into_iter().for_each(|slot| scheduler.worker_started(slot, 1));
    scheduler.set_ready(1, 1, ReadinessSource::Worker, false);
    scheduler.worker_exited(2, 1);
    [3, 4].into_iter().for_each(|slot| scheduler.init_began(slot, 1));
    for (wanted, down) in [(6, 2), (5, 1), (2, 0)] {
        let expected = WorkerCounts { wanted, running: 2, ready: 1, starting: 2, down };
        assert_eq!(scheduler.count_workers(wanted), expected);
    }
    scheduler.init_ended(3, 2);
    assert_eq!(scheduler.count_workers(6).starting, 2, "it was the init of another incarnation");
    scheduler.init_ended(3, 1);
    assert_eq!((scheduler.count_workers(6).starting, scheduler.count_workers(6).down), (1, 3));
}

#[test]
fn a_worker_is_due_in_an_added_slot_once_that_is_opened_and_it_takes_jobs_of_its_own() {
    let mut scheduler = started(1, 10);
    scheduler.add_slot();
    assert_eq!(scheduler.due_slots(), [0]);
    scheduler.set_open(1, true);
    scheduler.worker_started(1, 1);
    assert_eq!((scheduler.due_slots(), scheduler.ready_workers()), (vec![0, 1], 2));
    scheduler.enqueue(meant(1, Target::Slot(1)));
    assert_eq!((lease(&mut scheduler, 0), lease(&mut scheduler, 1)), (None, Some(1)));
}

#[test]
fn leases_are_the_jobs_that_workers_have() {
    let mut scheduler = started(2, 10);
    [1, 2, 3].into_iter().for_each(|number| assert!(scheduler.enqueue(job(number)).is_none()));
    assert_eq!((lease(&mut scheduler, 1), lease(&mut scheduler, 0)), (Some(1), Some(2)));
    assert_eq!((scheduler.leases().collect::<Vec<_>>(), scheduler.leased()), (vec![&2, &1], 2));
    scheduler.release_lease(1, 1);
    assert_eq!((scheduler.leases().collect::<Vec<_>>(), scheduler.leased()), (vec![&2], 1));
}

#[test]
fn a_job_is_found_by_its_number_in_every_place() {
    let mut scheduler = started(2, 100);
    scheduler.enqueue(job(1));
    assert_eq!(lease(&mut scheduler, 0), Some(1));
    let (urgent, kinded, kind) = (job(3), job(8), RateKey::MIN);
    let jobs = [
        job(2),
        QueuedJob { placement: Placement { priority: 9, ..urgent.placement }, ..urgent },
        meant(4, Target::Key(7)),
        meant(5, Target::Slot(1)),
        meant(6, Target::Except(0)),
        QueuedJob { placement: Placement { rate_key: Some(kind), ..kinded.placement }, ..kinded },
    ];
    for job in jobs {
        scheduler.enqueue(job);
    }
    scheduler.delay(job(7), ms(9));
    assert_eq!(scheduler.get(1), Some((&1, Place::Leased)));
    for number in [2, 3, 4, 5, 6, 8] {
        assert_eq!(scheduler.get(number), Some((&number, Place::Queued)));
    }
    assert_eq!(scheduler.get(7), Some((&7, Place::Delayed)));
    assert_eq!((scheduler.get(0), scheduler.get(9)), (None, None));
    scheduler.cancel(4);
    scheduler.release_lease(0, 1);
    assert_eq!((scheduler.get(4), scheduler.get(1)), (None, None));
}

#[test]
fn a_delayed_job_waits_for_a_worker_from_the_time_at_which_it_is_due() {
    for (since, measured) in [(Some(ms(1)), Some(ms(6))), (None, None)] {
        let mut scheduler = started(1, 10);
        scheduler.delay(QueuedJob { since, ..job(1) }, ms(5));
        scheduler.tick(ms(6), &mut Vec::new());
        let (next, _) = scheduler.lease(0, 1, ms(8), &mut Vec::new());
        assert!(matches!(next, Next::Job(1, waiting) if waiting == measured), "{next:?}");
    }
}

#[test]
fn closing_the_slot_of_an_ended_worker_wakes_another_for_its_jobs() {
    let mut scheduler = started(3, 10);
    assert_eq!(lease(&mut scheduler, 2), None);
    scheduler.enqueue(meant(1, Target::Slot(1)));
    scheduler.enqueue(meant(2, Target::Slot(0)));
    assert_eq!(scheduler.close_slot(1), [2]);
    assert_eq!(lease(&mut scheduler, 2), Some(1));
    assert!(!scheduler.has_no_worker(2), "the worker in the first slot is due");
    scheduler.close_slot(0);
    assert!(scheduler.has_no_worker(2));
}

#[test]
fn a_pool_without_workers_grows_by_one_and_rests_at_its_minimum() {
    let load = |queued, idle| Load { queued, waited: Duration::from_secs(1), idle };
    let (wait, calm) = (Duration::from_secs(1), Duration::from_secs(10));
    let mut scale = Scale::of(&PoolSize::from(0..=8), wait, calm).expect("it may grow");
    assert_eq!(scale.target_size(0, load(9, 0), ms(0)), 1);
    assert!(scale.is_idle_at_min(0, load(0, 0)));
    assert!(!scale.is_idle_at_min(0, load(1, 0)));
    assert!(!scale.is_idle_at_min(1, load(0, 1)));
    assert!(!scale.is_idle_at_min(1, load(1, 0)));
}

/// The first numbers of SplitMix64 with the seed 0, as in its reference implementation.
#[test]
fn slots_fit_a_key_as_the_numbers_of_a_generator_whose_seed_it_is() {
    assert_eq!(
        [0, 1, 2].map(|slot| fit(0, slot)),
        [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]
    );
}

#[test]
fn no_job_is_leased_during_a_hold_and_all_idle_workers_look_for_one_after_the_last() {
    let mut scheduler = started(2, 100);
    assert_eq!(lease(&mut scheduler, 0), None);
    scheduler.hold();
    scheduler.hold();
    assert_eq!(scheduler.enqueue(job(1)), None);
    assert_eq!((lease(&mut scheduler, 0), lease(&mut scheduler, 1)), (None, None));
    assert_eq!(scheduler.pause(true), []);
    assert_eq!(scheduler.release(), []);
    assert_eq!(scheduler.pause(false), [], "the other hold lasts");
    assert_eq!((lease(&mut scheduler, 1), scheduler.runnable()), (None, 0));
    assert_eq!(scheduler.release(), [0, 1]);
    assert_eq!((lease(&mut scheduler, 0), lease(&mut scheduler, 1)), (Some(1), None));
}
