//! Which workers may have a job: the running ones, the one that a key leads to, another than the
//! one that failed it.

use super::model::{job, ms};
use crate::pool::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::{Next, Scheduler};
use crate::pool::slots::fit;

/// A board with so many workers that have come and found nothing, and one more slot.
fn board(workers: usize) -> Scheduler<u64> {
    let mut board = Scheduler::new(workers + 1, 1_000_000);
    for slot in 0..workers {
        board.worker_started(slot, 1);
        assert_eq!(look(&mut board, slot), None);
    }
    board
}

fn look(board: &mut Scheduler<u64>, slot: usize) -> Option<u64> {
    match board.lease(slot, 1, ms(0), &mut Vec::new()).0 {
        Next::Job(job, _) => Some(job),
        Next::Nothing => None,
    }
}

fn aimed(number: u64, target: Target) -> QueuedJob<u64> {
    QueuedJob { stand: Placement { target, ..Placement::default() }, ..job(number) }
}

/// A key that leads to this slot, of so many.
fn key_of(slot: usize, slots: usize) -> u64 {
    let leads = |key: &u64| (0..slots).max_by_key(|slot| fit(*key, *slot)) == Some(slot);
    (0..).find(leads).expect("there is one")
}

#[test]
fn workers_that_run_have_one_turn_each_and_those_that_do_not_have_none() {
    let mut board = board(3);
    let turns = |board: &mut Scheduler<u64>, turns: usize| -> Vec<usize> {
        (0..turns).filter_map(|_| board.next_in_turn()).collect()
    };
    assert_eq!(turns(&mut board, 5), [0, 1, 2, 0, 1]);
    board.worker_exited(0, 1);
    assert_eq!(turns(&mut board, 3), [2, 1, 2]);
    board.worker_started(0, 2);
    assert_eq!(turns(&mut board, 3), [0, 1, 2]);
    board.set_open(1, false);
    assert_eq!(turns(&mut board, 3), [0, 2, 0]);
    board.worker_exited(0, 2);
    board.worker_exited(2, 1);
    assert_eq!(board.next_in_turn(), None);
    assert_eq!(Scheduler::<u64>::new(0, 1).next_in_turn(), None);
}

#[test]
fn a_worker_has_its_turn_whichever_others_come_and_go_between() {
    let mut board = board(4);
    let mut turns = [0; 4];
    for round in 1..=300 {
        // The same worker is gone and comes back before each turn.
        board.worker_exited(0, round);
        board.worker_started(0, round + 1);
        turns[board.next_in_turn().expect("some run")] += 1;
    }
    assert_eq!(turns, [75; 4]);
}

#[test]
fn the_least_queued_is_a_worker_that_runs() {
    let mut board = board(3);
    for (number, slot) in [(1, 0), (2, 0), (3, 1)] {
        board.put(aimed(number, Target::Slot(slot)));
    }
    assert_eq!(board.least_queued(), Some(2), "no worker has come to the last slot");
    board.worker_exited(2, 1);
    assert_eq!(board.least_queued(), Some(1));
    board.worker_exited(1, 1);
    board.worker_exited(0, 1);
    assert_eq!(board.least_queued(), None);
}

#[test]
fn a_job_for_a_worker_that_does_not_run_is_for_all_and_so_are_those_of_one_that_is_gone() {
    let mut board = board(2);
    assert_eq!(board.put(aimed(1, Target::Slot(2))), Some(1), "any may have it");
    board.put(aimed(2, Target::Slot(1)));
    board.put(aimed(3, Target::Slot(1)));
    let (leased, woken) = board.worker_exited(1, 1);
    assert_eq!((leased.map(|job| job.item), woken), (None, vec![0]));
    for expected in 1..=3 {
        assert_eq!(look(&mut board, 0), Some(expected));
        board.settle(0, 1);
    }
}

#[test]
fn a_key_waits_for_its_worker_while_that_is_due_and_leads_to_another_when_it_is_not() {
    let mut board = board(2);
    board.set_open(2, false);
    let key = key_of(1, 2);
    assert_eq!(board.slot_of_key(key), Some(1));
    board.worker_exited(1, 1);
    assert_eq!(board.put(aimed(1, Target::Key(key))), None, "it waits for the next incarnation");
    assert_eq!(look(&mut board, 0), None);
    assert_eq!(board.decline(1, 1), [], "it is an old one that declines");
    assert_eq!(board.decline(1, 2), [0]);
    assert_eq!(board.slot_of_key(key), Some(0));
    assert_eq!(look(&mut board, 0), Some(1));
    assert!(!board.has_no_worker(2) && board.has_no_worker(0));
    board.worker_exited(0, 1);
    board.decline(0, 2);
    assert!(board.has_no_worker(2));
    assert_eq!(board.slot_of_key(key), None);
    board.set_open(0, true);
    assert!(!board.has_no_worker(2), "it is due again");
}

#[test]
fn only_the_keys_of_a_slot_that_closes_lead_elsewhere() {
    let mut board = board(5);
    let led = |board: &Scheduler<u64>| (0..1000).map(|key| board.slot_of_key(key)).collect::<Vec<_>>();
    let before = led(&board);
    for slot in 0..6 {
        let keys = before.iter().filter(|led| **led == Some(slot)).count();
        assert!((100..250).contains(&keys), "{keys} keys lead to {slot}");
    }
    board.set_open(3, false);
    for (before, after) in before.iter().zip(led(&board)) {
        assert!(*before == after || *before == Some(3) && after != Some(3));
    }
    board.set_open(3, true);
    assert_eq!(led(&board), before);
}

#[test]
fn a_job_that_a_worker_failed_is_for_the_others_while_one_runs() {
    let mut board = board(2);
    board.put(job(1));
    board.put(job(2));
    assert_eq!((look(&mut board, 0), look(&mut board, 1)), (Some(1), Some(2)));
    let failed = board.settle(0, 1).expect("it was leased");
    let stand = Placement { target: Target::Except(0), ..failed.stand };
    assert_eq!(board.put(QueuedJob { stand, ..failed }), None, "the other is busy");
    assert!(!board.has_for(0) && board.has_for(1));
    assert_eq!(look(&mut board, 0), None);
    let (leased, woken) = board.worker_exited(1, 1);
    assert_eq!((leased.map(|job| job.item), woken), (Some(2), vec![0]), "it is the last that runs");
    assert_eq!(look(&mut board, 0), Some(1));
}

#[test]
fn a_worker_that_takes_another_job_than_it_was_woken_for_hands_the_wake_on() {
    // What the first is woken for, it takes; and leaves a job that it may not have to the third.
    let mut board = board(3);
    assert_eq!(board.put(aimed(2, Target::Except(2))), Some(1));
    assert_eq!(board.put(job(1)), Some(2));
    let (next, woken) = board.lease(1, 1, ms(0), &mut Vec::new());
    assert!(matches!(next, Next::Job(1, _)));
    assert_eq!(woken, Some(0), "the second job is not for the one that is awake");
    assert_eq!(look(&mut board, 2), None);
    assert_eq!(look(&mut board, 0), Some(2));
}
