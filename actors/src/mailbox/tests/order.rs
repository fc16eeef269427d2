//! What comes first, and when a consumer that sleeps is woken.

use super::checked::{Checked, Got, accounts, bounded, failed};
use crate::mailbox::{Interest, MailboxConfig, ParkResult};

#[test]
fn messages_come_in_the_order_in_which_they_were_accepted() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 0..5);
    assert_eq!(queue.next(1), Got::Message(0));
    (5..8).for_each(|message| assert!(queue.push(message).is_ok()));
    assert_eq!(queue.drain(1), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn sequence_numbers_count_from_one_without_a_gap() {
    let queue = Checked::served(bounded(2));
    assert_eq!((queue.push(7), queue.push(8)), (Ok(1), Ok(2)));
    let (ticket, _) = queue.stand_in_line(9);
    assert_eq!(queue.next(1), Got::Message(7));
    assert_eq!(queue.ask(ticket), Some(Ok(3)));
}

#[test]
fn a_signal_comes_before_messages_that_wait_longer() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert!(queue.stop("now"));
    assert_eq!(queue.next(1), Got::Signal("shutdown: now".into()));
    assert_eq!(queue.drain(1), [1, 2]);
}

#[test]
fn a_signal_gets_in_between_two_messages_of_a_batch() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.stop("now"));
    assert_eq!(queue.next(1), Got::Signal("shutdown: now".into()));
    assert_eq!(queue.drain(1), [2, 3]);
}

#[test]
fn signals_come_in_the_order_in_which_they_were_sent() {
    let queue = Checked::served(MailboxConfig::default());
    assert!(queue.stop("first") && queue.stop("second"));
    assert_eq!(queue.next(1), Got::Signal("shutdown: first".into()));
    assert_eq!(queue.next(1), Got::Signal("shutdown: second".into()));
    assert_eq!(queue.next(1), Got::Nothing);
}

#[test]
fn a_kill_comes_before_signals_and_messages() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert!(queue.stop("too late") && queue.kill());
    assert_eq!(queue.next(1), Got::Killed);
    // It stays killed, however often it asks.
    assert_eq!(queue.next(1), Got::Killed);
}

#[test]
fn nobody_is_told_to_stop_while_nobody_serves() {
    let queue = Checked::new(MailboxConfig::default());
    assert!(!queue.stop("closed") && !queue.kill());
    queue.open();
    assert!(!queue.stop("vacant") && !queue.kill());
    assert_eq!(queue.attach(), Ok(1));
    assert!(!queue.is_killed());
    assert_eq!(queue.next(1), Got::Nothing);
}

#[test]
fn what_was_meant_for_one_incarnation_does_not_reach_the_next() {
    let queue = Checked::served(MailboxConfig::default());
    assert!(queue.stop("you") && queue.kill());
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert!(!queue.is_killed());
    assert_eq!(queue.next(2), Got::Nothing);
}

#[test]
fn to_ask_for_the_next_thing_settles_the_message_in_hand() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(accounts(&queue), [2, 0, 0, 0, 2]);
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!(accounts(&queue), [2, 1, 0, 0, 1]);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
}

#[test]
fn a_message_settled_without_asking_is_counted_once() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    queue.ack(1);
    queue.ack(1);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!(accounts(&queue), [1, 1, 0, 0, 0]);
}

#[test]
fn a_message_wakes_a_consumer_that_sleeps_and_only_then() {
    let queue = Checked::served(MailboxConfig::default());
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.rung(), 0, "it never slept");
    assert_eq!(queue.drain(1), [1]);
    assert!(queue.push(2).is_ok());
    assert!(queue.push(3).is_ok());
    assert_eq!(queue.rung(), 1, "the second finds it awake");
}

#[test]
fn a_consumer_inside_a_handler_is_woken_by_a_kill_alone() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.sleep_inside(1, Interest::Kill), ParkResult::Asleep);
    assert!(queue.push(2).is_ok() && queue.stop("later"));
    assert_eq!(queue.rung(), 0);
    assert!(queue.kill());
    assert_eq!(queue.rung(), 1);
    assert_eq!(queue.sleep_inside(1, Interest::Kill), ParkResult::Over);
}

#[test]
fn a_consumer_that_starts_is_woken_by_a_signal_but_not_by_a_message() {
    let queue = Checked::served(MailboxConfig::default());
    assert_eq!(queue.sleep_inside(1, Interest::Signals), ParkResult::Asleep);
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.rung(), 0);
    assert!(queue.stop("now"));
    assert_eq!(queue.rung(), 1);
    assert_eq!(queue.sleep_inside(1, Interest::Signals), ParkResult::Signalled);
    assert!(queue.take_signal(1, |_| true).is_some() && queue.take_signal(1, |_| true).is_none());
    assert_eq!(queue.sleep_inside(1, Interest::Signals), ParkResult::Asleep);
}

#[test]
fn a_consumer_that_sleeps_over_its_mailbox_is_left_to_it() {
    let queue = Checked::served(MailboxConfig::default());
    assert_eq!(queue.next(1), Got::Nothing);
    // Its future is pending for the mailbox, not for user code: a message must still wake it.
    assert_eq!(queue.sleep_inside(1, Interest::Kill), ParkResult::Asleep);
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.rung(), 1);
}

#[test]
fn the_memory_of_a_flood_is_given_back() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 0..10_000);
    assert_eq!(queue.drain(1).len(), 10_000);
    let (lane, batch) = (queue.state.lock().messages.capacity(), queue.batch.lock().messages.capacity());
    assert!(lane <= 64 && batch <= 64, "an idle mailbox keeps room for {lane} and {batch}");
}
