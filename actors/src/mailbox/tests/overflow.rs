//! Which messages are dropped when there is no room, and what their callers learn.

use super::checked::{Checked, Got, Outcome, Rejected, WakeCounter, accounts, bounded, failed};
use crate::mailbox::{MailboxConfig, OverflowPolicy, PushError};

fn dropping_oldest(capacity: usize) -> MailboxConfig {
    bounded(capacity).overflow(OverflowPolicy::DropOldest)
}

/// Casts a message to a full mailbox. Returns the messages that were dropped for it.
fn cast(queue: &Checked, message: u32) -> Vec<u32> {
    let dropped = queue.cast(message).expect("it is accepted");
    assert!(!dropped.is_empty(), "there was room");
    dropped
}

#[test]
fn mailbox_rejects_by_default() {
    let queue = Checked::with_messages(bounded(1), [1]);
    assert!(matches!(queue.overflow(2), Err(PushError::Full(2))));
    assert_eq!(accounts(&queue), [1, 0, 0, 0, 1]);
}

#[test]
fn drop_newest_discards_the_new_message() {
    let queue = Checked::with_messages(bounded(1).overflow(OverflowPolicy::DropNewest), [1]);
    assert_eq!((cast(&queue, 2), cast(&queue, 3)), (vec![2], vec![3]));
    assert_eq!(accounts(&queue), [3, 0, 0, 2, 1]);
    assert_eq!(queue.drain(1), [1]);
    assert_eq!(queue.push(4), Ok(2), "what was dropped has no number");
}

#[test]
fn drop_oldest_evicts_the_oldest_queued_message() {
    let queue = Checked::with_messages(dropping_oldest(2), [1, 2]);
    assert_eq!((cast(&queue, 3), cast(&queue, 4)), (vec![1], vec![2]));
    assert_eq!(accounts(&queue), [4, 0, 0, 2, 2]);
    assert_eq!(queue.drain(1), [3, 4]);
    assert_eq!(accounts(&queue), [4, 2, 0, 2, 0]);
}

#[test]
fn rest_of_a_batch_is_evicted_before_the_queue() {
    let queue = Checked::with_messages(dropping_oldest(3), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    assert_eq!((cast(&queue, 5), cast(&queue, 6), cast(&queue, 7)), (vec![2], vec![3], vec![4]));
    assert_eq!(queue.drain(1), [5, 6, 7]);
}

#[test]
fn message_in_flight_is_not_evicted_and_settles_first() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(2).is_ok());
    assert_eq!(cast(&queue, 3), [2]);
    assert_eq!(
        [queue.outcome(1), queue.outcome(2), queue.outcome(3)],
        [Outcome::Pending, Outcome::Evicted, Outcome::Pending]
    );
    assert_eq!(queue.next(1), Got::Message(3));
    assert_eq!([queue.outcome(1), queue.outcome(3)], [Outcome::Handled, Outcome::Pending]);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!([queue.outcome(2), queue.outcome(3)], [Outcome::Evicted, Outcome::Handled]);
}

#[test]
fn crash_loses_the_message_in_flight_but_not_evicted_ones() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(2).is_ok());
    assert_eq!(cast(&queue, 3), [2]);
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.outcome(1), Outcome::Lost(failed().to_string()));
    assert_eq!([queue.outcome(2), queue.outcome(3)], [Outcome::Evicted, Outcome::Pending]);
    assert_eq!(accounts(&queue), [3, 0, 1, 1, 1]);
}

#[test]
fn adjacent_evictions_form_one_range() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert!(queue.push(2).is_ok());
    (3..1_000).for_each(|message| assert_eq!(cast(&queue, message), [message - 1]));
    assert_eq!(queue.outcome(1), Outcome::Lost(failed().to_string()), "it is not forgotten");
    assert_eq!([queue.outcome(2), queue.outcome(998)], [Outcome::Evicted, Outcome::Evicted]);
    assert_eq!(queue.outcome(999), Outcome::Pending);
}

#[test]
fn waiting_sender_is_admitted_before_a_cast_that_drops_the_oldest() {
    let queue = Checked::with_messages(dropping_oldest(2), [1, 2]);
    let (ticket, wakes) = queue.wait_for_room(3);
    assert_eq!(cast(&queue, 4), [1, 2]);
    assert_eq!((queue.ticket_outcome(ticket), wakes.wake_count()), (Some(Ok(3)), 1));
    assert_eq!(queue.drain(1), [3, 4]);
}

#[test]
fn reserved_place_is_not_evicted() {
    let queue = Checked::attached(dropping_oldest(1));
    assert!(queue.try_reserve().is_ok());
    assert!(matches!(queue.overflow(1), Err(PushError::Full(1))));
    assert_eq!(queue.send_reserved(2), Ok(1));
    assert_eq!(cast(&queue, 3), [2]);
}

#[test]
fn closed_mailbox_evicts_and_accepts_nothing() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert!(queue.close(&failed()).is_some());
    assert!(matches!(queue.overflow(2), Err(PushError::Closed(2))));
    assert_eq!(accounts(&queue), [1, 0, 0, 1, 0]);
}

#[test]
fn rejected_cast_evicts_nothing() {
    let queue = Checked::with_messages(dropping_oldest(2), [1, 2]);
    let (wakes, waker) = WakeCounter::new();
    let waiting = [queue.reserve_or_wait(|| false, &waker), queue.reserve_or_wait(|| false, &waker)];
    let [Ok(Err(first)), Ok(Err(second))] = waiting else { panic!("it is full") };
    // Both places are promised to the reservations that came before.
    assert_eq!(queue.cast(3), Err(Rejected::Full(3)));
    assert_eq!((accounts(&queue), wakes.wake_count()), ([2, 0, 0, 0, 2], 0));
    queue.cancel_reserve(second);
    assert_eq!(queue.cast(3), Ok(vec![1, 2]));
    assert_eq!((queue.permit_outcome(first), wakes.wake_count()), (Some(true), 1));
    assert_eq!(queue.drain(1), [3]);
}

#[test]
fn waiting_messages_are_evicted_before_a_newer_cast() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    let ((second, _), (third, _)) = (queue.wait_for_room(2), queue.wait_for_room(3));
    assert_eq!(cast(&queue, 4), [1, 2, 3]);
    // They were admitted, each in its turn, and evicted to make room for the next.
    assert_eq!((queue.ticket_outcome(second), queue.ticket_outcome(third)), (Some(Ok(2)), Some(Ok(3))));
    assert_eq!([queue.outcome(1), queue.outcome(3)], [Outcome::Evicted, Outcome::Evicted]);
    assert_eq!(queue.drain(1), [4]);
}

#[test]
fn nothing_is_evicted_if_there_is_room_by_now() {
    for overflow in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let queue = Checked::with_messages(bounded(1).overflow(overflow), [1]);
        assert_eq!(queue.push(2), Err(Rejected::Full(2)));
        assert_eq!(queue.next(1), Got::Message(1));
        assert_eq!(queue.overflow(2).map(|evicted| evicted.messages).ok(), Some(Vec::new()));
        assert_eq!(queue.drain(1), [2]);
        assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
    }
}

#[test]
fn evictions_between_handled_messages_push_out_no_lost_range() {
    let queue = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    for n in 0..100 {
        assert!(queue.push(3 * n).is_ok());
        assert_eq!(cast(&queue, 3 * n + 1), [3 * n]);
        assert_eq!(queue.next(2), Got::Message(3 * n + 1));
    }
    assert_eq!(queue.outcome(1), Outcome::Lost(failed().to_string()));
    assert_eq!([queue.outcome(200), queue.outcome(201)], [Outcome::Evicted, Outcome::Pending]);
}

#[test]
fn waiter_is_woken_when_its_message_is_evicted() {
    let queue = Checked::new(dropping_oldest(1));
    queue.open();
    assert!(queue.push(1).is_ok());
    // No incarnation is attached that could check the mailbox.
    assert_eq!((queue.outcome(1), queue.wake_count()), (Outcome::Pending, 0));
    assert_eq!(cast(&queue, 2), [1]);
    assert_eq!((queue.outcome(1), queue.wake_count()), (Outcome::Evicted, 1));
}

#[test]
fn reservation_for_a_cast_follows_the_overflow_policy() {
    let oldest = Checked::with_messages(dropping_oldest(1), [1]);
    assert_eq!(oldest.cast_with_permit().ok(), Some(Some(vec![1])));
    assert!(matches!(oldest.cast_with_permit(), Err(PushError::Full(()))), "all places are kept");
    assert_eq!(oldest.send_reserved(2), Ok(2));
    let newest = Checked::with_messages(bounded(1).overflow(OverflowPolicy::DropNewest), [1]);
    assert_eq!(newest.cast_with_permit().ok(), Some(None));
    assert_eq!(accounts(&newest), [2, 0, 0, 1, 1]);
    let neither = Checked::with_messages(bounded(1), [1]);
    assert!(matches!(neither.cast_with_permit(), Err(PushError::Full(()))));
}
