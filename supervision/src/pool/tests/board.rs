//! The rules of the board, one by one.

use std::time::Duration;

use super::model::{job, ms};
use crate::pool::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::rate::Rate;
use crate::pool::scheduler::{Next, Phase, Scheduler};

/// A board with so many workers, each of whom has come and found nothing.
fn idle_board(workers: usize) -> Scheduler<u64> {
    let mut board = Scheduler::new(workers, 100);
    for slot in 0..workers {
        board.worker_started(slot, 1);
        assert_eq!(look(&mut board, slot), None);
    }
    board
}

/// What the first incarnation in a slot is given, at the beginning of time.
fn look(board: &mut Scheduler<u64>, slot: usize) -> Option<u64> {
    look_at(board, slot, 0)
}

fn look_at(board: &mut Scheduler<u64>, slot: usize, now: u64) -> Option<u64> {
    match board.lease(slot, 1, ms(now), &mut Vec::new()).0 {
        Next::Job(job, _) => Some(job),
        Next::Nothing => None,
    }
}

fn urgent(number: u64, priority: u8) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { stand: Placement { priority, ..job.stand }, ..job }
}

fn for_slot(number: u64, slot: usize) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { stand: Placement { target: Target::Slot(slot), ..job.stand }, ..job }
}

fn pinned(number: u64, slot: usize) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { stand: Placement { target: Target::Pinned(slot), ..job.stand }, ..job }
}

fn for_key(number: u64, key: u64) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { stand: Placement { target: Target::Key(key), ..job.stand }, ..job }
}

/// A job that comes back from the worker in this slot, which has failed it.
fn failed_by(slot: usize, number: u64) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { stand: Placement { target: Target::Except(slot), ..job.stand }, ..job }
}

fn expiring(number: u64, at: u64) -> QueuedJob<u64> {
    let job = job(number);
    QueuedJob { stand: Placement { expires: Some(ms(at)), ..job.stand }, ..job }
}

#[test]
fn the_urgent_come_first_and_then_those_that_came_first() {
    let mut board = idle_board(1);
    for job in [urgent(1, 0), urgent(2, 5), urgent(3, 0), urgent(4, 9), urgent(5, 5)] {
        board.put(job);
    }
    let mut order = Vec::new();
    while let Some(job) = look(&mut board, 0) {
        board.settle(0, 1).expect("it was leased");
        order.push(job);
    }
    assert_eq!(order, [4, 2, 5, 1, 3]);
}

#[test]
fn those_that_come_back_stand_where_they_stood_whichever_of_them_is_first() {
    for order in [[0, 1], [1, 0]] {
        let mut board = idle_board(3);
        for number in 1..=4 {
            board.put(job(number));
        }
        assert_eq!((look(&mut board, 0), look(&mut board, 1)), (Some(1), Some(2)));
        for slot in order {
            let job = board.settle(slot, 1).expect("it was leased");
            board.put(job);
        }
        assert_eq!(
            [look(&mut board, 0), look(&mut board, 1), look(&mut board, 2)],
            [Some(1), Some(2), Some(3)]
        );
    }
}

#[test]
fn each_job_wakes_one_idle_worker_and_none_is_woken_twice() {
    let mut board = idle_board(2);
    let woken = [board.put(job(1)), board.put(job(2)), board.put(job(3))];
    assert_eq!(woken.iter().flatten().count(), 2, "{woken:?}");
    assert_ne!(woken[0], woken[1]);
    assert_eq!(woken[2], None, "nobody is idle");
}

#[test]
fn a_job_for_one_worker_wakes_that_one_and_nobody_else_may_have_it() {
    let mut board = idle_board(3);
    assert_eq!(board.put(for_slot(1, 1)), Some(1));
    assert_eq!((look(&mut board, 0), look(&mut board, 2)), (None, None));
    assert_eq!(board.put(for_slot(2, 1)), None, "it is awake");
    assert_eq!(look(&mut board, 1), Some(1));
}

#[test]
fn a_worker_that_takes_its_own_job_first_leaves_the_one_it_was_woken_for_to_another() {
    let mut board = idle_board(2);
    let woken = board.put(job(1)).expect("somebody is woken");
    assert_eq!(
        board.put(QueuedJob {
            stand: Placement { priority: 1, target: Target::Slot(woken), expires: None },
            ..job(2)
        }),
        None
    );
    let (next, roused) = board.lease(woken, 1, ms(0), &mut Vec::new());
    assert!(matches!(next, Next::Job(2, _)));
    assert_eq!(roused, Some(1 - woken));
}

#[test]
fn a_worker_whose_slot_is_closed_leaves_the_job_that_it_was_woken_for_to_another() {
    let mut board = idle_board(2);
    let woken = board.put(job(1)).expect("somebody is woken");
    assert_eq!(board.set_open(woken, false), [1 - woken]);
}

#[test]
fn a_job_for_one_and_a_job_for_all_are_begun_in_the_order_in_which_they_came() {
    let mut board = idle_board(1);
    board.put(job(1));
    board.put(for_slot(2, 0));
    board.put(job(3));
    for expected in 1..=3 {
        assert_eq!(look(&mut board, 0), Some(expected));
        board.settle(0, 1);
    }
}

#[test]
fn jobs_for_a_slot_that_is_closed_go_to_all_where_their_number_has_them() {
    let mut board = idle_board(2);
    board.put(for_slot(1, 1));
    board.put(job(2));
    board.put(for_slot(3, 1));
    board.set_open(1, false);
    assert_eq!(look(&mut board, 1), None, "a closed slot has none");
    assert_eq!(board.put(for_slot(4, 1)), None, "worker 0 is awake since the second job came");
    for expected in 1..=4 {
        assert_eq!(look(&mut board, 0), Some(expected));
        board.settle(0, 1);
    }
}

#[test]
fn a_slot_that_is_opened_has_its_worker_look_again() {
    let mut board = Scheduler::new(2, 100);
    board.set_open(1, false);
    board.put(job(1));
    board.worker_started(1, 1);
    assert_eq!(look(&mut board, 1), None);
    assert_eq!(board.set_open(1, true), [1]);
    assert_eq!(look(&mut board, 1), Some(1));
}

#[test]
fn what_an_old_incarnation_says_or_asks_changes_nothing() {
    let mut board = idle_board(1);
    board.put(job(1));
    assert_eq!(look(&mut board, 0), Some(1));
    let (returned, _) = board.worker_exited(0, 1);
    board.put(returned.expect("it was leased"));
    assert_eq!(look(&mut board, 0), None, "it is gone");
    board.worker_started(0, 2);
    board.worker_started(0, 1);
    assert_eq!(look(&mut board, 0), None, "it came too late");
    assert!(matches!(board.lease(0, 2, ms(0), &mut Vec::new()).0, Next::Job(1, _)));
    assert!(board.settle(0, 1).is_none());
    assert!(board.worker_exited(0, 1).0.is_none());
    assert_eq!(board.leased(), 1);
    assert_eq!(board.settle(0, 2).map(|job| job.item), Some(1));
}

#[test]
fn if_a_worker_was_woken_and_went_before_it_looked_another_is() {
    let mut board = idle_board(2);
    let first = board.put(job(1)).expect("somebody is woken");
    assert_eq!(board.worker_exited(first, 1).1, [1 - first]);
}

#[test]
fn what_has_expired_is_not_leased_and_comes_out_at_its_time_too() {
    let mut board = idle_board(1);
    board.put(expiring(1, 10));
    board.put(expiring(2, 10));
    board.put(job(3));
    let mut expired = Vec::new();
    assert!(matches!(board.lease(0, 1, ms(10), &mut expired).0, Next::Job(3, _)));
    assert_eq!(expired, [1, 2]);
    board.put(expiring(4, 20));
    board.delay(expiring(5, 30), ms(40));
    assert_eq!(board.next_deadline(ms(10)), Some(ms(20)));
    board.tick(ms(20), &mut expired);
    assert_eq!(board.next_deadline(ms(20)), Some(ms(30)));
    board.tick(ms(35), &mut expired);
    assert_eq!(expired, [1, 2, 4, 5]);
    assert_eq!(board.waiting(), 0);
}

#[test]
fn what_is_delayed_comes_when_it_is_due_and_takes_up_room_before() {
    let mut board: Scheduler<u64> = Scheduler::new(1, 2);
    board.delay(job(1), ms(10));
    board.delay(job(2), ms(5));
    assert_eq!((board.room() > 0, board.waiting(), board.ready()), (false, 2, 0));
    board.worker_started(0, 1);
    assert_eq!(look(&mut board, 0), None);
    assert_eq!(board.next_deadline(ms(0)), Some(ms(5)));
    assert_eq!(board.tick(ms(5), &mut Vec::new()), [0]);
    assert_eq!(look(&mut board, 0), Some(2));
    assert_eq!((board.room() > 0, board.waiting(), board.ready()), (true, 1, 0));
}

#[test]
fn a_paused_board_hands_nothing_out_and_wakes_all_when_it_goes_on() {
    let mut board = idle_board(2);
    board.pause(true);
    assert_eq!((board.put(job(1)), look(&mut board, 0)), (None, None));
    let mut woken = board.pause(false);
    woken.sort_unstable();
    assert_eq!(woken, [0, 1]);
}

#[test]
fn who_waits_for_the_rate_is_woken_by_its_time_and_the_next_by_that_one() {
    let mut board = idle_board(3);
    board.set_rate(Rate::new(1, ms(10)));
    for number in 1..=3 {
        board.put(job(number));
    }
    assert_eq!(look_at(&mut board, 0, 0), Some(1));
    assert_eq!((look_at(&mut board, 1, 0), look_at(&mut board, 2, 0)), (None, None));
    assert_eq!(board.put(job(4)), None, "there is no use in it");
    assert_eq!(board.next_deadline(ms(0)), Some(ms(10)));
    assert_eq!(board.tick(ms(9), &mut Vec::new()), []);
    let woken = board.tick(ms(10), &mut Vec::new());
    assert_eq!(woken.len(), 1);
    let (next, roused) = board.lease(woken[0], 1, ms(10), &mut Vec::new());
    assert!(matches!(next, Next::Job(2, since) if since == Some(ms(0))));
    let roused = roused.expect("there is more to do");
    assert_eq!(look_at(&mut board, roused, 10), None);
    assert_eq!(board.next_deadline(ms(10)), Some(ms(20)));
}

#[test]
fn a_job_for_one_worker_that_waits_for_the_rate_wakes_that_one() {
    let mut board = idle_board(3);
    board.set_rate(Rate::new(1, ms(10)));
    board.put(job(1));
    assert_eq!(look_at(&mut board, 0, 0), Some(1));
    board.put(for_slot(2, 1));
    for slot in [1, 2] {
        assert_eq!(look_at(&mut board, slot, 0), None);
    }
    assert_eq!(board.tick(ms(10), &mut Vec::new()), [1]);
}

#[test]
fn who_is_woken_by_the_rate_and_finds_nothing_wakes_the_next() {
    let mut board = idle_board(2);
    board.set_rate(Rate::new(1, ms(10)));
    board.put(job(1));
    assert_eq!(look_at(&mut board, 1, 0), Some(1));
    board.settle(1, 1);
    board.put(for_slot(2, 0));
    board.put(for_slot(3, 1));
    assert_eq!((look_at(&mut board, 0, 0), look_at(&mut board, 1, 0)), (None, None));
    let woken = board.tick(ms(10), &mut Vec::new())[0];
    board.cancel(2 + woken as u64);
    let (next, roused) = board.lease(woken, 1, ms(10), &mut Vec::new());
    assert!(matches!(next, Next::Nothing));
    assert_eq!(roused, Some(1 - woken));
}

#[test]
fn a_paused_board_does_not_wait_for_its_rate() {
    let mut board = idle_board(2);
    board.set_rate(Rate::new(1, ms(10)));
    board.put(job(1));
    board.put(job(2));
    assert_eq!((look_at(&mut board, 0, 0), look_at(&mut board, 1, 0)), (Some(1), None));
    board.pause(true);
    assert_eq!(board.next_deadline(ms(5)), None);
    assert_eq!(board.tick(ms(10), &mut Vec::new()), []);
}

#[test]
fn of_all_that_choose_the_one_with_the_least_before_it_is_chosen() {
    let mut board = idle_board(3);
    board.put(for_slot(1, 0));
    assert_eq!(look(&mut board, 0), Some(1));
    board.put(for_slot(2, 1));
    board.put(for_slot(3, 1));
    assert_eq!(board.least_queued(), Some(2));
    board.set_open(2, false);
    assert_eq!(board.least_queued(), Some(0));
}

#[test]
fn one_that_waits_can_be_taken_out_wherever_it_is() {
    let mut board = idle_board(2);
    board.put(job(1));
    board.put(for_slot(2, 1));
    board.put(urgent(3, 9));
    board.delay(expiring(4, 5), ms(10));
    board.put(for_key(5, 7));
    board.put(failed_by(1, 6));
    for number in 1..=6 {
        assert_eq!(board.cancel(number), Some(number));
        assert_eq!(board.cancel(number), None);
    }
    assert_eq!((board.waiting(), board.next_deadline(ms(0))), (0, None));
}

#[test]
fn to_clear_takes_out_what_waits_and_leaves_what_is_leased() {
    let mut board = idle_board(1);
    board.put(job(1));
    assert_eq!(look(&mut board, 0), Some(1));
    board.put(job(2));
    board.put(for_slot(3, 0));
    board.delay(expiring(4, 99), ms(5));
    board.put(for_key(5, 7));
    board.put(failed_by(0, 6));
    let mut cleared = board.clear();
    cleared.sort_unstable();
    assert_eq!(cleared, [2, 3, 4, 5, 6]);
    assert_eq!((board.waiting(), board.leased(), board.is_done()), (0, 1, false));
    assert_eq!(board.next_deadline(ms(0)), None);
}

#[test]
fn a_board_that_finishes_hands_out_and_one_that_is_closed_does_not_and_it_never_goes_back() {
    let mut board = idle_board(1);
    board.put(job(1));
    board.put(job(2));
    board.enter(Phase::Finishing);
    assert_eq!(look(&mut board, 0), Some(1));
    board.settle(0, 1);
    board.enter(Phase::Closed);
    board.enter(Phase::Finishing);
    assert_eq!((board.phase(), look(&mut board, 0)), (Phase::Closed, None));
}

#[test]
fn the_one_that_has_waited_longest_is_known_wherever_it_is() {
    let mut board = idle_board(2);
    let since = |job: QueuedJob<u64>, at: u64| QueuedJob { since: Some(ms(at)), ..job };
    assert_eq!(board.oldest(), None);
    board.delay(since(job(1), 1), ms(50));
    assert_eq!(board.oldest(), None, "it does not wait for a worker");
    board.put(since(job(2), 7));
    board.put(since(urgent(3, 9), 8));
    board.put(since(for_slot(4, 1), 6));
    assert_eq!(board.oldest(), Some(Duration::from_millis(6)));
}

#[test]
fn a_pinned_job_waits_for_its_worker_through_restarts_and_comes_out_when_that_is_not_due() {
    let mut board = idle_board(2);
    assert_eq!(board.put(pinned(1, 0)), Some(0), "its worker is woken");
    assert_eq!(look(&mut board, 1), None, "it is for no other");
    board.worker_exited(0, 1);
    board.worker_started(0, 2);
    assert!(matches!(board.lease(0, 2, ms(0), &mut Vec::new()).0, Next::Job(1, _)));
    let again = board.settle(0, 2).expect("it has it");
    board.put(again);
    board.put(job(2));
    assert!(board.take_orphaned().is_empty());
    board.set_open(0, false);
    assert_eq!((board.take_orphaned(), board.waiting()), (vec![1], 1));
    board.put(pinned(3, 0));
    assert_eq!((board.take_orphaned(), board.waiting()), (vec![3], 1), "it does not even come in");
    assert_eq!(look(&mut board, 1), Some(2));
}
