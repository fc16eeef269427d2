//! The bound of the mailbox, and the order in which senders are admitted.

use super::checked::{Checked, Got, Rejected, WakeCounter, accounts, bounded, failed};
use crate::exit::ExitReason;
use crate::mailbox::MailboxConfig;

#[test]
fn message_that_does_not_fit_is_returned() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(queue.push(3), Err(Rejected::Full(3)));
    assert_eq!(accounts(&queue), [2, 0, 0, 0, 2]);
}

#[test]
fn closed_mailbox_returns_the_message() {
    let queue = Checked::new(bounded(1));
    assert_eq!(queue.push(1), Err(Rejected::Closed(1)));
    assert_eq!(queue.push_or_wait(2, &WakeCounter::new().1), Err(2));
    assert_eq!(accounts(&queue), [0; 5]);
}

#[test]
fn message_in_flight_takes_no_room() {
    let queue = Checked::with_messages(bounded(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(2).is_ok());
    assert_eq!(queue.push(3), Err(Rejected::Full(3)));
}

#[test]
fn the_rest_of_a_batch_takes_room() {
    let queue = Checked::with_messages(bounded(3), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    assert_eq!(queue.push(5), Err(Rejected::Full(5)));
    assert_eq!(queue.next(1), Got::Message(2));
    assert!(queue.push(5).is_ok());
    assert_eq!(queue.push(6), Err(Rejected::Full(6)));
}

#[test]
fn an_unbounded_mailbox_is_never_full() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 0..5_000);
    assert_eq!(queue.waiting(), 5_000);
}

#[test]
fn the_default_holds_1024() {
    let queue = Checked::with_messages(MailboxConfig::default(), 0..1024);
    assert_eq!(queue.push(1024), Err(Rejected::Full(1024)));
}

#[test]
fn first_waiter_is_admitted_first() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let ((first, first_wakes), (second, second_wakes)) = (queue.wait_for_room(2), queue.wait_for_room(3));
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((first_wakes.wake_count(), second_wakes.wake_count()), (1, 0));
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!((first_wakes.wake_count(), second_wakes.wake_count()), (1, 1));
    assert_eq!((queue.ticket_outcome(first), queue.ticket_outcome(second)), (Some(Ok(2)), Some(Ok(3))));
    assert_eq!(queue.next(1), Got::Message(3));
}

#[test]
fn later_sender_does_not_overtake_waiters() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    let (ticket, _) = queue.wait_for_room(3);
    assert_eq!(queue.next(1), Got::Message(1));
    // The place that was freed went to the waiter.
    assert_eq!(queue.push(4), Err(Rejected::Full(4)));
    assert_eq!(queue.ticket_outcome(ticket), Some(Ok(3)));
    assert_eq!(queue.drain(1), [2, 3]);
}

#[test]
fn last_message_of_a_batch_makes_room_for_waiters() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(3).is_ok());
    let (ticket, wakes) = queue.wait_for_room(4);
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!((wakes.wake_count(), queue.ticket_outcome(ticket)), (1, Some(Ok(4))));
}

#[test]
fn sender_that_finds_room_does_not_wait() {
    let queue = Checked::with_messages(bounded(2), [1]);
    assert_eq!(queue.push_or_wait(2, &WakeCounter::new().1), Ok(Ok(2)));
}

#[test]
fn cancelled_ticket_returns_its_message() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let ((first, _), (second, _)) = (queue.wait_for_room(2), queue.wait_for_room(3));
    assert_eq!(queue.cancel_ticket(first), Some(2));
    assert_eq!(queue.drain(1), [1, 3]);
    assert_eq!(queue.ticket_outcome(second), Some(Ok(2)));
    assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
}

#[test]
fn cancelled_ticket_keeps_an_accepted_message_queued() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (ticket, _) = queue.wait_for_room(2);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.cancel_ticket(ticket), None);
    assert_eq!(queue.drain(1), [2]);
}

#[test]
fn emptied_wait_queue_blocks_no_sender() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    let (ticket, _) = queue.wait_for_room(3);
    assert_eq!(queue.cancel_ticket(ticket), Some(3));
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    assert_eq!(queue.drain(1), [2, 4]);
}

#[test]
fn latest_waker_of_a_waiter_is_woken() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (ticket, old) = queue.wait_for_room(2);
    let (new, waker) = WakeCounter::new();
    assert!(queue.poll_ticket(ticket, &waker).is_none());
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((old.wake_count(), new.wake_count()), (0, 1));
}

#[test]
fn close_refuses_waiters_and_returns_their_messages() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let ((first, _), (second, wakes)) = (queue.wait_for_room(2), queue.wait_for_room(3));
    let effects = queue.close(&ExitReason::Normal).expect("it was open");
    assert_eq!((effects.dead.len(), effects.wakers.len()), (1, 2));
    effects.wakers.into_iter().for_each(std::task::Waker::wake);
    assert_eq!(wakes.wake_count(), 1);
    assert_eq!((queue.ticket_outcome(first), queue.cancel_ticket(second)), (Some(Err(2)), Some(3)));
    assert_eq!(accounts(&queue), [1, 0, 0, 1, 0]);
}

#[test]
fn waiters_without_a_consumer_wait_for_the_next_one() {
    let queue = Checked::new(bounded(1));
    queue.open();
    assert!(queue.push(1).is_ok());
    let (ticket, wakes) = queue.wait_for_room(2);
    assert_eq!(queue.attach(), Ok(1));
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((wakes.wake_count(), queue.ticket_outcome(ticket)), (1, Some(Ok(2))));
}

#[test]
fn crash_that_discards_the_queue_admits_waiters() {
    let queue = Checked::with_messages(bounded(1).discard_on_restart(), [1]);
    let ((first, wakes), (second, _)) = (queue.wait_for_room(2), queue.wait_for_room(3));
    let effects = queue.detach(1, &failed()).expect("it was attached");
    assert_eq!(effects.dead, [1]);
    effects.wakers.into_iter().for_each(std::task::Waker::wake);
    assert_eq!(
        (wakes.wake_count(), queue.ticket_outcome(first), queue.ticket_outcome(second)),
        (1, Some(Ok(2)), None)
    );
}
