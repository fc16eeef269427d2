//! Reserved places for messages that are sent later.

use std::task::Waker;

use super::checked::{Checked, Got, Rejected, WakeCounter, bounded, failed};
use crate::mailbox::PushError;

#[test]
fn reserved_place_takes_room() {
    let queue = Checked::attached(bounded(2));
    assert!(queue.try_reserve().is_ok());
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.push(2), Err(Rejected::Full(2)));
    assert!(matches!(queue.try_reserve(), Err(PushError::Full(()))));
    assert_eq!(queue.send_reserved(3), Ok(2));
    assert_eq!(queue.drain(1), [1, 3]);
}

#[test]
fn released_place_is_free() {
    let queue = Checked::attached(bounded(1));
    assert!(queue.try_reserve().is_ok());
    queue.release_permit();
    assert!(queue.push(1).is_ok());
}

#[test]
fn released_place_admits_the_first_waiter_and_wakes_the_consumer() {
    let queue = Checked::attached(bounded(1));
    assert!(queue.try_reserve().is_ok());
    assert_eq!(queue.next(1), Got::Nothing);
    let (ticket, wakes) = queue.wait_for_room(1);
    queue.release_permit();
    assert_eq!((queue.ticket_outcome(ticket), wakes.wake_count(), queue.wake_count()), (Some(Ok(1)), 1, 1));
    assert_eq!(queue.next(1), Got::Message(1));
}

#[test]
fn reservations_and_messages_wait_in_one_queue() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (wakes, waker) = WakeCounter::new();
    let ticket = queue.reserve_or_wait(|| false, &waker).expect("it is open").expect_err("it is full");
    let (behind, _) = queue.wait_for_room(2);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(wakes.wake_count(), 1);
    assert_eq!(queue.ticket_outcome(behind), None, "the place is reserved for the first waiter");
    assert!(matches!(
        queue.poll_ticket(ticket, Waker::noop()),
        Some(crate::mailbox::TicketOutcome::Reserved)
    ));
    assert_eq!(queue.send_reserved(3), Ok(2));
    assert_eq!(queue.next(1), Got::Message(3));
    assert_eq!((queue.ticket_outcome(behind), queue.next(1)), (Some(Ok(3)), Got::Message(2)));
}

#[test]
fn cancelled_reservation_keeps_no_place() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (_, waker) = WakeCounter::new();
    let early = queue.reserve_or_wait(|| false, &waker).expect("it is open").expect_err("it is full");
    let late = queue.reserve_or_wait(|| false, &waker).expect("it is open").expect_err("it is full");
    queue.cancel_reserve(early);
    assert_eq!(queue.next(1), Got::Message(1));
    // By now a place is reserved for this one.
    queue.cancel_reserve(late);
    assert!(queue.push(2).is_ok());
}

#[test]
fn reserved_place_survives_an_end_but_not_a_close() {
    let queue = Checked::attached(bounded(1));
    assert!(queue.try_reserve().is_ok());
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.push(1), Err(Rejected::Full(1)));
    assert!(queue.close(&failed()).is_some());
    assert_eq!(queue.send_reserved(2), Err(2));
    queue.open();
    assert!(queue.push(3).is_ok(), "the place is free again");
}

#[test]
fn waiting_reservation_is_refused_on_a_close() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (wakes, waker) = WakeCounter::new();
    let ticket = queue.reserve_or_wait(|| false, &waker).expect("it is open").expect_err("it is full");
    let effects = queue.close(&failed()).expect("it was open");
    effects.wakers.into_iter().for_each(Waker::wake);
    assert_eq!(wakes.wake_count(), 1);
    assert!(matches!(queue.poll_ticket(ticket, &waker), Some(crate::mailbox::TicketOutcome::Refused(None))));
    assert!(
        queue.reserve_or_wait(|| false, &waker).is_err()
            && matches!(queue.try_reserve(), Err(PushError::Closed(())))
    );
}

#[test]
fn place_granted_to_a_reservation_does_not_wake_the_consumer() {
    let queue = Checked::attached(bounded(1));
    assert!(queue.try_reserve().is_ok());
    assert_eq!(queue.next(1), Got::Nothing);
    let (wakes, waker) = WakeCounter::new();
    let ticket = queue.reserve_or_wait(|| false, &waker).expect("it is open").expect_err("it is full");
    queue.release_permit();
    assert_eq!((wakes.wake_count(), queue.wake_count(), queue.permit_outcome(ticket)), (1, 0, Some(true)));
    assert_eq!(queue.send_reserved(1), Ok(1));
    assert_eq!((queue.wake_count(), queue.next(1)), (1, Got::Message(1)));
}
