//! Unready workers run, but take no jobs.

use super::model::{job, ms};
use super::started::{lease, meant, started};
use crate::pool::scheduler::priority_queue::Target;
use crate::pool::scheduler::readiness::Observed;
use crate::pool::scheduler::{Next, ReadinessSource, Scheduler};

use ReadinessSource::{Probe, Worker};

#[test]
fn unready_worker_leases_nothing_and_is_woken_when_it_is_ready() {
    let mut scheduler = started(1, 100);
    assert_eq!(scheduler.set_ready(0, 1, Worker, false), []);
    assert_eq!((scheduler.is_ready(0), scheduler.ready_workers(), scheduler.is_present(0)), (false, 0, true));
    assert_eq!(lease(&mut scheduler, 0), None);
    assert_eq!((scheduler.enqueue(job(1)), scheduler.idle()), (None, 0));
    assert_eq!(scheduler.set_ready(0, 1, Worker, true), [0]);
    assert_eq!((scheduler.is_ready(0), lease(&mut scheduler, 0)), (true, Some(1)));
}

#[test]
fn job_in_hand_of_a_worker_that_turns_unready_is_finished_and_the_next_goes_to_another() {
    let mut scheduler = started(2, 100);
    scheduler.enqueue(job(1));
    scheduler.enqueue(job(2));
    assert_eq!(lease(&mut scheduler, 0), Some(1));
    assert_eq!(scheduler.set_ready(0, 1, Worker, false), []);
    assert_eq!(scheduler.leased(), 1);
    assert_eq!(scheduler.release_lease(0, 1).map(|job| job.item), Some(1));
    assert_eq!((lease(&mut scheduler, 0), lease(&mut scheduler, 1)), (None, Some(2)));
}

#[test]
fn worker_that_was_woken_and_turns_unready_passes_its_wakeup_on() {
    let mut scheduler = started(2, 100);
    assert_eq!((lease(&mut scheduler, 0), lease(&mut scheduler, 1)), (None, None));
    let woken = scheduler.enqueue(job(1)).expect("a worker is woken");
    assert_eq!(scheduler.set_ready(woken, 1, Worker, false), [1 - woken]);
}

#[test]
fn routed_jobs_of_a_worker_that_turns_unready_go_to_all() {
    let mut scheduler = started(2, 100);
    assert_eq!(lease(&mut scheduler, 1), None);
    scheduler.enqueue(meant(1, Target::Slot(0)));
    assert_eq!(scheduler.set_ready(0, 1, Worker, false), [1]);
    assert_eq!(lease(&mut scheduler, 1), Some(1));
    scheduler.release_lease(1, 1);
    scheduler.enqueue(meant(2, Target::Slot(0)));
    assert_eq!(lease(&mut scheduler, 1), Some(2), "it is not routed there now");
    for _ in 0..4 {
        assert_eq!((scheduler.next_in_turn(), scheduler.least_queued()), (Some(1), Some(1)));
    }
}

#[test]
fn keyed_and_pinned_jobs_of_an_unready_worker_wait_for_it() {
    let mut scheduler = started(2, 100);
    let key = (0..).find(|key| scheduler.slot_of_key(*key) == Some(0)).expect("there is one");
    assert_eq!((lease(&mut scheduler, 0), lease(&mut scheduler, 1)), (None, None));
    assert_eq!(scheduler.set_ready(0, 1, Worker, false), []);
    assert_eq!(scheduler.enqueue(meant(1, Target::Key(key))), None);
    assert_eq!(scheduler.enqueue(meant(2, Target::Pinned(0))), None);
    assert_eq!(lease(&mut scheduler, 1), None);
    assert_eq!(scheduler.set_ready(0, 1, Worker, true), [0]);
    assert_eq!(lease(&mut scheduler, 0), Some(1));
}

#[test]
fn failed_job_goes_to_the_same_worker_while_all_others_are_unready() {
    let mut scheduler = started(2, 100);
    assert_eq!(lease(&mut scheduler, 0), None);
    assert_eq!(scheduler.enqueue(meant(1, Target::Except(0))), None);
    assert_eq!(scheduler.set_ready(1, 1, Worker, false), [0]);
    assert_eq!(lease(&mut scheduler, 0), Some(1));
}

#[test]
fn worker_is_ready_once_both_it_and_the_probe_say_so() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(1, 100);
    scheduler.require_probe();
    scheduler.worker_started(0, 1);
    assert!(!scheduler.is_ready(0), "the probe has not succeeded");
    for (source, ready, is_ready) in [
        (Probe, true, true),
        (Worker, false, false),
        (Probe, false, false),
        (Worker, true, false),
        (Probe, true, true),
    ] {
        scheduler.set_ready(0, 1, source, ready);
        assert_eq!(scheduler.is_ready(0), is_ready, "after {source:?} {ready}");
    }
}

#[test]
fn what_init_says_holds_from_the_start_on_and_for_that_incarnation_only() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(1, 100);
    scheduler.set_ready(0, 1, Worker, false);
    scheduler.worker_started(0, 1);
    assert!(!scheduler.is_ready(0));
    scheduler.worker_exited(0, 1);
    scheduler.set_ready(0, 1, Worker, false);
    scheduler.worker_started(0, 2);
    assert!(scheduler.is_ready(0));
    scheduler.set_ready(0, 1, Worker, false);
    assert!(scheduler.is_ready(0), "an ended incarnation says nothing");
}

#[test]
fn worker_whose_thread_is_occupied_by_a_call_is_not_ready_in_any_incarnation_until_it_returns() {
    let mut scheduler = started(2, 100);
    assert_eq!(lease(&mut scheduler, 1), None);
    assert_eq!(scheduler.enqueue(meant(1, Target::Except(1))), None);
    assert_eq!(scheduler.set_call(0, true), [1], "the job may run nowhere else now");
    assert_eq!((scheduler.ready_workers(), scheduler.observed(0)), (1, Observed::Unready));
    assert_eq!((lease(&mut scheduler, 0), lease(&mut scheduler, 1)), (None, Some(1)));
    scheduler.worker_exited(0, 1);
    scheduler.worker_started(0, 2);
    scheduler.set_ready(0, 2, Worker, true);
    assert_eq!((scheduler.ready_workers(), scheduler.observed(0)), (1, Observed::Unready));
    let second = |scheduler: &mut Scheduler<u64>| scheduler.lease(0, 2, ms(0), &mut Vec::new()).0;
    assert!(matches!(second(&mut scheduler), Next::Nothing));
    assert_eq!(scheduler.enqueue(job(2)), None);
    assert_eq!(scheduler.set_call(0, false), [0]);
    assert_eq!((scheduler.ready_workers(), scheduler.observed(0)), (2, Observed::Ready(1)));
    assert!(matches!(second(&mut scheduler), Next::Job(2, _)));
}

#[test]
fn a_renewal_is_no_break_of_the_readiness_of_a_slot() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(1, 100);
    scheduler.require_probe();
    assert_eq!(scheduler.observed(0), Observed::Unready);
    scheduler.worker_started(0, 1);
    assert_eq!(scheduler.observed(0), Observed::Unready);
    scheduler.set_ready(0, 1, Probe, true);
    assert_eq!(scheduler.observed(0), Observed::Ready(0));
    for incarnation in 1..4 {
        scheduler.begin_renewal(0, incarnation);
        scheduler.worker_exited(0, incarnation);
        assert_eq!(scheduler.observed(0), Observed::Renewing(0));
        scheduler.init_began(0, incarnation + 1);
        scheduler.worker_started(0, incarnation + 1);
        scheduler.init_ended(0, incarnation + 1);
        assert_eq!(scheduler.observed(0), Observed::Renewing(0), "its probe has not succeeded yet");
        scheduler.set_ready(0, incarnation + 1, Probe, true);
        assert_eq!(scheduler.observed(0), Observed::Ready(0));
    }
    scheduler.set_ready(0, 4, Probe, false);
    assert_eq!(scheduler.observed(0), Observed::Unready);
    scheduler.set_ready(0, 4, Probe, true);
    assert_eq!(scheduler.observed(0), Observed::Ready(1), "no break is missed");
}

#[test]
fn only_the_incarnation_that_runs_is_renewed_and_it_may_turn_unready_before_its_end() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(1, 100);
    scheduler.worker_started(0, 2);
    scheduler.begin_renewal(0, 1);
    scheduler.worker_exited(0, 2);
    assert_eq!(scheduler.observed(0), Observed::Unready, "it has crashed");

    scheduler.worker_started(0, 3);
    scheduler.begin_renewal(0, 3);
    scheduler.set_ready(0, 3, Worker, false);
    scheduler.set_ready(0, 3, Worker, true);
    assert_eq!(scheduler.observed(0), Observed::Ready(1));
    scheduler.worker_exited(0, 3);
    assert_eq!(scheduler.observed(0), Observed::Renewing(1));
}

#[test]
fn any_other_end_breaks_the_readiness_and_so_does_a_renewal_that_fails() {
    let mut scheduler: Scheduler<u64> = Scheduler::new(1, 100);
    scheduler.worker_started(0, 1);
    scheduler.worker_exited(0, 1);
    scheduler.worker_started(0, 2);
    assert_eq!(scheduler.observed(0), Observed::Ready(1), "it has crashed");

    scheduler.begin_renewal(0, 2);
    scheduler.worker_exited(0, 2);
    scheduler.init_began(0, 3);
    scheduler.init_ended(0, 3);
    assert_eq!(scheduler.observed(0), Observed::Unready, "the init of the next one has failed");
    scheduler.worker_started(0, 4);
    assert_eq!(scheduler.observed(0), Observed::Ready(2));

    scheduler.begin_renewal(0, 4);
    scheduler.worker_exited(0, 4);
    scheduler.set_open(0, false);
    assert_eq!(scheduler.observed(0), Observed::Renewing(2), "its successor opens the slot again");
    scheduler.decline(0, 5);
    scheduler.set_open(0, true);
    assert_eq!(scheduler.observed(0), Observed::Unready, "the next one has declined to start");
    scheduler.worker_started(0, 6);
    assert_eq!(scheduler.observed(0), Observed::Ready(3));

    scheduler.begin_renewal(0, 6);
    scheduler.worker_exited(0, 6);
    scheduler.set_ready(0, 7, Worker, false);
    scheduler.worker_started(0, 7);
    assert_eq!(scheduler.observed(0), Observed::Renewing(3), "it is not ready yet");
    scheduler.worker_exited(0, 7);
    assert_eq!(scheduler.observed(0), Observed::Unready, "it has crashed before it was ready");

    scheduler.worker_started(0, 8);
    scheduler.set_ready(0, 8, Worker, false);
    scheduler.begin_renewal(0, 8);
    scheduler.worker_exited(0, 8);
    assert_eq!(scheduler.observed(0), Observed::Unready, "it was not ready before");
}
