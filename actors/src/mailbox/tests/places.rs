//! Places that are kept for somebody who will send later.

use std::task::Waker;

use super::checked::{Back, Bell, Checked, Got, bounded, failed};
use crate::mailbox::PushError;

#[test]
fn a_place_that_is_kept_is_taken() {
    let queue = Checked::served(bounded(2));
    assert!(queue.try_reserve().is_ok());
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.push(2), Err(Back::Full(2)));
    assert!(matches!(queue.try_reserve(), Err(PushError::Full(()))));
    assert_eq!(queue.send_reserved(3), Ok(2));
    assert_eq!(queue.drain(1), [1, 3]);
}

#[test]
fn a_place_that_is_given_back_is_free() {
    let queue = Checked::served(bounded(1));
    assert!(queue.try_reserve().is_ok());
    queue.release_permit();
    assert!(queue.push(1).is_ok());
}

#[test]
fn a_place_that_is_given_back_goes_to_the_first_in_line_and_wakes_the_consumer() {
    let queue = Checked::served(bounded(1));
    assert!(queue.try_reserve().is_ok());
    assert_eq!(queue.next(1), Got::Nothing);
    let (ticket, bell) = queue.stand_in_line(1);
    queue.release_permit();
    assert_eq!((queue.ask(ticket), bell.rung(), queue.rung()), (Some(Ok(1)), 1, 1));
    assert_eq!(queue.next(1), Got::Message(1));
}

#[test]
fn who_wants_a_place_stands_in_the_same_line_as_who_has_a_message() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (bell, waker) = Bell::new();
    let ticket = queue.reserve_or_join(|| false, &waker).expect("it is open").expect_err("it is full");
    let (behind, _) = queue.stand_in_line(2);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(bell.rung(), 1);
    assert_eq!(queue.ask(behind), None, "the place is kept for whoever came first");
    assert!(matches!(
        queue.poll_ticket(ticket, Waker::noop()),
        Some(crate::mailbox::TicketOutcome::Reserved)
    ));
    assert_eq!(queue.send_reserved(3), Ok(2));
    assert_eq!(queue.next(1), Got::Message(3));
    assert_eq!((queue.ask(behind), queue.next(1)), (Some(Ok(3)), Got::Message(2)));
}

#[test]
fn who_leaves_the_line_for_a_place_takes_none_along() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (_, waker) = Bell::new();
    let early = queue.reserve_or_join(|| false, &waker).expect("it is open").expect_err("it is full");
    let late = queue.reserve_or_join(|| false, &waker).expect("it is open").expect_err("it is full");
    queue.cancel_reserve(early);
    assert_eq!(queue.next(1), Got::Message(1));
    // By now a place is kept for this one.
    queue.cancel_reserve(late);
    assert!(queue.push(2).is_ok());
}

#[test]
fn a_place_outlives_an_end_and_not_a_close() {
    let queue = Checked::served(bounded(1));
    assert!(queue.try_reserve().is_ok());
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.push(1), Err(Back::Full(1)));
    assert!(queue.close(&failed()).is_some());
    assert_eq!(queue.send_reserved(2), Err(2));
    queue.open();
    assert!(queue.push(3).is_ok(), "the place is free again");
}

#[test]
fn whoever_waits_for_a_place_hears_of_a_close() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (bell, waker) = Bell::new();
    let ticket = queue.reserve_or_join(|| false, &waker).expect("it is open").expect_err("it is full");
    let leftover = queue.close(&failed()).expect("it was open");
    leftover.wakers.into_iter().for_each(Waker::wake);
    assert_eq!(bell.rung(), 1);
    assert!(matches!(queue.poll_ticket(ticket, &waker), Some(crate::mailbox::TicketOutcome::Refused(None))));
    assert!(
        queue.reserve_or_join(|| false, &waker).is_err()
            && matches!(queue.try_reserve(), Err(PushError::Closed(())))
    );
}

#[test]
fn a_place_that_goes_to_somebody_without_a_message_does_not_wake_the_consumer() {
    let queue = Checked::served(bounded(1));
    assert!(queue.try_reserve().is_ok());
    assert_eq!(queue.next(1), Got::Nothing);
    let (bell, waker) = Bell::new();
    let ticket = queue.reserve_or_join(|| false, &waker).expect("it is open").expect_err("it is full");
    queue.release_permit();
    assert_eq!((bell.rung(), queue.rung(), queue.ask_place(ticket)), (1, 0, Some(true)));
    assert_eq!(queue.send_reserved(1), Ok(1));
    assert_eq!((queue.rung(), queue.next(1)), (1, Got::Message(1)));
}
