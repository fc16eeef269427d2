//! What is dropped when there is no room, and what its callers are told.

use super::checked::{Back, Became, Bell, Checked, Got, accounts, bounded, failed};
use crate::mailbox::{MailboxConfig, OverflowPolicy, PushError};

fn dropping_oldest(capacity: usize) -> MailboxConfig {
    bounded(capacity).overflow(OverflowPolicy::DropOldest)
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
    assert!(matches!(queue.overflow(2), Err(PushError::Full(2))));
    assert_eq!(accounts(&queue), [1, 0, 0, 0, 1]);
}

#[test]
fn the_newest_is_dropped_on_its_way_in() {
    let queue = Checked::with_messages(bounded(1).overflow(OverflowPolicy::DropNewest), [1]);
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
    assert!(matches!(queue.overflow(1), Err(PushError::Full(1))));
    assert_eq!(queue.send_reserved(2), Ok(1));
    assert_eq!(cast(&queue, 3), [2]);
}

#[test]
fn a_closed_mailbox_drops_nothing_and_takes_nothing() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert!(queue.close(&failed()).is_some());
    assert!(matches!(queue.overflow(2), Err(PushError::Closed(2))));
    assert_eq!(accounts(&queue), [1, 0, 0, 1, 0]);
}

#[test]
fn a_cast_that_cannot_get_in_drops_nothing() {
    let queue = Checked::with_messages(dropping_oldest(2), [1, 2]);
    let (bell, waker) = Bell::new();
    let line = [queue.reserve_or_join(|| false, &waker), queue.reserve_or_join(|| false, &waker)];
    let [Ok(Err(first)), Ok(Err(second))] = line else { panic!("it is full") };
    // Both places are promised to those who were there before.
    assert_eq!(queue.cast(3), Err(Back::Full(3)));
    assert_eq!((accounts(&queue), bell.rung()), ([2, 0, 0, 0, 2], 0));
    queue.cancel_reserve(second);
    assert_eq!(queue.cast(3), Ok(vec![1, 2]));
    assert_eq!((queue.ask_place(first), bell.rung()), (Some(true), 1));
    assert_eq!(queue.drain(1), [3]);
}

#[test]
fn those_in_line_are_older_than_a_cast_that_drops_the_oldest() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    let ((second, _), (third, _)) = (queue.stand_in_line(2), queue.stand_in_line(3));
    assert_eq!(cast(&queue, 4), [1, 2, 3]);
    // They got in, each in its turn, and made room for those behind them.
    assert_eq!((queue.ask(second), queue.ask(third)), (Some(Ok(2)), Some(Ok(3))));
    assert_eq!([queue.became(1), queue.became(3)], [Became::Dropped, Became::Dropped]);
    assert_eq!(queue.drain(1), [4]);
}

#[test]
fn nothing_is_dropped_if_there_is_room_by_now() {
    for overflow in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let queue = Checked::with_messages(bounded(1).overflow(overflow), [1]);
        assert_eq!(queue.push(2), Err(Back::Full(2)));
        assert_eq!(queue.next(1), Got::Message(1));
        assert_eq!(queue.overflow(2).map(|displaced| displaced.messages).ok(), Some(Vec::new()));
        assert_eq!(queue.drain(1), [2]);
        assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
    }
}

#[test]
fn drops_between_messages_that_are_handled_push_no_end_out_of_memory() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    for n in 0..100 {
        assert!(queue.push(3 * n).is_ok());
        assert_eq!(cast(&queue, 3 * n + 1), [3 * n]);
        assert_eq!(queue.next(2), Got::Message(3 * n + 1));
    }
    assert_eq!(queue.became(1), Became::Lost(failed().to_string()));
    assert_eq!([queue.became(200), queue.became(201)], [Became::Dropped, Became::Open]);
}

#[test]
fn who_asks_for_the_fate_of_a_message_hears_when_it_is_dropped() {
    let queue = Checked::new(dropping_oldest(1));
    queue.open();
    assert!(queue.push(1).is_ok());
    // Nobody is there to look at the mailbox.
    assert_eq!((queue.became(1), queue.rung()), (Became::Open, 0));
    assert_eq!(cast(&queue, 2), [1]);
    assert_eq!((queue.became(1), queue.rung()), (Became::Dropped, 1));
}

#[test]
fn a_place_for_a_message_that_is_yet_to_be_made_is_made_as_room_for_a_cast_is() {
    let oldest = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(oldest.cast_place().ok(), Some(Some(vec![1])));
    assert!(matches!(oldest.cast_place(), Err(PushError::Full(()))), "all places are kept");
    assert_eq!(oldest.send_reserved(2), Ok(2));
    let newest = Checked::with_messages(bounded(1).overflow(OverflowPolicy::DropNewest), [1]);
    assert_eq!(newest.cast_place().ok(), Some(None));
    assert_eq!(accounts(&newest), [2, 0, 0, 1, 1]);
    let neither = Checked::with_messages(bounded(1), [1]);
    assert!(matches!(neither.cast_place(), Err(PushError::Full(()))));
}
