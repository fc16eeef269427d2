//! How much fits in, and who gets in first.

use super::checked::{Back, Bell, Checked, Got, accounts, bounded, failed};
use crate::exit::ExitReason;
use crate::mailbox::MailboxConfig;

#[test]
fn a_message_that_does_not_fit_comes_back() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(queue.push(3), Err(Back::Full(3)));
    assert_eq!(accounts(&queue), [2, 0, 0, 0, 2]);
}

#[test]
fn a_closed_mailbox_gives_the_message_back() {
    let queue = Checked::new(bounded(1));
    assert_eq!(queue.push(1), Err(Back::Closed(1)));
    assert_eq!(queue.join(2, &Bell::new().1), Err(2));
    assert_eq!(accounts(&queue), [0; 5]);
}

#[test]
fn the_message_in_hand_takes_no_room() {
    let queue = Checked::with_messages(bounded(1), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(2).is_ok());
    assert_eq!(queue.push(3), Err(Back::Full(3)));
}

#[test]
fn the_rest_of_a_batch_takes_room() {
    let queue = Checked::with_messages(bounded(3), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    assert_eq!(queue.push(5), Err(Back::Full(5)));
    assert_eq!(queue.next(1), Got::Message(2));
    assert!(queue.push(5).is_ok());
    assert_eq!(queue.push(6), Err(Back::Full(6)));
}

#[test]
fn an_unbounded_mailbox_is_never_full() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 0..5_000);
    assert_eq!(queue.waiting(), 5_000);
}

#[test]
fn the_default_holds_1024() {
    let queue = Checked::with_messages(MailboxConfig::default(), 0..1024);
    assert_eq!(queue.push(1024), Err(Back::Full(1024)));
}

#[test]
fn who_waits_longest_gets_the_first_place() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let ((first, first_bell), (second, second_bell)) = (queue.stand_in_line(2), queue.stand_in_line(3));
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((first_bell.rung(), second_bell.rung()), (1, 0));
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!((first_bell.rung(), second_bell.rung()), (1, 1));
    assert_eq!((queue.ask(first), queue.ask(second)), (Some(Ok(2)), Some(Ok(3))));
    assert_eq!(queue.next(1), Got::Message(3));
}

#[test]
fn who_comes_later_does_not_overtake_those_who_wait() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    let (ticket, _) = queue.stand_in_line(3);
    assert_eq!(queue.next(1), Got::Message(1));
    // The place that came free went to the line.
    assert_eq!(queue.push(4), Err(Back::Full(4)));
    assert_eq!(queue.ask(ticket), Some(Ok(3)));
    assert_eq!(queue.drain(1), [2, 3]);
}

#[test]
fn the_last_message_of_a_batch_makes_room_for_the_line() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(3).is_ok());
    let (ticket, bell) = queue.stand_in_line(4);
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!((bell.rung(), queue.ask(ticket)), (1, Some(Ok(4))));
}

#[test]
fn who_finds_room_does_not_stand_in_line() {
    let queue = Checked::with_messages(bounded(2), [1]);
    assert_eq!(queue.join(2, &Bell::new().1), Ok(Ok(2)));
}

#[test]
fn who_leaves_the_line_takes_the_message_along() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let ((first, _), (second, _)) = (queue.stand_in_line(2), queue.stand_in_line(3));
    assert_eq!(queue.leave(first), Some(2));
    assert_eq!(queue.drain(1), [1, 3]);
    assert_eq!(queue.ask(second), Some(Ok(2)));
    assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
}

#[test]
fn who_leaves_after_getting_in_leaves_the_message_there() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (ticket, _) = queue.stand_in_line(2);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.leave(ticket), None);
    assert_eq!(queue.drain(1), [2]);
}

#[test]
fn an_empty_line_leaves_nothing_in_the_way() {
    let queue = Checked::with_messages(bounded(2), [1, 2]);
    let (ticket, _) = queue.stand_in_line(3);
    assert_eq!(queue.leave(ticket), Some(3));
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.push(4).is_ok());
    assert_eq!(queue.drain(1), [2, 4]);
}

#[test]
fn the_newest_waker_of_a_sender_in_line_is_the_one_that_rings() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let (ticket, old) = queue.stand_in_line(2);
    let (new, waker) = Bell::new();
    assert!(queue.poll_ticket(ticket, &waker).is_none());
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((old.rung(), new.rung()), (0, 1));
}

#[test]
fn a_close_sends_the_line_away_with_its_messages() {
    let queue = Checked::with_messages(bounded(1), [1]);
    let ((first, _), (second, bell)) = (queue.stand_in_line(2), queue.stand_in_line(3));
    let leftover = queue.close(&ExitReason::Normal).expect("it was open");
    assert_eq!((leftover.dead.len(), leftover.wakers.len()), (1, 2));
    leftover.wakers.into_iter().for_each(std::task::Waker::wake);
    assert_eq!(bell.rung(), 1);
    assert_eq!((queue.ask(first), queue.leave(second)), (Some(Err(2)), Some(3)));
    assert_eq!(accounts(&queue), [1, 0, 0, 1, 0]);
}

#[test]
fn a_line_without_a_consumer_waits_for_the_next_one() {
    let queue = Checked::new(bounded(1));
    queue.open();
    assert!(queue.push(1).is_ok());
    let (ticket, bell) = queue.stand_in_line(2);
    assert_eq!(queue.attach(), Ok(1));
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!((bell.rung(), queue.ask(ticket)), (1, Some(Ok(2))));
}

#[test]
fn a_crash_that_discards_the_queue_lets_the_line_in() {
    let queue = Checked::with_messages(bounded(1).discard_on_restart(), [1]);
    let ((first, bell), (second, _)) = (queue.stand_in_line(2), queue.stand_in_line(3));
    let leftover = queue.detach(1, &failed()).expect("it was served");
    assert_eq!(leftover.dead, [1]);
    leftover.wakers.into_iter().for_each(std::task::Waker::wake);
    assert_eq!((bell.rung(), queue.ask(first), queue.ask(second)), (1, Some(Ok(2)), None));
}
