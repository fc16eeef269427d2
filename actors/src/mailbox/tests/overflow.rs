//! What is dropped when there is no room, and what its callers are told.

use super::checked::{Became, Checked, Got, accounts, bounded, failed};
use crate::mailbox::{Mailbox, Overflow, Refused};

fn dropping_oldest(capacity: usize) -> Mailbox {
    bounded(capacity).overflow(Overflow::DropOldest)
}

/// Casts a message into a full mailbox; what was dropped for it.
fn cast(queue: &Checked, message: u32) -> Vec<u32> {
    let dropped = queue.cast(message).expect("it is taken in");
    assert!(!dropped.is_empty(), "there was room");
    dropped
}

#[test]
fn a_mailbox_rejects_unless_it_is_set_otherwise() {
    let queue = Checked::with_messages(bounded(1), [1]);
    assert!(matches!(queue.overflow(2), Err(Refused::Full(2))));
    assert_eq!(accounts(&queue), [1, 0, 0, 0, 1]);
}

#[test]
fn the_newest_is_dropped_on_its_way_in() {
    let queue = Checked::with_messages(bounded(1).overflow(Overflow::DropNewest), [1]);
    assert_eq!((cast(&queue, 2), cast(&queue, 3)), (vec![2], vec![3]));
    assert_eq!(accounts(&queue), [3, 0, 0, 2, 1]);
    assert_eq!(queue.drain(1), [1]);
    assert_eq!(queue.push(4), Ok(2), "what was dropped has no number");
}

#[test]
fn the_oldest_makes_room_for_the_newest() {
    let queue = Checked::with_messages(dropping_oldest(2), [1, 2]);
    assert_eq!((cast(&queue, 3), cast(&queue, 4)), (vec![1], vec![2]));
    assert_eq!(accounts(&queue), [4, 0, 0, 2, 2]);
    assert_eq!(queue.drain(1), [3, 4]);
    assert_eq!(accounts(&queue), [4, 2, 0, 2, 0]);
}

#[test]
fn the_rest_of_a_batch_is_older_than_the_lane() {
    let queue = Checked::with_messages(dropping_oldest(3), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    assert_eq!((cast(&queue, 5), cast(&queue, 6), cast(&queue, 7)), (vec![2], vec![3], vec![4]));
    assert_eq!(queue.drain(1), [5, 6, 7]);
}

#[test]
fn the_message_in_hand_is_not_dropped_and_settles_before_those_behind_it() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(2).is_ok());
    assert_eq!(cast(&queue, 3), [2]);
    assert_eq!(
        [queue.became(1), queue.became(2), queue.became(3)],
        [Became::Open, Became::Dropped, Became::Open]
    );
    assert_eq!(queue.next(1), Got::Message(3));
    assert_eq!([queue.became(1), queue.became(3)], [Became::Handled, Became::Open]);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!([queue.became(2), queue.became(3)], [Became::Dropped, Became::Handled]);
}

#[test]
fn a_crash_loses_the_message_in_hand_and_not_those_dropped_behind_it() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(2).is_ok());
    assert_eq!(cast(&queue, 3), [2]);
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.became(1), Became::Lost(failed().to_string()));
    assert_eq!([queue.became(2), queue.became(3)], [Became::Dropped, Became::Open]);
    assert_eq!(accounts(&queue), [3, 0, 1, 1, 1]);
}

#[test]
fn a_flood_of_drops_is_one_thing_to_remember() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.push(2).is_ok());
    (3..1_000).for_each(|message| assert_eq!(cast(&queue, message), [message - 1]));
    assert_eq!(queue.became(1), Became::Lost(failed().to_string()), "it is not forgotten");
    assert_eq!([queue.became(2), queue.became(998)], [Became::Dropped, Became::Dropped]);
    assert_eq!(queue.became(999), Became::Open);
}

#[test]
fn who_stands_in_line_goes_in_before_a_cast_that_drops_the_oldest() {
    let queue = Checked::with_messages(dropping_oldest(2), [1, 2]);
    let (ticket, bell) = queue.stand_in_line(3);
    assert_eq!(cast(&queue, 4), [1, 2]);
    assert_eq!((queue.ask(ticket), bell.rung()), (Some(Ok(3)), 1));
    assert_eq!(queue.drain(1), [3, 4]);
}

#[test]
fn a_place_that_is_kept_is_not_dropped() {
    let queue = Checked::served(dropping_oldest(1));
    assert!(queue.try_reserve().is_ok());
    assert!(matches!(queue.overflow(1), Err(Refused::Full(1))));
    assert_eq!(queue.fill(2), Ok(1));
    assert_eq!(cast(&queue, 3), [2]);
}

#[test]
fn a_closed_mailbox_drops_nothing_and_takes_nothing() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert!(queue.close(&failed()).is_some());
    assert!(matches!(queue.overflow(2), Err(Refused::Closed(2))));
    assert_eq!(accounts(&queue), [1, 0, 0, 1, 0]);
}
