//! The order of events, and when a parked consumer is woken.

use super::checked::{Checked, Got, accounts, bounded, failed};
use crate::mailbox::{Interest, MailboxConfig};

#[test]
fn messages_come_in_the_order_in_which_they_were_accepted() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 0..5);
    assert_eq!(queue.next(1), Got::Message(0));
    (5..8).for_each(|message| assert!(queue.push(message).is_ok()));
    assert_eq!(queue.drain(1), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn sequence_numbers_count_from_one_without_a_gap() {
    let queue = Checked::attached(bounded(2));
    assert_eq!((queue.push(7), queue.push(8)), (Ok(1), Ok(2)));
    let (ticket, _) = queue.wait_for_room(9);
    assert_eq!(queue.next(1), Got::Message(7));
    assert_eq!(queue.ticket_outcome(ticket), Some(Ok(3)));
}

#[test]
fn signal_precedes_messages_that_were_queued_before_it() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert!(queue.stop("now"));
    assert_eq!(queue.next(1), Got::Signal("shutdown: now".into()));
    assert_eq!(queue.drain(1), [1, 2]);
}

#[test]
fn signal_is_delivered_between_two_messages_of_a_batch() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2, 3]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert!(queue.stop("now"));
    assert_eq!(queue.next(1), Got::Signal("shutdown: now".into()));
    assert_eq!(queue.drain(1), [2, 3]);
}

#[test]
fn signals_come_in_the_order_in_which_they_were_sent() {
    let queue = Checked::attached(MailboxConfig::default());
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
    // It stays killed, however often it polls.
    assert_eq!(queue.next(1), Got::Killed);
}

#[test]
fn stop_and_kill_fail_while_no_incarnation_is_attached() {
    let queue = Checked::new(MailboxConfig::default());
    assert!(!queue.stop("closed") && !queue.kill());
    queue.open();
    assert!(!queue.stop("vacant") && !queue.kill());
    assert_eq!(queue.attach(), Ok(1));
    assert!(!queue.has_signal());
    assert_eq!(queue.next(1), Got::Nothing);
}

#[test]
fn signals_for_one_incarnation_do_not_reach_the_next() {
    let queue = Checked::attached(MailboxConfig::default());
    assert!(queue.stop("you") && queue.kill());
    assert!(queue.detach(1, &failed()).is_some());
    assert_eq!(queue.attach(), Ok(2));
    assert!(!queue.has_signal());
    assert_eq!(queue.next(2), Got::Nothing);
}

#[test]
fn poll_for_the_next_event_acks_the_message_in_flight() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1, 2]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(accounts(&queue), [2, 0, 0, 0, 2]);
    assert_eq!(queue.next(1), Got::Message(2));
    assert_eq!(accounts(&queue), [2, 1, 0, 0, 1]);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!(accounts(&queue), [2, 2, 0, 0, 0]);
}

#[test]
fn acked_message_is_counted_once() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    queue.ack(1);
    queue.ack(1);
    assert_eq!(queue.next(1), Got::Nothing);
    assert_eq!(accounts(&queue), [1, 1, 0, 0, 0]);
}

#[test]
fn message_wakes_the_consumer_only_if_it_is_parked() {
    let queue = Checked::attached(MailboxConfig::default());
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.wake_count(), 0, "it was never parked");
    assert_eq!(queue.drain(1), [1]);
    assert!(queue.push(2).is_ok());
    assert!(queue.push(3).is_ok());
    assert_eq!(queue.wake_count(), 1, "the second finds it awake");
}

#[test]
fn consumer_inside_a_handler_is_woken_by_a_kill_only() {
    let queue = Checked::with_messages(MailboxConfig::default(), [1]);
    assert_eq!(queue.next(1), Got::Message(1));
    assert_eq!(queue.inside(1, Interest::Kill), Got::Nothing);
    assert!(queue.push(2).is_ok() && queue.stop("later"));
    assert_eq!(queue.wake_count(), 0);
    assert!(queue.kill());
    assert_eq!(queue.wake_count(), 1);
    assert_eq!(queue.inside(1, Interest::Kill), Got::Killed);
}

#[test]
fn starting_consumer_is_woken_by_a_signal_but_not_by_a_message() {
    let queue = Checked::attached(MailboxConfig::default());
    assert_eq!(queue.inside(1, Interest::Signals), Got::Nothing);
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.wake_count(), 0);
    assert!(queue.stop("now"));
    assert_eq!(queue.wake_count(), 1);
    assert_eq!(queue.inside(1, Interest::Signals), Got::Signal("shutdown: now".into()));
    assert_eq!(queue.inside(1, Interest::Signals), Got::Nothing);
}

#[test]
fn consumer_parked_on_its_mailbox_stays_parked_on_it() {
    let queue = Checked::attached(MailboxConfig::default());
    assert_eq!(queue.next(1), Got::Nothing);
    // Its future is pending for the mailbox, not for user code: a message must still wake it.
    assert_eq!(queue.inside(1, Interest::Kill), Got::Nothing);
    assert!(queue.push(1).is_ok());
    assert_eq!(queue.wake_count(), 1);
}

#[test]
fn memory_of_a_burst_is_released() {
    let queue = Checked::with_messages(MailboxConfig::unbounded(), 0..10_000);
    assert_eq!(queue.drain(1).len(), 10_000);
    let (queued, batch) = (queue.state.lock().messages.capacity(), queue.batch.lock().messages.capacity());
    assert!(queued <= 64 && batch <= 64, "an idle mailbox keeps room for {queued} and {batch}");
}
